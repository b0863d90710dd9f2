"""A disk that fills up: refused clearly, nothing told that is not stored, and well again after."""

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.durability.ledger import DATABASE, Ledger, check
from tests.durability.load import HeardV1
from tests.hub_process import HubProcess
from tests.peers import JSON, V1Peer
from tests.wire.stage import new_id

MIB: Final = 1 << 20
FLOOR: Final = 12 * MIB
#: Several looks of the hub at its disk.
NOTICED_S: Final = 10.0
#: Log lines in a second of a hub whose disk is full, at most: a log takes room too.
LINES_A_SECOND: Final = 100
#: Seconds until a deadline that comes when the disk is full.
DUE_S: Final = 4.0
#: More tasks than fit.
ENOUGH: Final = 200
ACTION: Final = "disk:fill"
LARGE: Final = "x" * 50_000
OLD: Final = {"startTimeout": 60_000, "endTimeout": 60_000}
NewHub = Callable[..., HubProcess]


class Disk:
    """A small disk, and a file on it that takes the room."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ballast = directory / "ballast"

    def leave(self, free: int) -> None:
        """Leave so many bytes free, at most."""
        with self._ballast.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while shutil.disk_usage(self.directory).free > free:
                ballast.write(b"x" * 4_096)

    def make_room(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink()


@pytest.fixture
def small_hub(small_disk: Path, new_hub: NewHub, tmp_path: Path) -> NewHub:
    """Makes a hub whose data are on a small disk, and whose log is not."""

    def make(**options: str) -> HubProcess:
        hub = new_hub(directory=small_disk, **options)
        hub.log = tmp_path / "hub.log"
        return hub

    return make


async def init(peer: V1Peer, task_id: str, payload: object = None, **options: int) -> JSON:
    """Publish a task, with ids that a repeat has too; the answer."""
    event = {"event": "init", "eventId": f"init-{task_id}", "taskId": task_id}
    return await peer.request("pub", **event, action=ACTION, payload=payload, **(OLD | options))


async def say(peer: V1Peer, task_id: str, event: str, **fields: object) -> JSON:
    """Report an event of a task, with an id that a repeat has too; the answer."""
    event_id = f"{event}-{task_id}"
    return await peer.request("pub", event=event, eventId=event_id, taskId=task_id, **fields)


def refused(answer: JSON) -> bool:
    """Whether it was refused as the protocol says (§7); nothing else may refuse it."""
    if answer["status"] == "ok":
        return False
    found = [answer[name] for name in ("error", "code", "retry")]
    assert found == ["HubError", "unavailable", True], answer
    return True


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + NOTICED_S
    while not await holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.2)


# A floor under the free space (§7)


async def check_floor(hub: HubProcess, disk: Disk) -> None:
    """Below the floor new tasks are refused, and the open ones go on."""
    hub.start()
    async with (
        V1Peer(hub.url, "web", hub.keys["web"]) as web,
        V1Peer(hub.url, "a", hub.keys["a"]) as service,
    ):
        await service.request("sub", action=ACTION)
        assert not refused(await init(web, "before"))
        disk.leave(FLOOR - 4 * MIB)
        new = (f"new-{number}" for number in range(1_000))
        task = ""

        async def new_is_refused() -> bool:
            nonlocal task
            task = next(new)
            return refused(await init(web, task))

        await until(new_is_refused, "new tasks are taken on a nearly full disk")
        for event, body in [("start", {}), ("update", {"update": 1}), ("success", {"result": 2})]:
            assert not refused(await say(service, "before", event, **body))
        assert [m["event"] for m in await web.task_until("before")][-1] == "end"
        disk.make_room()

        async def same_is_taken() -> bool:
            return not refused(await init(web, task))

        await until(same_is_taken, "new tasks are not taken though there is room")


async def test_below_the_floor_new_tasks_are_refused(small_hub: NewHub, small_disk: Path) -> None:
    hub = small_hub(TASKHUB_MIN_FREE_DISK_BYTES=str(FLOOR))
    await check_floor(hub, Disk(small_disk))
    assert not hub.log_since(0).count("Traceback")


async def test_a_hub_that_does_not_watch_its_disk_is_seen(
    small_hub: NewHub, small_disk: Path
) -> None:
    sabotage = "tests.durability.sabotage:does_not_watch_the_disk"
    hub = small_hub(sabotage=sabotage, TASKHUB_MIN_FREE_DISK_BYTES=str(FLOOR))
    with pytest.raises(AssertionError, match="new tasks are taken on a nearly full disk"):
        await check_floor(hub, Disk(small_disk))


# No space left on device


async def check_no_space(hub: HubProcess, disk: Disk) -> None:
    """Nothing is told that is not stored, the hub lives, and all is well when there is room."""
    ledger = Ledger(may_be_unavailable=True)
    hub.start()
    async with contextlib.AsyncExitStack() as stack:

        async def peer(name: str) -> HeardV1:
            made = HeardV1(hub.url, name, hub.keys[name])
            made.ledger = ledger
            return await stack.enter_async_context(made)

        web, service = await peer("web"), await peer("a")
        await service.request("sub", action=ACTION)
        for task in ("working", "waiting"):
            assert not refused(await init(web, task))
        await say(service, "working", "start")
        due_at = time.monotonic() + DUE_S
        assert not refused(await init(web, "due", endTimeout=int(DUE_S * 1_000)))

        disk.leave(MIB)
        large = await _publish_until_refused(web, LARGE)
        disk.leave(0)
        large |= await _publish_until_refused(web, LARGE)
        small = await _publish_until_refused(web, "")
        log_then, full_since = hub.log_size(), time.monotonic()
        while time.monotonic() < max(due_at, full_since) + 1:
            refused(await say(service, "working", "update", update=LARGE))
            refused(await init(web, "new", LARGE))
            await asyncio.sleep(0.05)
        await peer("operator")  # who comes now is let in
        lines = hub.log_since(log_then).count("\n")
        assert lines < LINES_A_SECOND * (time.monotonic() - full_since), f"{lines} log lines"
        check(ledger, hub.directory / DATABASE, ended=False)

        disk.make_room()
        published = {"working": None, "waiting": None, "new": LARGE, **large, **small}
        for task, payload in published.items():
            await _taken(web, task, payload)
            await _succeeds(service, task)
        for task in ("due", *published):
            await _ended(web, task)
    assert await asyncio.to_thread(hub.terminate) == 0
    check(ledger, hub.directory / DATABASE, ended=True)
    async with V1Peer(hub.start().url, "operator", hub.keys["operator"]) as operator:
        found = (await operator.request("get", taskId="due", what="task"))["task"]
        assert (found["state"], found["outcome"]) == ("end", "fail")


async def _publish_until_refused(web: V1Peer, payload: str) -> dict[str, str]:
    """Tasks until some in a row are refused; taskId → payload."""
    tasks: dict[str, str] = {}
    in_a_row = 0
    while in_a_row < 5 and len(tasks) < ENOUGH:
        task = new_id()
        tasks[task] = payload
        in_a_row = in_a_row + 1 if refused(await init(web, task, payload)) else 0
    return tasks


async def _taken(web: V1Peer, task: str, payload: object) -> None:
    """Send an init, perhaps once more, until it is taken."""

    async def taken() -> bool:
        return not refused(await init(web, task, payload))

    await until(taken, f"{task} is not taken though there is room")


async def _succeeds(service: V1Peer, task: str) -> None:
    """Send a success, until it is taken."""

    async def taken() -> bool:
        return not refused(await say(service, task, "success", result=1))

    await until(taken, f"the success of {task} is not taken though there is room")


async def _ended(web: V1Peer, task: str) -> None:
    """Wait until the publisher knows of the end, which it was told or asks for."""

    async def over() -> bool:
        answer = await web.request("get", taskId=task, what="task")
        return bool(answer["task"]["state"] == "end")

    await until(over, f"{task} does not end")


async def test_without_any_space_nothing_is_told_and_nothing_is_lost(
    small_hub: NewHub, small_disk: Path
) -> None:
    await check_no_space(small_hub(TASKHUB_MIN_FREE_DISK_BYTES="0"), Disk(small_disk))


@pytest.mark.parametrize(
    ("sabotage", "match"),
    [
        ("takes_failed_commits_for_done", "problems"),
        ("does_not_pause_on_a_full_disk", "log lines"),
    ],
)
async def test_a_spoiled_hub_is_seen(
    small_hub: NewHub, small_disk: Path, sabotage: str, match: str
) -> None:
    sabotage = f"tests.durability.sabotage:{sabotage}"
    hub = small_hub(sabotage=sabotage, TASKHUB_MIN_FREE_DISK_BYTES="0")
    with pytest.raises(AssertionError, match=match):
        await check_no_space(hub, Disk(small_disk))


async def test_a_hub_can_be_stopped_while_its_disk_is_full(
    small_hub: NewHub, small_disk: Path
) -> None:
    hub = small_hub(TASKHUB_MIN_FREE_DISK_BYTES="0").start()

    async def connection_is_stored() -> bool:
        with closing(sqlite3.connect(hub.directory / DATABASE)) as database:
            return bool(database.execute("SELECT count(*) FROM hub_connection").fetchone()[0])

    async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
        await until(connection_is_stored, "presence is not written")
        Disk(small_disk).leave(0)
        await _publish_until_refused(web, LARGE)
        await _publish_until_refused(web, "")
        assert await asyncio.to_thread(hub.terminate) == 0
        assert await web.closed() == 1012
    assert "hub_stopped" in hub.log_since(0).splitlines()[-1]
