"""Hubs and peers for the wire tests."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.peers import LegacyPeer, V1Peer
from tests.wire.hub_process import SERVERS, HubProcess


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture(scope="session", params=SERVERS)
def hub(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    prepared: HubProcess,
) -> Iterator[HubProcess]:
    """A hub that many tests share; each uses actions and ids of its own."""
    made = HubProcess(request.param, tmp_path_factory.mktemp(request.param))
    made.copy_of(prepared).start()
    yield made
    made.close()
    assert not made.tracebacks()


@pytest.fixture(params=SERVERS)
def own_hub(
    request: pytest.FixtureRequest, tmp_path: Path, prepared: HubProcess
) -> Iterator[HubProcess]:
    """A hub for one test, which may kill it."""
    # Its clients have to come back after a restart, however slow the machine is at it.
    made = HubProcess(request.param, tmp_path, TASKHUB_RESUME_GRACE_MS="3000")
    made.copy_of(prepared).start()
    yield made
    made.close()


class Stage:
    """Peers of one test on one hub, all left in good order at its end."""

    def __init__(self, hub: HubProcess, stack: AsyncExitStack) -> None:
        self.hub = hub
        self._stack = stack
        #: an action nobody else uses
        self.action = f"test/{uuid.uuid4().hex}:do"

    async def v1(self, name: str) -> V1Peer:
        """A v1 connection of this client."""
        return await self._stack.enter_async_context(
            V1Peer(self.hub.url, name, self.hub.keys[name])
        )

    async def legacy(self, name: str = "old", **options: Any) -> LegacyPeer:
        """A legacy connection of this client."""
        return await self._stack.enter_async_context(
            LegacyPeer(self.hub.url, name, self.hub.keys[name], **options)
        )

    async def service(self, name: str, **options: Any) -> V1Peer:
        """A v1 connection that subscribes to this test's action."""
        peer = await self.v1(name)
        answer = await peer.request("sub", action=self.action, **options)
        assert answer["status"] == "ok"
        return peer

    async def publish(self, peer: V1Peer, payload: Any = None, **options: Any) -> str:
        """Publish a task of this test's action; its id, once the hub has told of it."""
        task_id = uuid.uuid4().hex
        await peer.event(task_id, "init", action=self.action, payload=payload, **options)
        await peer.task_until(task_id, "init")
        return task_id


@pytest.fixture
async def stage(hub: HubProcess) -> AsyncIterator[Stage]:
    """A stage on the shared hub."""
    async with AsyncExitStack() as stack:
        yield Stage(hub, stack)


@pytest.fixture
async def new_stage() -> AsyncIterator[Callable[[HubProcess], Stage]]:
    """Makes stages on a hub of the test's own."""
    async with AsyncExitStack() as stack:
        yield lambda hub: Stage(hub, stack)
