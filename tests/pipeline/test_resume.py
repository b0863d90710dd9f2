"""A lost connection is resumed: what goes over, and what is told (docs/protocol.md §6)."""

import asyncio
import json
import logging

import pytest

from hub import replays
from hub.core.access import Access, access
from hub.core.connections import Watching
from hub.core.limits import Limits
from hub.journal.port import JournalFailed
from tests.pipeline.conftest import EVERYTHING, LONG, RecordingSink, World, resume_frame, seqs


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a replay takes several reads."""
    monkeypatch.setattr(replays, "PAGE", 3)


async def resume(
    world: World, name: str, lost: RecordingSink, rights: Access = EVERYTHING, **tasks: int
) -> RecordingSink:
    """A new connection in the place of the lost one."""
    sink = world.connect(name, rights)
    await world.send(sink, **resume_frame(lost, **tasks))
    return sink


async def work_under_way(world: World, updates: int = 0) -> tuple[RecordingSink, RecordingSink]:
    """A task ``t`` that a service has started, whose connection is lost then; seq 2 and more."""
    publisher, service = world.connect("p"), world.connect("s.1", EVERYTHING)
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t", **LONG)
    await world.report(service, "t", "start")
    for n in range(updates):
        await world.report(service, "t", "update", update=n, eventId=f"u{n}")
    world.pipeline.disconnect("s.1")
    return publisher, service


async def test_a_connection_that_seems_to_be_open_is_closed(world: World) -> None:
    lost = world.connect("s.1", EVERYTHING)
    await world.send(lost, cmd="sub", action="a")
    await world.publish(world.connect("p"), "t", **LONG)
    found = await resume(world, "s.2", lost, t=1)
    assert lost.closed == 4409
    world.pipeline.disconnect("s.1")  # as its consumer says in the end
    await world.report(found, "t", "success", result=1)
    assert found.events() == ["start", "success", "end"]
    assert lost.events() == ["init"]


async def test_it_is_told_as_fast_as_it_reads_and_read_on_after_that(world: World) -> None:
    _, lost = await work_under_way(world, updates=8)
    found = world.connect("s.2", EVERYTHING)
    asks, room = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def wait_for_room() -> None:
        asks.release()
        await room.acquire()

    found.room = wait_for_room  # type: ignore[method-assign]
    pending = world.pipeline.receive(found, json.dumps(resume_frame(lost, t=0)))
    assert pending is not None
    done = asyncio.ensure_future(pending)
    for told in range(10):
        await asks.acquire()
        assert seqs(found.messages, "t") == list(range(1, told + 1)), "none without room"
        assert not done.done()
        room.release()
    await done
    assert seqs(found.messages, "t") == list(range(1, 11))


async def test_another_clients_session_is_answered_as_an_unknown_one(world: World) -> None:
    _, lost = await work_under_way(world)
    stranger = world.connect("x", access("x", sub=["*"], pub=["*"], watch=["*"]))
    frame = resume_frame(lost, t=0)
    for wrong in ({}, {"session": "nothing"}, {"session": ""}, {"epoch": "other"}):
        await world.send(stranger, **frame | wrong)
    (answer,) = {json.dumps(message) for message in stranger.messages}
    assert json.loads(answer) == {
        "status": "ok",
        "message": "There is no such session to resume; subscribe anew.",
        "resumed": False,
        "id": "r",
    }
    assert (await resume(world, "s.2", lost)).messages[0]["resumed"] is True
    again = await resume(world, "s.3", lost)
    assert again.messages == [json.loads(answer)]


async def test_tasks_of_others_are_passed_over(world: World) -> None:
    publisher, _ = await work_under_way(world)
    await world.publish(publisher, "ended", action="c:d", **LONG)
    await world.send(publisher, cmd="cancel", taskId="ended")
    world.engine.books.recent.clear()
    lost = world.connect("x.1", access("x", sub=["other"], pub=["other"]))
    world.pipeline.disconnect("x.1")
    rights = access("x", sub=["other"], pub=["other"])
    found = await resume(world, "x.2", lost, rights, t=0, ended=0, nothing=0)
    assert [m.get("resumed") for m in found.messages] == [True]


async def test_a_task_that_ended_meanwhile_is_told_to_its_end(world: World) -> None:
    service, lost = world.connect("b"), world.connect("p.1", EVERYTHING)
    await world.send(service, cmd="sub", action="a")
    for task_id in ("known", "forgotten", "unanswered"):
        await world.publish(lost, task_id, **LONG)
    world.pipeline.disconnect("p.1")
    for task_id in ("forgotten", "known", "unanswered"):
        await world.report(service, task_id, "success", result=1)
        if task_id == "forgotten":
            world.engine.books.recent.clear()
    found = await resume(world, "p.2", lost, known=1, forgotten=1, unanswered=0)
    assert seqs(found.messages, "known") == seqs(found.messages, "forgotten") == [2, 3, 4]
    assert seqs(found.messages, "unanswered") == [1, 2, 3, 4]
    assert not world.pipeline.router.watches.held_by("p.2")


async def test_watches_go_over_as_far_as_rights_and_limits_allow() -> None:
    world = World(Limits(max_watches=3))
    lost = world.connect("s.1", EVERYTHING)
    await world.publish(world.connect("p"), "t", **LONG)
    await world.send(lost, cmd="watch", taskId="t")
    for pattern in ("c", "a"):
        await world.send(lost, cmd="watch", action=pattern)
    world.pipeline.disconnect("s.1")
    rights = access("s", sub=[], pub=["*"], watch=["a"])
    found = world.connect("s.2", rights)
    await world.send(found, cmd="watch", action="a:z")
    await world.send(found, **resume_frame(lost, t=1))
    assert set(world.pipeline.router.watches.held_by("s.2")) == {"a:z", "a", 1}
    assert world.pipeline.router.watches.count("s.2") == 3
    await world.send(found, cmd="watch", action="a:w")
    assert found.codes() == ["limit"]
    await world.pipeline.stop()


async def test_replays_are_no_watches(world: World) -> None:
    _, lost = await work_under_way(world)
    found = await resume(world, "s.2", lost, t=0)
    watches = world.pipeline.router.watches
    assert (watches.count("s.2"), watches.held_by("s.2")) == (0, [1])
    await world.report(found, "t", "update", update=1)
    assert watches.held_by("s.2") == []
    assert seqs(found.messages, "t") == [1, 2, 3]
    world.pipeline.disconnect("s.2")
    away = world.engine.books.connections["s.2"]
    assert away.watching == Watching()


async def test_lazy_payloads_stay_lazy(world: World) -> None:
    publisher, lost = world.connect("p"), world.connect("s.1", EVERYTHING)
    await world.send(lost, cmd="sub", action="a", lazyPayload=4)
    world.pipeline.disconnect("s.1")
    found = await resume(world, "s.2", lost)
    await world.publish(publisher, "t", payload="much too long")
    assert found.messages[-1]["payloadSize"] == 15


async def test_what_cannot_be_stored_is_resumed_all_the_same(world: World) -> None:
    publisher, lost = await work_under_way(world)
    world.journal.fail_next = 1
    found = await resume(world, "s.2", lost, t=1)
    assert found.messages[0]["resumed"] is True
    await world.report(found, "t", "success", result=1)
    assert seqs(found.messages, "t") == [2, 3, 4]
    assert publisher.events() == ["init", "start", "success", "end"]


async def test_while_tasks_are_read_anew_it_is_to_be_sent_again(world: World) -> None:
    _, lost = await work_under_way(world)
    world.pipeline._start_over(JournalFailed("no room"))
    found = world.connect("s.2", EVERYTHING)
    pending = world.pipeline.receive(found, json.dumps(resume_frame(lost, t=2)))
    assert pending is not None
    await pending
    assert (found.messages[0]["code"], found.messages[0]["retry"]) == ("unavailable", True)
    await world.settle()
    await world.send(found, **resume_frame(lost, t=2))
    await world.report(found, "t", "success", result=1)
    assert found.messages[1]["resumed"] is True
    assert seqs(found.messages, "t") == [3, 4]


async def test_what_cannot_be_read_is_no_gap(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, lost = await work_under_way(world)

    def events(*_: object) -> None:
        raise JournalFailed("no disk")

    monkeypatch.setattr(world.journal, "events", events)
    found = await resume(world, "s.2", lost, t=0)
    assert found.closed == 1012
    assert "replay_failed" in caplog.text
    monkeypatch.undo()
    world.pipeline.disconnect("s.2")
    assert seqs((await resume(world, "s.3", found, t=0)).messages, "t") == [1, 2]


async def test_lost_again_before_the_answer(world: World) -> None:
    publisher, lost = world.connect("p"), world.connect("s.1", EVERYTHING)
    await world.send(lost, cmd="watch", action="a")
    world.pipeline.disconnect("s.1")
    found = world.connect("s.2", EVERYTHING)
    world.journal.hold = asyncio.Event()
    waiting = [world.publish(publisher, "t", **LONG)]
    waiting.append(world.send(found, **resume_frame(lost)))
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.sleep(0)
    world.pipeline.disconnect("s.2")
    world.journal.hold.set()
    await asyncio.gather(*tasks)
    assert found.messages == []
    third = await resume(world, "s.3", found)
    await world.publish(publisher, "u")
    assert third.events() == ["init"]


async def test_no_line_shows_a_session(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, lost = await work_under_way(world)
    found = await resume(world, "s.2", lost)
    await resume(world, "s.3", lost)
    bad = resume_frame(found) | {"tasks": 7}
    await world.send(world.connect("s.4", EVERYTHING), **bad)
    assert "connection_resumed" in caplog.text
    assert "nothing_resumed" in caplog.text
    assert "command_refused" in caplog.text
    assert "session of" not in caplog.text
