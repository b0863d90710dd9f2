"""Observers hear which tasks have changed, once it is stored, merged and bounded."""

import asyncio

import pytest

from hub.core.effects import Deliver
from hub.core.facts import Created, Event
from hub.core.inputs import OperatorCancel
from hub.core.values import EventKind, Expect, Settle, TaskState
from hub.router.feed import Changes, Feed, Observer
from hub.router.local import LocalRouter
from hub.router.presence import Roll
from tests.pipeline.conftest import LONG, World

INIT, UPDATE, END = EventKind.INIT, EventKind.UPDATE, EventKind.END


def event(task: int, seq: int, kind: EventKind = UPDATE) -> Event:
    created = Created(
        action="a:b",
        connection="c",
        start_timeout=1,
        end_timeout=1,
        settle=Settle.ANY,
        expect=Expect.RESULT,
        claim=False,
    )
    return Event(
        task=task,
        task_id=f"t{task}",
        seq=seq,
        kind=kind,
        event_id=f"{task}-{seq}",
        at=seq,
        by="web",
        state=TaskState.START,
        created=created if kind is INIT else None,
    )


def has_news(observer: Observer) -> bool:
    return observer._changed.is_set()


def changes(tasks: dict[int, int], *actions: str, overflowed: bool = False) -> Changes:
    return Changes(tasks=tasks, actions=frozenset(actions), overflowed=overflowed)


def test_events_of_a_task_are_merged_until_they_are_taken() -> None:
    feed = Feed()
    observer = feed.observe()
    feed.tell("a:b", (event(1, 1, INIT), event(1, 2)))
    feed.tell("c:d", (event(2, 7),))
    feed.tell("e:f", (event(3, 8), event(3, 9, END)))
    feed.tell("a:b", (event(1, 5),))
    feed.tell("a:b", (event(1, 4),))  # heard late, from another process
    assert has_news(observer)
    assert observer.take() == changes({1: 5, 2: 7, 3: 9}, "a:b", "e:f")
    assert not has_news(observer)
    assert observer.take() == changes({})


def test_who_watches_one_task_hears_of_no_other() -> None:
    feed = Feed()
    one, everyone = feed.observe(task=2), feed.observe()
    feed.tell("a:b", (event(1, 1),))
    assert not has_news(one)
    feed.tell("a:b", (event(2, 3),))
    assert one.take() == changes({2: 3})
    assert everyone.take() == changes({1: 1, 2: 3})


def test_more_tasks_than_are_kept_mean_read_everything_anew() -> None:
    feed = Feed()
    observer = feed.observe(limit=3)
    for task in range(1, 4):
        feed.tell("a:b", (event(task, 1, INIT),))
    feed.tell("a:b", (event(2, 2),))
    assert observer.take() == changes({1: 1, 2: 2, 3: 1}, "a:b")
    for task in range(1, 1_000):
        feed.tell("a:b", (event(task, 1, INIT),))
        assert len(observer._tasks) <= 3
    assert observer.take() == changes({}, overflowed=True)
    feed.tell("a:b", (event(5, 2),))
    assert observer.take() == changes({5: 2})


async def test_waiting_ends_with_the_next_event() -> None:
    feed = Feed()
    observer = feed.observe()
    waiting = asyncio.ensure_future(observer.changed())
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.tell("a:b", (event(1, 1),))
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(observer.changed(), 1)  # not taken yet
    observer.take()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(observer.changed(), 0.01)


def test_nobody_is_told_of_anything_after_closing() -> None:
    feed = Feed()
    first, second, one = feed.observe(), feed.observe(), feed.observe(task=1)
    first.close()
    first.close()
    feed.tell("a:b", (event(1, 1),))
    assert (has_news(first), has_news(second), has_news(one)) == (False, True, True)
    second.close()
    one.close()
    assert (feed.observed, feed._watching) == (False, {})


async def test_the_end_wakes_everyone_and_stays() -> None:
    feed = Feed()
    observer, one = feed.observe(), feed.observe(task=1)
    feed.end()
    for watcher in (observer, one, feed.observe()):
        assert watcher.ended
        await asyncio.wait_for(watcher.end(), 1)
        await asyncio.wait_for(watcher.changed(), 1)
        watcher.take()
        await asyncio.wait_for(watcher.changed(), 1)
        watcher.close()


async def test_an_observer_can_be_woken_without_a_change() -> None:
    observer = Feed().observe()
    waiting = asyncio.ensure_future(observer.changed())
    observer.wake()
    await asyncio.wait_for(waiting, 1)
    assert observer.take() == changes({})
    assert not has_news(observer)


def test_without_observers_the_router_does_not_call(monkeypatch: pytest.MonkeyPatch) -> None:
    router = LocalRouter(Roll())
    calls: list[str] = []
    monkeypatch.setattr(router.feed, "tell", lambda action, events: calls.append(action))
    deliver = Deliver(events=(event(1, 1, INIT),), to=(), action="a:b")
    router.deliver(deliver)
    assert calls == []
    observer = router.feed.observe()
    router.deliver(deliver)
    assert calls == ["a:b"]
    observer.close()
    router.deliver(deliver)
    assert calls == ["a:b"]


# In a pipeline


async def test_every_event_of_a_task_is_told_once_it_is_stored(world: World) -> None:
    web, service = world.connect("web"), world.connect("s")
    await world.send(service, cmd="sub", action="a:b")
    observer = world.pipeline.router.feed.observe()
    world.journal.hold = asyncio.Event()
    frame = {"cmd": "pub", "event": "init", "eventId": "i", "action": "a:b", "payload": 1}
    publishing = asyncio.ensure_future(world.send(web, taskId="t", **frame))
    await asyncio.sleep(0.05)  # long enough for a hub that tells before it has stored
    assert not has_news(observer)
    world.journal.hold.set()
    await publishing
    world.journal.hold = None
    assert observer.take() == changes({1: 1}, "a:b")
    await world.report(service, "t", "start")
    await world.report(service, "t", "update", update=1)
    assert observer.take() == changes({1: 3})
    await world.report(service, "t", "success", result=1)
    assert observer.take() == changes({1: 5}, "a:b")
    assert web.events() == ["init", "start", "update", "success", "end"]


async def test_events_that_nobody_is_connected_to_hear_are_told(world: World) -> None:
    web = world.connect("web")
    await world.publish(web, "t")
    observer = world.pipeline.router.feed.observe()
    world.pipeline.disconnect("web")
    await world.advance(1_000)
    assert observer.take() == changes({1: 3}, "a:b"), "fail and end, for want of a subscriber"


async def test_an_operators_word_is_told(world: World) -> None:
    web = world.connect("web")
    await world.publish(web, "t", **LONG)
    observer = world.pipeline.router.feed.observe(task=1)
    world.pipeline.cancel(OperatorCancel(task_id="t", operator="ada", connection="inside"))
    await world.settle()
    assert observer.take() == changes({1: 3}, "a:b")


async def test_a_late_participant_is_told(world: World) -> None:
    web, service = world.connect("web"), world.connect("s")
    await world.publish(web, "t", **LONG)
    observer = world.pipeline.router.feed.observe(task=1)
    await world.send(service, cmd="sub", action="a:b")
    assert observer.take().tasks == {1: 1}


async def test_what_could_not_be_stored_is_not_told(world: World) -> None:
    web = world.connect("web")
    observer = world.pipeline.router.feed.observe()
    world.journal.fail_next = 1
    await world.publish(web, "t")
    assert web.codes() == ["unavailable"]
    assert observer.take() == changes({})
