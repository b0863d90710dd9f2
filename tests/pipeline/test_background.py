"""What runs beside the tasks: the disk, presence, retention, the lock."""

import asyncio
from collections import namedtuple
from pathlib import Path

import pytest

from hub import housekeeping
from hub.conf import hub_settings
from hub.core.limits import MS_PER_DAY
from hub.core.presence import Presence
from hub.housekeeping import Housekeeping
from hub.journal.port import JournalFailed
from hub.lock import FileLock, LockHeld
from hub.router.presence import Roll
from hub.runtime import Runtime
from tests.pipeline.conftest import ScriptedJournal, World

Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISK_INTERVAL_S", "PRUNE_INTERVAL_S", "PRUNE_PAUSE_S", "PRESENCE_INTERVAL_S"):
        monkeypatch.setattr(housekeeping, name, 0)


def house_of(world: World, roll: Roll) -> Housekeeping:
    return Housekeeping(
        journal=world.journal,
        commit=world.pipeline.commit,
        roll=roll,
        clock=lambda: world.now,
    )


@pytest.mark.usefixtures("no_pause")
async def test_a_nearly_full_disk_refuses_new_tasks_and_no_others(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = 10
    looked = asyncio.Event()

    def disk_usage(_: Path) -> Usage:
        looked.set()
        return Usage(100, 100 - free, free)

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "before")
    watching = asyncio.create_task(
        house_of(world, Roll()).watch_disk(tmp_path, world.engine, min_free=20)
    )
    for expected in (["unavailable"], ["unavailable"]):
        await looked.wait()
        await asyncio.sleep(0)
        await world.publish(publisher, f"during-{free}")
        assert publisher.codes() == expected
        free = 30
        looked.clear()
    await world.report(service, "before", "success", result=1)
    assert publisher.events("before")[-1] == "end"
    assert publisher.events("during-30") == ["init"]
    watching.cancel()


async def test_presence_is_written_when_it_changes_and_renewed_in_time(world: World) -> None:
    roll = Roll()
    house = house_of(world, roll)
    await house.write_presence()
    assert world.journal.lease_until == 0
    for connection in "ab":
        roll.opened(
            Presence(connection=connection, client="c", address="", protocol="legacy", since=1)
        )
    roll.closed("a")
    await house.write_presence()
    assert set(world.journal.presence) == {"b"}
    first = world.journal.lease_until
    world.now += 1_000
    await house.write_presence()
    assert world.journal.lease_until == first
    world.now += 20_000
    await house.write_presence()
    assert world.journal.lease_until == first + 21_000
    roll.closed("b")
    await house.write_presence()
    assert world.journal.presence == {}


async def test_presence_that_could_not_be_written_is_written_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll = Roll()
    house = house_of(world, roll)
    for connection in "abc":
        roll.opened(
            Presence(connection=connection, client="c", address="", protocol="legacy", since=1)
        )
    await house.write_presence()
    roll.opened(Presence(connection="d", client="c", address="", protocol="legacy", since=1))
    roll.opened(Presence(connection="e", client="c", address="", protocol="legacy", since=1))
    roll.closed("a")

    def full(*_: object) -> None:
        roll.closed("b")
        roll.closed("e")
        raise JournalFailed("no room")

    with monkeypatch.context() as patched:
        patched.setattr(world.journal, "record_presence", full)
        with pytest.raises(JournalFailed):
            await house.write_presence()
    await house.write_presence()
    assert set(world.journal.presence) == {"c", "d"}


async def test_a_hub_can_be_stopped_though_its_journal_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise JournalFailed("no room")

    journal, settings = ScriptedJournal(), hub_settings()
    monkeypatch.setattr(journal, "record_presence", full)
    runtime = Runtime(settings, journal)
    await runtime.start()
    runtime.house._roll.opened(
        Presence(connection="a", client="c", address="", protocol="legacy", since=1)
    )
    await runtime.stop()
    assert "no room" in caplog.text
    lock = FileLock(settings.database_path)
    lock.acquire()
    lock.release()


@pytest.mark.usefixtures("no_pause")
async def test_old_tasks_are_pruned_while_the_hub_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "PRUNE_BATCH", 2)
    publisher = world.connect("p")
    for number in range(5):
        await world.publish(publisher, f"old-{number}")
    await world.advance(200)
    world.now += 31 * MS_PER_DAY
    await world.publish(publisher, "new")
    pruning = asyncio.create_task(house_of(world, Roll()).prune(retention_days=30))
    async with asyncio.timeout(5):
        while len(world.journal.facts) > 1:  # noqa: ASYNC110  (no event tells of it)
            await asyncio.sleep(0)
    assert world.journal.load("new") is not None
    pruning.cancel()


def test_one_hub_for_each_database(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "db"), FileLock(tmp_path / "db")
    first.acquire()
    with pytest.raises(LockHeld, match=r"process \d+\) holds .*db\.lock"):
        second.acquire()
    FileLock(tmp_path / "other").acquire()
    first.release()
    second.acquire()
    second.release()
