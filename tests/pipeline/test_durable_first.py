"""Invariant 2: nothing leaves before its batch has committed."""

import asyncio
import json

import pytest

from hub.core.access import access
from hub.core.errors import Code, Rejection
from hub.core.limits import Limits
from tests.pipeline.conftest import World


def _init(task_id: str) -> str:
    return json.dumps(
        {
            "cmd": "pub",
            "event": "init",
            "eventId": f"i-{task_id}",
            "taskId": task_id,
            "action": "a:b",
            "payload": None,
        }
    )


async def test_nobody_hears_of_an_event_before_its_commit(world: World) -> None:
    service, publisher = world.connect("s"), world.connect("p")
    await world.send(service, cmd="sub", action="a")
    world.journal.hold = asyncio.Event()
    world.pipeline.receive(publisher, _init("t"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert publisher.messages == []
    assert service.events() == []
    world.journal.hold.set()
    await world.settle()
    assert publisher.events() == ["init"]
    assert service.events() == ["init"]


async def test_a_refusal_waits_for_what_it_would_tell_of(world: World) -> None:
    publisher, other = world.connect("p"), world.connect("o")
    world.journal.hold = asyncio.Event()
    world.pipeline.receive(publisher, _init("t"))
    world.pipeline.receive(other, _init("t").replace("i-t", "i-other"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert other.messages == []
    world.journal.hold.set()
    await world.settle()
    assert other.codes() == ["duplicate-task"]


async def test_an_unreadable_frame_is_answered_in_its_turn(world: World) -> None:
    publisher = world.connect("p")
    world.journal.hold = asyncio.Event()
    world.pipeline.receive(publisher, _init("t"))
    world.pipeline.unreadable(publisher, Rejection(Code.BAD_JSON, "It is not UTF-8."))
    for _ in range(20):
        await asyncio.sleep(0)
    assert publisher.messages == []
    world.journal.hold.set()
    await world.settle()
    assert publisher.events() == ["init"]
    assert publisher.messages[-1]["code"] == "bad-json"


async def test_one_sync_pays_for_all_frames_of_a_turn(world: World) -> None:
    publisher = world.connect("p")
    before = world.journal.commits
    for number in range(50):
        world.pipeline.receive(publisher, _init(f"t{number}"))
    await world.settle()
    assert world.journal.commits == before + 1
    assert len(publisher.events()) == 50


async def test_a_failed_commit_is_told_and_leaves_nothing(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "kept")
    world.journal.fail_next = 1
    await world.publish(publisher, "lost")
    assert publisher.codes() == ["unavailable"]
    assert publisher.messages[-1]["retry"] is True
    assert "lost" not in world.engine.books.open
    assert service.events("lost") == []
    # The task that was stored goes on, and the lost one can be sent again with its ids.
    await world.report(service, "kept", "success", result=1)
    await world.publish(publisher, "lost")
    assert publisher.events("kept") == ["init", "start", "success", "end"]
    assert publisher.events("lost") == ["init"]


async def test_a_journal_that_fails_again_at_once_is_given_a_pause(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, over = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds > 0:
            pause.set()
            await over.wait()

    publisher = world.connect("p")
    await world.publish(publisher, "due")
    monkeypatch.setattr("hub.pipeline.asyncio.sleep", sleep)
    world.journal.fail_next = 1_000_000
    world.now += 100_000
    world.pipeline._tick()
    async with asyncio.timeout(10):
        await pause.wait()
    before = world.journal.commits
    world.pipeline.receive(publisher, _init("new"))
    assert publisher.codes() == ["unavailable"]
    assert world.journal.commits == before
    world.journal.fail_next = 0
    over.set()
    await world.settle()
    await world.advance(0)
    assert publisher.events("due") == ["init", "fail", "end"]


async def test_what_waited_behind_a_failed_batch_fails_with_it(world: World) -> None:
    publisher = world.connect("p")
    world.journal.hold = asyncio.Event()
    world.journal.fail_next = 1
    world.pipeline.receive(publisher, _init("first"))
    await asyncio.sleep(0)
    world.pipeline.receive(publisher, _init("second"))
    world.journal.hold.set()
    await world.settle()
    assert publisher.codes() == ["unavailable", "unavailable"]
    assert world.journal.load("second") is None


async def test_a_fault_of_ours_is_answered_and_memory_read_anew(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    task = world.engine.books.open["t"]
    world.engine.books.by_key[task.key].participants.clear()  # a broken memory
    await world.report(service, "t", "success", result=1)
    assert service.codes() == ["unavailable"]
    await world.report(service, "t", "success", result=1)
    assert publisher.events("t") == ["init", "start", "success", "end"]


async def test_a_full_line_holds_publishers_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.journal.group_commit.MAX_BACKLOG", 3)
    publisher = world.connect("p")
    world.journal.hold = asyncio.Event()
    held = [world.pipeline.receive(publisher, _init(f"t{n}")) for n in range(5)]
    assert held[:3] == [None, None, None]
    assert held[4] is not None
    waiting = asyncio.ensure_future(held[4])
    await asyncio.sleep(0)
    assert not waiting.done()
    world.journal.hold.set()
    await waiting
    await world.settle()
    assert len(publisher.events()) == 5
    held[3].close()  # type: ignore[union-attr]


async def test_large_bodies_make_small_batches_and_a_short_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that tells a publisher of ten megabytes at once would overflow its outbox."""
    monkeypatch.setattr("hub.journal.group_commit.MAX_BATCH_SIZE", 2_000)
    monkeypatch.setattr("hub.journal.group_commit.MAX_BACKLOG_SIZE", 2_500)
    publisher = world.connect("p")
    world.journal.hold = asyncio.Event()
    large = [_init(f"t{n}").replace("null", '"' + "x" * 998 + '"') for n in range(6)]
    assert world.pipeline.receive(publisher, large[0]) is None
    await asyncio.sleep(0)  # the first one is being written
    held = [world.pipeline.receive(publisher, text) for text in large[1:]]
    assert held[:2] == [None, None]
    assert all(one is not None for one in held[2:]), "over 2,500 wait"
    world.journal.hold.set()
    await asyncio.gather(*filter(None, held))
    await world.settle()
    assert len(publisher.events()) == 6
    assert world.journal.commits == 4, "1, 2, 2 and 1 of them"
    assert world.pipeline.commit._waiting_size == 0


async def test_a_taken_task_id_is_found_in_the_history() -> None:
    first = World(Limits())
    publisher, service = first.connect("p"), first.connect("s")
    await first.send(service, cmd="sub", action="a")
    await first.publish(publisher, "t")
    await first.report(service, "t", "success", result=7)
    await first.pipeline.stop()

    second = World(Limits(), first.journal)
    publisher, stranger = second.connect("p"), second.connect("x", access("x", pub=["a"]))
    # The stranger goes on with "its" task in the same turn: all of it is decided again.
    second.pipeline.receive(stranger, _init("t").replace("i-t", "i-x"))
    second.pipeline.receive(
        stranger, '{"cmd":"pub","event":"success","eventId":"s-x","taskId":"t","result":1}'
    )
    await second.settle()
    assert stranger.codes() == ["duplicate-task", "unknown-task"]
    # Its publisher sends the very init again: the original message, to it alone.
    await second.publish(publisher, "t")
    assert publisher.messages[-1]["event"] == "init"
    assert publisher.messages[-1]["seq"] == 1
    await second.publish(publisher, "t", payload=2)
    assert publisher.codes() == ["event-conflict"]
    assert second.engine.books.open == {}
    stored = second.journal.load("t")
    assert stored is not None
    assert stored.seq == 4
    await second.pipeline.stop()


@pytest.mark.parametrize("reports_first", [True, False])
@pytest.mark.parametrize("subscribed", [True, False])
async def test_all_of_an_ended_task_can_be_sent_again_at_once(
    reports_first: bool, subscribed: bool
) -> None:
    first = World(Limits())
    publisher, service = first.connect("p"), first.connect("s")
    await first.send(service, cmd="sub", action="a")
    await first.publish(publisher, "t", payload=None)
    await first.report(service, "t", "start", eventId="one")
    await first.report(service, "t", "success", eventId="two", result=7)
    await first.pipeline.stop()

    second = World(Limits(), first.journal)
    publisher, service = second.connect("p"), second.connect("s")
    if subscribed:
        await second.send(service, cmd="sub", action="a")
    report = '{"cmd":"pub","event":"%s","eventId":"%s","taskId":"t","result":7}'
    frames = [
        (publisher, _init("t")),
        (publisher, _init("t")),
        (service, report % ("start", "one")),
        (service, report % ("success", "two")),
        (publisher, '{"cmd":"cancel","taskId":"t"}'),
    ]
    if reports_first:
        frames = frames[2:4] + frames[:2] + frames[4:]
    pending = [second.pipeline.receive(sink, frame) for sink, frame in frames]
    await asyncio.gather(*[one for one in pending if one is not None])
    await second.settle()
    assert publisher.codes() == ["task-ended"]
    assert [m["seq"] for m in publisher.messages if "seq" in m] == [1, 1]
    assert service.codes() == []
    assert [(m["eventId"], m["seq"]) for m in service.messages if "seq" in m] == [
        ("one", 2),
        ("two", 3),
    ]
    stored = second.journal.load("t")
    assert stored is not None
    assert stored.seq == 4
    assert second.engine.books.open == {}
    await second.pipeline.stop()


async def test_an_answer_that_waited_behind_a_failed_batch_is_still_given(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    world.journal.hold = asyncio.Event()
    world.journal.fail_next = 1
    world.pipeline.receive(publisher, _init("t"))
    await asyncio.sleep(0)
    world.pipeline.receive(service, '{"cmd":"sub","action":"a","id":"1"}')
    world.journal.hold.set()
    await world.settle()
    assert [m["id"] for m in service.messages] == ["1"]
    await world.publish(publisher, "t")
    assert service.events("t") == ["init"]


async def test_who_leaves_while_its_task_is_loaded_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = World(Limits())
    publisher = first.connect("p")
    await first.publish(publisher, "t")
    await first.advance(200)
    await first.pipeline.stop()
    second = World(Limits(), first.journal)
    leaver, service = second.connect("p"), second.connect("s")
    pending = second.pipeline.receive(
        leaver, '{"cmd":"pub","event":"update","eventId":"u","taskId":"t","update":1}'
    )
    second.pipeline.receive(leaver, _init("t").replace("i-t", "i-other"))
    second.pipeline.disconnect("p")
    assert pending is not None
    await pending
    await second.settle()
    await second.send(service, cmd="sub", action="a", id="2")
    assert service.messages[-1]["id"] == "2"
    assert "failed" not in caplog.text
    await second.pipeline.stop()


async def test_refusals_are_held_back_like_all_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.journal.group_commit.MAX_BACKLOG", 3)
    publisher = world.connect("p")
    world.journal.hold = asyncio.Event()
    world.pipeline.receive(publisher, _init("t"))
    await asyncio.sleep(0)
    pending = [world.pipeline.receive(publisher, '{"cmd":"nope"}') for _ in range(4)]
    pending.append(
        world.pipeline.unreadable(publisher, Rejection(Code.BAD_JSON, "It is not UTF-8."))
    )
    assert [one is not None for one in pending] == [False, False, False, True, True]
    world.journal.hold.set()
    for one in pending:
        if one is not None:
            await one
    await world.settle()


async def test_a_stranger_is_refused_alike_when_the_task_was_not_stored(world: World) -> None:
    publisher, stranger = world.connect("p"), world.connect("x", access("x", sub=["other"]))
    world.journal.fail_next = 1
    world.pipeline.receive(publisher, _init("t"))
    for task in ("t", "never"):
        report = f'{{"cmd":"pub","event":"start","eventId":"s-{task}","taskId":"{task}"}}'
        pending = world.pipeline.receive(stranger, report)
        if pending is not None:
            await pending
    await world.settle()
    assert stranger.codes() == ["unknown-task", "unknown-task"]
