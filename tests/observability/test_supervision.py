"""Background work that fails, ends or is cut off is told of and started again; nothing is lost.

On a clock of the test: nothing here waits.
"""

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.core.limits import Limits
from hub.housekeeping import Housekeeping
from hub.journal.port import JournalFailed
from hub.router.presence import Roll
from hub.supervision import HEALTHY_S, LONGEST_PAUSE_S, Supervisor, catch_strays, loop_error
from tests.pipeline.conftest import ScriptedJournal, World


class Clock:
    """Time that passes when somebody sleeps, or when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the hub logged."""
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


async def fails() -> None:
    raise ValueError("at once")


async def ends() -> None:
    return


async def is_cut_off() -> None:
    other = asyncio.ensure_future(asyncio.Event().wait())
    other.cancel()
    await other


async def check_restarted(
    work: Callable[[], Awaitable[None]], event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The work runs again and again, further and further apart, and each end is an error."""
    clock, runs, enough = Clock(), 0, asyncio.Event()

    async def counted() -> None:
        nonlocal runs
        runs += 1
        if runs == 7:
            enough.set()
            await asyncio.Event().wait()
        await work()

    supervisor = Supervisor(clock.sleep, lambda: clock.now)
    supervisor.start("some work", counted)
    running = next(iter(supervisor._tasks))
    waiting = asyncio.ensure_future(enough.wait())
    await asyncio.wait({waiting, running}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert enough.is_set(), f"it ran {runs} times"
    await supervisor.stop()
    assert running.cancelled()
    assert clock.pauses == [1, 2, 4, 8, 8, 8]
    assert supervisor.restarts == {"some work": 6}
    errors = [r for r in said(caplog) if r["level"] == "error"]
    assert [r["event"] for r in errors] == [event] * 6
    assert [r["work"] for r in errors] == ["some work"] * 6
    assert all(("exception" in r) is (event == "background_failed") for r in errors)


WAYS = [
    pytest.param(fails, "background_failed", id="fails"),
    pytest.param(ends, "background_ended", id="ends"),
    pytest.param(is_cut_off, "background_failed", id="is cut off"),
]


@pytest.mark.parametrize(("work", "event"), WAYS)
async def test_work_that_ends_is_started_again(
    work: Callable[[], Awaitable[None]], event: str, caplog: pytest.LogCaptureFixture
) -> None:
    await check_restarted(work, event, caplog)


@pytest.mark.parametrize(("work", "event"), WAYS)
async def test_that_check_sees_work_that_stays_down(
    work: Callable[[], Awaitable[None]],
    event: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def keep_once(self: Supervisor, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:
            logging.getLogger("hub").exception("it failed")

    monkeypatch.setattr(Supervisor, "_keep", keep_once)
    with pytest.raises(AssertionError, match="it ran 1 times"):
        await check_restarted(work, event, caplog)


async def test_work_that_was_healthy_for_long_begins_with_a_short_pause() -> None:
    clock, runs, enough = Clock(), 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 8:
            enough.set()
            await asyncio.Event().wait()
        if runs == 6:
            clock.now += HEALTHY_S
        raise ValueError

    supervisor = Supervisor(clock.sleep, lambda: clock.now)
    supervisor.start("some work", work)
    async with asyncio.timeout(5):
        await enough.wait()
    await supervisor.stop()
    assert clock.pauses == [1, 2, 4, 8, LONGEST_PAUSE_S, 1, 2]


# What nobody waits for


async def check_told(event: str, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The loop's troubles so far: one error of this event with a traceback."""
    gc.collect()
    await asyncio.sleep(0)
    found = [record for record in said(caplog) if record["event"] == event]
    assert len(found) == 1, caplog.text
    assert found[0]["level"] == "error"
    return found[0]


def raise_(_secret: str) -> None:
    raise ValueError("in a callback")


async def test_an_error_of_a_callback_is_told(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_error)
    loop.call_soon(raise_, "SECRET")
    await asyncio.sleep(0)
    told = await check_told("loop_error", caplog)
    assert "in a callback" in told["exception"]
    assert "'SECRET'" not in caplog.text


async def test_an_error_that_nobody_asked_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.get_running_loop().set_exception_handler(loop_error)
    task = asyncio.create_task(fails(), name="the task")
    await asyncio.wait({task})
    del task
    told = await check_told("loop_error", caplog)
    assert "never retrieved" in told["what"]
    assert told["task"] == "the task"
    assert "at once" in told["exception"]


async def test_a_task_that_is_let_go_of_is_told(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_error)
    loop.call_exception_handler({"message": "Task was destroyed but it is pending!"})
    assert "destroyed" in (await check_told("loop_error", caplog))["what"]


async def test_that_check_sees_a_silent_loop(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    loop.call_soon(raise_, "SECRET")
    await asyncio.sleep(0)
    with pytest.raises(AssertionError):
        await check_told("loop_error", caplog)


async def test_the_end_of_a_thread_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.unraisablehook", None)  # both are put back after the test
    monkeypatch.setattr(threading, "excepthook", None)
    catch_strays()
    thread = threading.Thread(target=raise_, args=("SECRET",), name="the thread")
    thread.start()
    thread.join()
    told = await check_told("thread_died", caplog)
    assert told["thread"] == "the thread"
    assert "'SECRET'" not in caplog.text


# The writer thread


async def check_survives(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The task that met the end of the writer is refused; it is taken when it comes again."""
    publisher = world.connect("p")
    async with asyncio.timeout(5):
        await world.publish(publisher, "t")
        assert publisher.codes() == ["unavailable"]
        await world.publish(publisher, "t")
    assert publisher.events("t") == ["init"]
    assert "commit_failed" in {record["event"] for record in said(caplog)}


async def test_nothing_that_a_commit_raises_ends_the_writer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(Limits())
    commit, ends = ScriptedJournal.commit, iter([SystemExit("the end")])

    def fail_once(self: ScriptedJournal, facts: Any) -> frozenset[int]:
        for end in ends:
            raise end
        return commit(self, facts)

    monkeypatch.setattr(ScriptedJournal, "commit", fail_once)
    await check_survives(world, caplog)
    with pytest.raises(JournalFailed, match="SystemExit"):
        await world.pipeline.commit.run(exit)
    await world.pipeline.stop()


def end_writer(world: World) -> None:
    """Let the writer thread end, as no code of the hub does."""
    commit = world.pipeline.commit
    commit._jobs.put(None)
    commit._thread.join()


def watching(world: World) -> asyncio.Task[None]:
    house = Housekeeping(
        journal=world.journal, commit=world.pipeline.commit, roll=Roll(), clock=lambda: world.now
    )
    return asyncio.create_task(house.watch_writer())


async def test_a_dead_writer_does_not_leave_the_hub_stuck(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.housekeeping.WATCH_INTERVAL_S", 0)
    world = World(Limits())
    end_writer(world)
    asked = asyncio.ensure_future(world.pipeline.commit.run(lambda: 1))
    watch = watching(world)
    await check_survives_or_stored(world)
    with pytest.raises(JournalFailed):
        await asked
    watch.cancel()
    assert "writer_died" in {record["event"] for record in said(caplog)}
    assert world.pipeline.commit.counts.writer_restarts == 1
    await world.pipeline.stop()


async def check_survives_or_stored(world: World) -> None:
    """A task is stored in the end; it is sent again when it is refused."""
    publisher = world.connect("p")
    pending = asyncio.ensure_future(world.publish(publisher, "t"))
    done, _ = await asyncio.wait({pending}, timeout=2)
    pending.cancel()
    assert done, "the hub is stuck"
    if publisher.codes():
        await world.publish(publisher, "t")
    assert publisher.events("t") == ["init"]


async def test_that_check_sees_a_stuck_hub() -> None:
    world = World(Limits())
    end_writer(world)
    with pytest.raises(AssertionError, match="stuck"):
        await check_survives_or_stored(world)
    world.pipeline.commit.revive()
    await world.pipeline.stop()


async def test_a_commit_that_does_not_return_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.housekeeping.WATCH_INTERVAL_S", 0)
    monkeypatch.setattr("hub.housekeeping.STALLED_S", 0.0)
    world = World(Limits())
    world.journal.hold = asyncio.Event()
    watch = watching(world)
    pending = asyncio.ensure_future(world.publish(world.connect("p"), "t"))
    async with asyncio.timeout(5):
        while not said(caplog):  # noqa: ASYNC110  (no event tells of it)
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    world.journal.hold.set()
    await pending
    watch.cancel()
    assert [record["event"] for record in said(caplog)] == ["commit_stalled"]
    await world.pipeline.stop()


async def test_the_lag_of_the_loop_is_measured() -> None:
    world = World(Limits())
    clock, lags = Clock(), iter([0.0, 0.02, 3.0, 60.0])
    house = Housekeeping(
        journal=world.journal, commit=world.pipeline.commit, roll=Roll(), clock=lambda: 0
    )

    async def sleep(seconds: float) -> None:
        clock.now += seconds + next(lags)

    with pytest.raises(RuntimeError):  # the test's sleeps are over
        await house.watch_lag(sleep, lambda: clock.now)
    assert [count for count in house.lag.counts if count] == [1, 1, 1, 1]
    assert house.lag.counts[-1] == 1
    assert house.lag.total == pytest.approx(63.02)
    await world.pipeline.stop()
