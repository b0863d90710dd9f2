"""Real clients and a real hub, while connections are cut and the hub is killed.

Each task is published once, and each handler says once what becomes of it: what the publisher was
told, what the handlers did and what the history holds must be one story.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import taskhub
from taskhub._outbox import Entry, Outbox

from tests.client.cutting_proxy import CuttingProxy, cutting_proxy
from tests.hub_process import HubProcess

#: Tasks that are open at a time; the hub takes 1,000 of a client.
FLIGHT = 100
#: Each so many results, all connections are cut, so often in a row, with so many seconds before
#: each: also while they are made again.
RESULTS_A_CUT = (20, 80)
CUTS_IN_A_ROW = (1, 3)
SECONDS_BEFORE_A_CUT = (0.0, 0.15)
#: Seconds in which the next result has to come, whatever happens.
PATIENCE = 60.0
#: Longer than a hub is away and a client waits to connect again.
TIMINGS = {"TASKHUB_RESUME_GRACE_MS": "30000", "TASKHUB_START_TIMEOUT_MS": "30000"}
END_TIMEOUT = 120


@dataclass
class Story:
    """What the parties know."""

    random: random.Random
    tasks: int
    #: number → what its handler did: success, fail or drop, and the value
    handled: dict[int, tuple[str, Any]] = field(default_factory=dict)
    runs: Counter[int] = field(default_factory=Counter)
    #: taskId → what its publisher was told
    told: dict[str, tuple[str, Any]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    #: What it was like, for the log.
    seconds: float = 0.0
    cuts: int = 0
    kills: int = 0
    #: Commands that were sent again on another connection.
    sent_again: int = 0
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)


async def storm(hub: HubProcess, *, tasks: int, kills: int, seed: str) -> Story:
    """Publish so many tasks through so many kills. Raises AssertionError, or a group of it."""
    story = Story(random=random.Random(seed), tasks=tasks)
    began = time.monotonic()
    async with cutting_proxy(hub.port) as proxy:
        publisher = taskhub.Client(proxy.url, name="shop", key=hub.keys["shop"])
        lone = taskhub.Client(proxy.url, name="a", key=hub.keys["a"])
        team = [taskhub.Client(proxy.url, name="team", key=hub.keys["team"]) for _ in range(2)]
        _serve(story, lone, "storm:lone")
        for member in team:
            _serve(story, member, "storm:team")
        async with _counted(story), publisher, lone, team[0], team[1]:
            async with asyncio.TaskGroup() as group:
                group.create_task(_kill(story, hub, kills))
                group.create_task(_cut(story, proxy))
                group.create_task(_publish(story, publisher))
            assert not publisher._session.tasks  # type: ignore[union-attr]
        story.cuts = proxy.cuts
    story.seconds = time.monotonic() - began
    code = await asyncio.to_thread(hub.terminate)
    assert code == 0, f"the hub exits with {code}"
    check(story, hub)
    return story


@asynccontextmanager
async def _counted(story: Story) -> AsyncIterator[None]:
    """Count what the clients send again."""
    take = Outbox.next

    async def counted(self: Outbox) -> Entry:
        entry = await take(self)
        story.sent_again += entry.sent > 0
        return entry

    with patch.object(Outbox, "next", counted):
        yield


def _serve(story: Story, client: taskhub.Client, action: str) -> None:
    @client.sub(action, concurrency=20)
    async def handle(job: taskhub.Job) -> Any:
        number = job.payload["n"]
        story.runs[number] += 1
        await asyncio.sleep(story.random.uniform(0, 0.05))
        if number % 7 == 0:
            await job.progress(1, 2)
        if number % 11 == 0:
            story.handled[number] = ("fail", {"type": "ValueError", "message": f"no {number}"})
            raise ValueError(f"no {number}")
        if number % 13 == 0:
            story.handled[number] = ("drop", f"not {number}")
            raise taskhub.Drop(f"not {number}")
        story.handled[number] = ("success", {"square": number * number})
        return {"square": number * number}


async def _publish(story: Story, publisher: taskhub.Client) -> None:
    room = asyncio.Semaphore(FLIGHT)

    async def follow(task: taskhub.Task) -> None:
        try:
            story.told[task.task_id] = ("success", await task)
        except taskhub.TaskFailed as failed:
            story.told[task.task_id] = ("fail", failed.reason)
        except taskhub.Refused as refused:
            story.told[task.task_id] = ("refused", refused.code)
        if story.told[task.task_id][0] != "refused":
            await task.ended()
        room.release()
        async with story.progress:
            story.ended += 1
            story.progress.notify_all()

    async with asyncio.TaskGroup() as group:
        for number in range(1, story.tasks + 1):
            async with asyncio.timeout(PATIENCE):
                await room.acquire()
            action = "storm:team" if _of_team(number) else "storm:lone"
            task = publisher.pub(action, {"n": number}, end_timeout=END_TIMEOUT)
            story.numbers[task.task_id] = number
            group.create_task(follow(task))
        while story.ended < story.tasks:
            await _until(story, story.ended + 1)


async def _until(story: Story, ended: int) -> None:
    async with story.progress:
        before = story.ended
        try:
            async with asyncio.timeout(PATIENCE):
                await story.progress.wait_for(lambda: story.ended >= min(ended, before + 1))
        except TimeoutError:
            waiting = story.numbers.keys() - story.told.keys()
            raise AssertionError(f"left waiting after {story.ended}: {waiting}") from None


async def _kill(story: Story, hub: HubProcess, kills: int) -> None:
    """Kill the hub and start it again, at even distances."""
    for kill in range(kills):
        while story.ended < story.tasks * (kill + 1) // (kills + 1):
            await _until(story, story.ended + 1)
        await asyncio.to_thread(hub.kill)
        await asyncio.to_thread(hub.start)
        story.kills += 1


async def _cut(story: Story, proxy: CuttingProxy) -> None:
    """Cut all connections at any moment."""
    next_cut = story.random.randint(*RESULTS_A_CUT)
    while story.ended < story.tasks:
        await _until(story, story.ended + 1)
        if story.ended >= next_cut:
            next_cut = story.ended + story.random.randint(*RESULTS_A_CUT)
            for _ in range(story.random.randint(*CUTS_IN_A_ROW)):
                await asyncio.sleep(story.random.uniform(*SECONDS_BEFORE_A_CUT))
                proxy.cut()
    assert proxy.cuts > 0


def check(story: Story, hub: HubProcess) -> None:
    """Hold the history against what the parties know. Raises AssertionError."""
    with closing(sqlite3.connect(hub.directory / "taskhub.sqlite3")) as database:
        stored = dict(database.execute("SELECT task_id, id FROM hub_task").fetchall())
        rows = database.execute("SELECT task, kind, body, stands_for, by FROM hub_task_event")
        events: dict[int, list[tuple[str, Any, str | None, str]]] = {}
        for task, kind, body, stands_for, by in rows.fetchall():
            value = None if body is None else json.loads(body)
            events.setdefault(task, []).append((kind, value, stands_for, by))
    assert stored.keys() == story.numbers.keys(), "not each was published exactly once"
    faults = []
    for task_id, number in story.numbers.items():
        if fault := _fault(story, number, story.told[task_id], events[stored[task_id]]):
            faults.append(f"{number} ({task_id}): {fault}: {events[stored[task_id]]}")
    assert not faults, faults[:5]


def _of_team(number: int) -> bool:
    """Whether it goes to two connections in a group.

    When both are lost and neither is resumed, either may take over what the other was at (§5.5
    D5), and its handler runs there too; its outcome still counts once.
    """
    return number % 2 == 1


def _fault(
    story: Story,
    number: int,
    told: tuple[str, Any],
    events: list[tuple[str, Any, str | None, str]],
) -> str | None:
    kinds = Counter(kind for kind, _, _, _ in events)
    if any(kinds[once] != 1 for once in ("init", "end")):
        return "not one init and one end"
    if story.runs[number] != 1 and not _of_team(number):
        return f"its handler ran {story.runs[number]} times"
    kind, value = story.handled[number]
    expected = ("success", None) if kind == "drop" else (kind, value)
    if told != expected:
        return f"told {told}, handled {expected}"
    said = [(event, body) for event, body, _, by in events if by != "hub" and event == kind]
    if said != [(kind, value)]:
        return f"the history has {said} of what was handled as {(kind, value)}"
    if not _updates_are_right(story, number, kinds["update"]):
        return "not each update once"
    return None


def _updates_are_right(story: Story, number: int, updates: int) -> bool:
    wanted = int(number % 7 == 0)
    if _of_team(number):
        return wanted <= updates <= wanted * story.runs[number]
    return updates == wanted
