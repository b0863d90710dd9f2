"""get, watch and unwatch: only what is stored, only to whom it may be told (§3)."""

import asyncio
import json

from hub.core.access import access
from tests.pipeline.conftest import RecordingSink, World


async def _done_task(world: World, task_id: str = "t") -> tuple[RecordingSink, RecordingSink]:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, task_id, payload={"n": 1.50})
    await world.report(service, task_id, "update", update=0.5)
    await world.report(service, task_id, "success", result=[None])
    return publisher, service


def _seqs(sink: RecordingSink, task_id: str) -> list[int]:
    return [m["seq"] for m in sink.messages if m.get("taskId") == task_id and "seq" in m]


async def test_watch_of_an_ended_task_replays_all_of_it(world: World) -> None:
    await _done_task(world)
    watcher = world.connect("w")
    await world.send(watcher, cmd="watch", taskId="t", id="q")
    assert watcher.messages[0] == {"status": "ok", "message": "Watching.", "taskId": "t", "id": "q"}
    assert watcher.events() == ["init", "start", "update", "success", "end"]
    assert _seqs(watcher, "t") == [1, 2, 3, 4, 5]
    assert world.pipeline.router.watches.count("w") == 0


async def test_watch_goes_over_from_replay_to_live_without_a_gap(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    await world.report(service, "t", "update", update=1)
    watcher = world.connect("w")
    reads = 0

    def during_the_read() -> None:
        nonlocal reads
        reads += 1
        if reads <= 3:
            frame = json.dumps(
                {
                    "cmd": "pub",
                    "event": "update",
                    "eventId": f"late-{reads}",
                    "taskId": "t",
                    "update": 2,
                }
            )

            async def send() -> None:
                world.pipeline.receive(service, frame)
                await world.pipeline.commit.drained()

            asyncio.run_coroutine_threadsafe(send(), world.journal.loop).result(10)

    world.journal.on_read = during_the_read
    await world.send(watcher, cmd="watch", taskId="t")
    world.journal.on_read = None
    await world.report(service, "t", "success", result=1)
    assert reads == 4
    assert _seqs(watcher, "t") == list(range(1, 9))
    assert world.pipeline.router.watches.count("w") == 0


async def test_a_publisher_that_watches_hears_each_event_once(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    publisher.messages.clear()
    await world.send(publisher, cmd="watch", taskId="t")
    await world.report(service, "t", "success", result=1)
    assert _seqs(publisher, "t") == [1, 2, 3, 4]


async def test_watch_from_a_seq(world: World) -> None:
    await _done_task(world)
    watcher = world.connect("w")
    await world.send(watcher, cmd="watch", taskId="t", **{"from": 4})
    assert _seqs(watcher, "t") == [4, 5]


async def test_watch_of_a_pattern_is_live_only(world: World) -> None:
    await _done_task(world, "old")
    watcher, publisher = world.connect("w"), world.connect("p2")
    await world.send(watcher, cmd="watch", action="a")
    await world.publish(publisher, "new")
    assert watcher.events("old") == []
    assert watcher.events("new") == ["init"]
    await world.send(watcher, cmd="unwatch", action="a")
    await world.publish(publisher, "newer")
    assert watcher.events("newer") == []


async def test_a_task_that_is_watched_twice_over_is_told_once(world: World) -> None:
    publisher, service, watcher = world.connect("p"), world.connect("s"), world.connect("w")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    await world.send(watcher, cmd="watch", taskId="t")
    await world.send(watcher, cmd="watch", action="a")
    await world.report(service, "t", "success", result=1)
    assert _seqs(watcher, "t") == [1, 2, 3, 4]


async def test_unwatch_of_a_task(world: World) -> None:
    publisher, service, watcher = world.connect("p"), world.connect("s"), world.connect("w")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    await world.send(watcher, cmd="watch", taskId="t")
    await world.send(watcher, cmd="unwatch", taskId="t", id="u")
    assert watcher.messages[-1]["id"] == "u"
    await world.report(service, "t", "success", result=1)
    assert watcher.events() == ["init"]


async def test_strangers_hear_the_same_whether_the_task_exists_or_not(world: World) -> None:
    await _done_task(world)
    stranger = world.connect("x", access("x", sub=["other"], pub=["other"]))
    for task_id in ("t", "no-such-task"):
        await world.send(stranger, cmd="watch", taskId=task_id)
        await world.send(stranger, cmd="get", taskId=task_id, what="result")
        await world.send(stranger, cmd="cancel", taskId=task_id)
        await world.report(stranger, task_id, "start")
    answers = [
        {k: v for k, v in m.items() if k in ("error", "code", "message")} for m in stranger.messages
    ]
    assert answers[:4] == answers[4:]
    assert {a["code"] for a in answers} == {"unknown-task"}


async def test_a_pattern_may_only_be_watched_with_the_right(world: World) -> None:
    watcher = world.connect("w", access("w", watch=["weather"]))
    await world.send(watcher, cmd="watch", action="weatherman")
    await world.send(watcher, cmd="watch", action="*")
    assert watcher.codes() == ["forbidden", "forbidden"]
    await world.send(watcher, cmd="watch", action="weather/metno")
    assert watcher.messages[-1]["status"] == "ok"


async def test_withdrawn_rights_end_watches(world: World) -> None:
    publisher = world.connect("p")
    watcher = world.connect("w", access("w", watch=["a"]))
    await world.send(watcher, cmd="watch", action="a")
    await world.publish(publisher, "t")
    await world.send(watcher, cmd="watch", taskId="t")
    world.pipeline.change_access("w", access("w"))
    watcher.messages.clear()
    await world.publish(publisher, "t2")
    await world.advance(200)
    assert watcher.messages == []


async def test_get(world: World) -> None:
    publisher, _ = await _done_task(world)
    for what in ("payload", "result", "task", "events"):
        await world.send(publisher, cmd="get", taskId="t", what=what, id=what)
    payload, result, task, events = publisher.messages[-4:]
    assert (payload["payload"], payload["id"]) == ({"n": 1.50}, "payload")
    assert result["result"] == [None]
    assert task["task"]["state"] == "end"
    assert task["task"]["outcome"] == "success"
    assert [p["client"] for p in task["task"]["participants"]] == ["s"]
    assert [e["event"] for e in events["events"]] == ["init", "start", "update", "success", "end"]


async def test_watches_are_limited(world: World) -> None:
    watcher = world.connect("w")
    for number in range(201):
        await world.send(watcher, cmd="watch", action=f"a{number}")
    assert watcher.codes() == ["limit"]


async def test_a_disconnected_watcher_leaves_nothing(world: World) -> None:
    publisher, watcher = world.connect("p"), world.connect("w")
    await world.publish(publisher, "t")
    await world.send(watcher, cmd="watch", taskId="t")
    await world.send(watcher, cmd="watch", action="a")
    world.pipeline.disconnect("w")
    assert world.pipeline.router.watches.count("w") == 0
    await world.publish(publisher, "t2")


async def test_a_refused_sub_does_not_change_how_payloads_are_told(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s", access("s", sub=["a"]))
    await world.send(service, cmd="sub", action="a")
    await world.send(service, cmd="sub", action="other", lazyPayload=1)
    assert service.codes() == ["forbidden"]
    await world.publish(publisher, "t", payload="large")
    assert service.messages[-1]["payload"] == "large"
    await world.send(service, cmd="sub", action="a", lazyPayload=1)
    await world.publish(publisher, "u", payload="large")
    assert service.messages[-1]["payloadSize"] == 7


async def test_a_publisher_that_cancels_where_it_watches_hears_the_answer_once(
    world: World,
) -> None:
    first, second = world.connect("p"), world.connect("p2", access("p", pub=["*"], watch=["*"]))
    await world.send(second, cmd="watch", action="a")
    await world.publish(first, "t")
    await world.send(second, cmd="cancel", taskId="t", id="c")
    assert second.events("t") == ["init", "fail", "end"]
    assert [m.get("id") for m in second.messages if m.get("event") == "fail"] == ["c"]
