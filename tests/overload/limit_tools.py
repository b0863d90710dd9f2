"""What the checks of limits share: the numbers, and how to reach them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from tests.hub_process import HubProcess
from tests.overload.peer import Client
from tests.overload.process import table
from tests.peers import JSON, V1Peer
from tests.wire.stage import LONG, Stage, new_id, pub, until

#: Small enough to be reached, and far enough apart that none is reached in place of another, also
#: when all of them are one off.
SMALL: Final = {
    "resume_grace_ms": 200,
    "start_timeout_ms": 300,
    "end_timeout_ms": 600,
    "max_start_timeout_ms": 40_000,
    "max_end_timeout_ms": 50_000,
    "max_frame_bytes": 4_000,
    "max_nesting": 6,
    "max_subscriptions": 3,
    "max_watches": 3,
    "max_open_tasks_per_client": 3,
    "max_open_tasks": 5,
    "max_open_bytes": 3_000,
    "max_events_per_task": 6,
    "max_participants_per_task": 2,
    "wrong_keys_per_name": 2,
    "wrong_keys_per_address": 4,
    "unauthenticated_per_address": 3,
    "bad_frames_per_minute": 3,
    "min_free_disk_bytes": 1_000,
}
#: A minute of the hub that is checked, in seconds.
MINUTE_S: Final = 1.5
#: How long a hub may take to notice what has changed outside.
NOTICE_S: Final = 2.0


@contextlib.contextmanager
def nothing_stored(hub: HubProcess) -> Iterator[None]:
    """What happens within leaves no trace in the history."""
    before = table(hub)
    yield
    assert table(hub) == before


def refused(answer: JSON, code: str, *, retry: bool) -> str:
    """The message of a refusal that has to be of this kind."""
    assert (answer.get("code"), answer.get("retry")) == (code, retry), answer
    return str(answer["message"])


async def publish(stage: Stage, peer: V1Peer, **more: Any) -> JSON:
    """Publish a task that stays open; the hub's answer."""
    fields = {"action": stage.action, "payload": None, "startTimeout": LONG, "endTimeout": LONG}
    return await pub(peer, new_id(), "init", **{**fields, **more})


async def published(stage: Stage, peer: V1Peer, **more: Any) -> str:
    """As ``publish``, where it has to be taken; the task's id."""
    answer = await publish(stage, peer, **more)
    assert answer["status"] == "ok", answer
    return str(answer["taskId"])


async def cancel(peer: V1Peer, task: str) -> None:
    """End a task, and wait for its end."""
    await peer.request("cancel", taskId=task)
    await until(peer, task)


async def knock(stage: Stage, address: str, name: str, key_of: str = "") -> int:
    """The status that a handshake from there is answered with."""
    keys = stage.hub.keys
    try:
        client = await Client.connect(
            stage.hub.port, lambda _: None, name=name, key=keys[key_of or name], address=address
        )
    except ConnectionError as error:
        return int(str(error).split()[1])
    client.transport.abort()
    return 101


async def eventually(condition: Callable[[], Awaitable[bool]], within: float, what: str) -> None:
    """Ask until it holds."""
    deadline = asyncio.get_running_loop().time() + within
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"not {what} in time"
        await asyncio.sleep(0.02)


def disk_has(hub: HubProcess, free: int) -> None:
    """What a hub with ``sabotage.exact_limits`` is told of its disk."""
    new = hub.directory / "free.new"
    new.write_text(str(free))
    new.replace(hub.directory / "free")
