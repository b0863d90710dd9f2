"""Hubs for the tests of the API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.api.http import Api, signed_in
from tests.hub_process import HubProcess
from tests.peers import V1Peer

#: People of the staff, each with what they may.
STAFF: dict[str, Any] = {
    "boss": "all",
    "nobody": [],
    "viewer": ["hub.view_task"],
    "reader": ["hub.view_task", "hub.view_payload"],
    "canceller": ["hub.view_task", "hub.cancel_task"],
    "blind": ["hub.cancel_task", "hub.publish_task"],
    "publisher": ["hub.view_task", "hub.publish_task"],
    "porter": ["hub.view_connection"],
    "registrar": ["credentials.view_client"],
}
Start = Callable[..., HubProcess]


@pytest.fixture(scope="session")
def api_prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with clients and staff."""
    hub = HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()
    hub.staff(**STAFF)
    return hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory, api_prepared: HubProcess) -> Iterator[HubProcess]:
    """One hub for all tests that leave it as it was."""
    hub = HubProcess("uvicorn", tmp_path_factory.mktemp("hub")).copy_of(api_prepared)
    try:
        yield hub.start()
    finally:
        hub.close()
    assert not hub.troubles()


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory, api_prepared: HubProcess) -> Iterator[Start]:
    """Starts hubs that end with the test."""
    started: list[HubProcess] = []

    def begin(server: str = "uvicorn", sabotage: str | None = None, **env: str) -> HubProcess:
        directory = tmp_path_factory.mktemp("hub")
        hub = HubProcess(server, directory, sabotage=sabotage, **env).copy_of(api_prepared)
        started.append(hub)
        return hub.start()

    yield begin
    for hub in started:
        hub.close()


@pytest.fixture(scope="session")
def web(hub: HubProcess) -> Api:
    """A client that may publish everything."""
    return Api.of(hub, "web")


@pytest.fixture(scope="session")
def operator(hub: HubProcess) -> Api:
    """A client that may watch everything."""
    return Api.of(hub, "operator")


class Staff(dict[str, Api]):
    """Everybody of the staff, signed in when they are first needed."""

    def __init__(self, hub: HubProcess) -> None:
        super().__init__()
        self._hub = hub

    def __missing__(self, name: str) -> Api:
        self[name] = signed_in(self._hub, name)
        return self[name]


@pytest.fixture(scope="session")
def staff(hub: HubProcess) -> Staff:
    """Who of the staff asks."""
    return Staff(hub)


Answering = Callable[[dict[str, Any]], dict[str, Any]]


@asynccontextmanager
async def service(
    hub: HubProcess, action: str, answer: Answering, name: str = "a"
) -> AsyncIterator[V1Peer]:
    """A service on a socket that answers each task of an action by these fields of an event."""
    async with V1Peer(hub.url, name, hub.keys[name]) as peer:
        await peer.request("sub", action=action)

        async def work() -> None:
            while True:
                (*_, message) = await peer.collect(lambda one: one.get("event") == "init", 60)
                fields = dict(answer(message))
                await peer.event(message["taskId"], fields.pop("event"), **fields)

        working = asyncio.create_task(work())
        try:
            yield peer
        finally:
            working.cancel()
