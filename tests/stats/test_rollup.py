"""The work that keeps the sums, beside commits that are held, fail or have not begun."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub import rollup
from hub.core.limits import MS_PER_DAY, Limits
from hub.journal.sums import HOUR_MS
from hub.rollup import Rollups
from tests.pipeline.conftest import World

DONE = {"result": 1}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(Limits())
    made.now = 1_000 * HOUR_MS
    yield made
    made.journal.hold = None
    await made.pipeline.stop()


def rollups_of(world: World, retention_days: int = 0) -> Rollups:
    return Rollups(
        journal=world.journal,
        reader=world.pipeline.reader,
        commit=world.pipeline.commit,
        clock=lambda: world.now,
        retention_days=retention_days,
    )


def counted(world: World) -> int:
    """Tasks in the sums, by their hours."""
    return sum(n for (width, *_), n in world.journal.sums.items() if width == HOUR_MS)


async def end_one(world: World, task_id: str) -> None:
    """A task that its publisher drives by itself, from begin to end."""
    publisher = world.connect(f"p-{task_id}")
    await world.publish(publisher, task_id)
    await world.report(publisher, task_id, "success", **DONE)


async def test_what_has_ended_is_counted_once(world: World) -> None:
    rollups = rollups_of(world)
    await end_one(world, "t")
    await rollups.step()
    assert counted(world) == 0, "more may end within this very millisecond"
    world.now += 1
    await rollups.step()
    await rollups.step()
    assert counted(world) == 1


async def test_a_commit_that_hangs_is_counted_when_it_is_stored(world: World) -> None:
    rollups = rollups_of(world)
    publisher = world.connect("p")
    await world.publish(publisher, "t")
    world.journal.hold = asyncio.Event()
    frame = '{"cmd":"pub","event":"success","eventId":"s","taskId":"t","result":1}'
    world.pipeline.receive(publisher, frame)
    await asyncio.sleep(0)  # the batch begins at the end of the turn
    behind = world.now
    world.now += 5_000
    assert world.pipeline.commit.durable_until(world.now) == behind
    await rollups.step()
    assert world.journal.summed_until <= behind
    world.journal.hold.set()
    await world.settle()
    assert world.pipeline.commit.durable_until(world.now) == world.now
    await rollups.step()
    assert counted(world) == 1


async def test_decisions_that_wait_behind_a_commit_count_as_well(world: World) -> None:
    publisher, commit = world.connect("p"), world.pipeline.commit
    await world.publish(publisher, "t")
    await world.publish(publisher, "u")
    assert commit.durable_until(world.now) == world.now
    world.journal.hold = asyncio.Event()
    frame = '{{"cmd":"pub","event":"success","eventId":"s-{0}","taskId":"{0}","result":1}}'
    for task_id in "tu":
        behind = world.now
        world.pipeline.receive(publisher, frame.format(task_id))
        await asyncio.sleep(0)  # the first is being stored from here on, the second waits
        world.now += 10
    first = world.journal.hold
    while world.journal.held_by is not first:  # noqa: ASYNC110  (told by the writer's thread)
        await asyncio.sleep(0)
    world.journal.hold = asyncio.Event()
    first.set()
    while world.pipeline.commit._waiting:  # noqa: ASYNC110  (no event tells of it)
        await asyncio.sleep(0)
    assert commit.durable_until(world.now) == behind, "the first is stored, the second is not"
    world.journal.hold.set()
    await world.settle()
    assert commit.durable_until(world.now) == world.now


async def test_a_failed_commit_leaves_nothing_to_count(world: World) -> None:
    rollups = rollups_of(world)
    publisher = world.connect("p")
    await world.publish(publisher, "t")
    world.journal.fail_next = 1
    await world.report(publisher, "t", "success", **DONE)
    await world.settle()
    world.now += 5_000
    await rollups.step()
    assert counted(world) == 0


async def test_an_old_history_is_caught_up_with_in_steps(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "STEP", 2)
    for number in range(7):
        await end_one(world, f"t{number}")
        world.now += 10
    rollups = rollups_of(world)
    more = [await rollups.step() for _ in range(5)]
    assert more == [True, True, True, False, False]
    assert counted(world) == 7


async def test_it_goes_on_by_itself_and_deletes_what_is_old(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "INTERVAL_S", 0)
    await end_one(world, "old")
    world.now += 31 * MS_PER_DAY
    await end_one(world, "new")
    world.now += 1
    keeping = asyncio.create_task(rollups_of(world, retention_days=30).keep())
    async with asyncio.timeout(5):
        while len(world.journal.sums) != 2:  # noqa: ASYNC110  (no event tells of it)
            await asyncio.sleep(0)
    keeping.cancel()
    assert {at // HOUR_MS for _, at, *_ in world.journal.sums} == {1_000 + 31 * 24}


async def test_a_clock_that_was_set_back_loses_no_task(world: World) -> None:
    await end_one(world, "before")
    world.now += HOUR_MS
    await rollups_of(world).step()
    world.journal.summed_until = world.now  # as when more had ended meanwhile
    world.now -= HOUR_MS // 2
    again = rollups_of(world)
    await again.begin()
    await end_one(world, "after")
    world.now += HOUR_MS
    await again.step()
    assert counted(world) == 2
