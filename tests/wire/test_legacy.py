"""The released taskhubjs client works unchanged; ``LegacyPeer`` throws where it would."""

import json
from typing import Any

import pytest

from tests.peers import LegacyPeer
from tests.raw_peer import JSON
from tests.wire.stage import Stage, in_words, new_id, states, story, summary, until

BACK_TO_BACK = ["init", "start", "success", "end"]


def of(peer: LegacyPeer, task: str, event: str) -> list[JSON]:
    """The messages of one event of a task."""
    return [m for m in peer.messages if m.get("taskId") == task and m["event"] == event]


@pytest.mark.parametrize("subprotocol", [None, "ws"])
async def test_a_task_from_init_to_end(stage: Stage, subprotocol: str | None) -> None:
    worker = await stage.legacy_service(subprotocol=subprotocol)
    publisher = await stage.legacy(subprotocol=subprotocol)
    task = await publisher.pub(stage.action, {"n": 1.0})
    await worker.events_until(task, "init")
    (init,) = of(worker, task, "init")
    assert (init["action"], init["payload"]) == (stage.action, {"n": 1.0})
    await worker.success(task, [None, "ok"])  # and its end, back to back
    assert await publisher.events_until(task) == BACK_TO_BACK
    assert of(publisher, task, "success")[0]["result"] == [None, "ok"]
    assert await worker.events_until(task) == BACK_TO_BACK[1:]
    await worker.sub(stage.action)
    assert worker.messages[-1]["action"] == stage.action, "nothing was said about the end"


async def test_each_event_reaches_both_sides(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    task = await publisher.pub(stage.action)
    await worker.events_until(task, "init")
    start = await worker.event(task, "start")
    await worker.event(task, "update", update=0)
    await worker.event(task, "update", update=None)
    await worker.fail(task, False)
    expected = ["init", "start", "update", "update", "fail", "end"]
    assert await publisher.events_until(task) == expected
    assert await worker.events_until(task) == expected[1:]
    for peer in (publisher, worker):
        assert of(peer, task, "start")[0]["eventId"] == start
        assert [m["update"] for m in of(peer, task, "update")] == [0, None]
        assert of(peer, task, "fail")[0]["reason"] is False


async def test_a_publisher_drives_its_own_task(stage: Stage) -> None:
    publisher = await stage.legacy()
    task = await publisher.pub(stage.action)
    await publisher.event(task, "start")
    await publisher.event(task, "update", update="half")
    await publisher.success(task, "done")
    expected = ["init", "start", "update", "success", "end"]
    assert await publisher.events_until(task) == expected


async def test_one_connection_in_both_roles_hears_each_event_once(stage: Stage) -> None:
    both = await stage.legacy_service()
    task = await both.pub(stage.action)
    await both.events_until(task, "init")
    await both.success(task)
    assert await both.events_until(task) == BACK_TO_BACK[1:]


async def test_a_drop_is_a_word_without_a_body(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    watcher = await stage.v1("operator")
    await watcher.request("watch", action=stage.noun)
    task = await publisher.pub(stage.action)
    await worker.events_until(task, "init")
    await worker.event(task, "drop", reason="an unknown field")
    assert await publisher.events_until(task) == ["init", "start", "drop", "success", "end"]
    assert of(publisher, task, "success")[0]["result"] is None
    (drop,) = [m for m in await until(watcher, task) if m["event"] == "drop"]
    assert "reason" not in drop


async def test_old_and_new_services_of_a_new_publisher(stage: Stage) -> None:
    old, new, web = await stage.legacy_service(), await stage.service("a"), await stage.v1("web")
    task = await stage.publish(web, 1, settle="all")
    await old.events_until(task, "init")
    await old.event(task, "start")
    await web.task_until(task, "start")
    await new.event(task, "fail", reason="not me")
    await web.task_until(task, "drop")
    await old.success(task, 5)
    words = ["init web", "start old", "start a", "drop a fail", "drop old success", "success hub"]
    assert await story(web, task) == [*words, "end hub"]
    events = ["start", "start", "drop", "drop", "success", "end"]
    assert await old.events_until(task) == events
    assert of(old, task, "success")[0]["result"] == [{"by": "old", "result": 5}]
    assert await states(web, task) == {"old": "succeeded", "a": "failed"}


async def test_a_new_service_of_an_old_publisher(stage: Stage) -> None:
    publisher, a = await stage.legacy(), await stage.service("a")
    task = await publisher.pub(stage.action, 1)
    (init,) = await until(a, task, "init")
    limit = stage.hub.limit
    timeouts = (limit("start_timeout_ms"), limit("end_timeout_ms"))
    assert (init["startTimeout"], init["endTimeout"]) == timeouts
    await a.event(task, "drop", reason="not for old ears")
    assert await publisher.events_until(task) == ["init", "start", "drop", "success", "end"]
    expected = ["init old", "start a", "drop a", "success hub", "end hub"]
    assert in_words(await until(a, task)) == expected


async def test_options_of_v1_are_unknown_fields(stage: Stage) -> None:
    publisher, worker = await stage.legacy(), await stage.legacy()
    await worker.send({"cmd": "sub", "action": stage.action, "group": 7, "lazyPayload": -1})
    await worker.next_message()
    task = new_id()
    options: dict[str, Any] = {"startTimeout": "x", "settle": 1, "claim": True, "id": 5}
    await publisher.event(task, "init", action=stage.action, payload="long", **options)
    await worker.events_until(task, "init")
    assert of(worker, task, "init")[0]["payload"] == "long"
    await worker.success(task)
    assert await publisher.events_until(task) == BACK_TO_BACK


# Refusals


async def test_a_refused_init_settles_the_old_pub(stage: Stage) -> None:
    publisher, stranger = await stage.legacy(), await stage.legacy("stranger")
    taken = await publisher.pub(stage.action)
    await publisher.events_until(taken, "init")
    for action, task, error, code in (
        ("not/weather:x", new_id(), "PermissionError", "forbidden"),
        ("weather", new_id(), "RangeError", "bad-action"),
        ("weather:x", taken, "StateError", "duplicate-task"),
    ):
        await stranger.pub(action, task_id=task)
        assert await stranger.events_until(task, "fail") == ["fail"]
        refused, fail = stranger.messages[-2:]
        assert (refused["status"], refused["error"]) == ("error", error)
        assert json.loads(refused["request"])["taskId"] == task
        assert fail["reason"] == {"code": code, "message": refused["message"]}
    operator = await stage.v1("operator")
    assert (await operator.request("get", taskId=task, what="task"))["task"]["publisher"] == "old"


async def test_a_fail_of_a_refused_init_is_stored_nowhere(stage: Stage) -> None:
    stranger, operator = await stage.legacy("stranger"), await stage.v1("operator")
    task = await stranger.pub("not/weather:x")
    await stranger.events_until(task, "fail")
    answer = await operator.request("get", taskId=task, what="task")
    assert answer["code"] == "unknown-task"
    await stranger.pub("weather:x", task_id=task)
    assert await stranger.events_until(task, "init") == ["init"], "the id is still free"


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("{", "SyntaxError"),
        ("[]", "TypeError"),
        ("{}", "TypeError"),
        *(
            (f'{{"cmd":"{cmd}","taskId":"t","action":"weather:x","what":"task"}}', "TypeError")
            for cmd in ("unsub", "cancel", "watch", "unwatch", "get", "resume", "nothing")
        ),
        ('{"cmd":"sub","action":"weather"}', "RangeError"),
        ('{"cmd":"sub","action":"*"}', "RangeError"),
        ('{"cmd":"pub","event":"nope","eventId":"e","taskId":"t"}', "RangeError"),
        ('{"cmd":"pub","event":"update","eventId":"e","taskId":"t"}', "TypeError"),
        ('{"cmd":"pub","event":"start","eventId":"e","taskId":"nowhere"}', "StateError"),
    ],
)
async def test_errors_are_four_fields_and_close_nothing(
    stage: Stage, frame: str, error: str
) -> None:
    peer = await stage.legacy()
    await peer.send(frame)
    answer = await peer.next_message()
    assert isinstance(answer.pop("message"), str)
    assert answer == {"status": "error", "error": error, "request": frame}
    await peer.sub(stage.action)


async def test_who_comes_too_late_hears_an_error_and_not_a_task(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    task = await publisher.pub(stage.action)
    await worker.events_until(task, "init")
    await worker.success(task)
    await worker.events_until(task)
    await worker.event(task, "update", update=1)
    assert (await worker.next_message())["error"] == "StateError"


# Repeats


async def test_repeats_are_silent(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    task = new_id()
    ids: dict[str, Any] = {"cmd": "pub", "taskId": task}
    init = {**ids, "event": "init", "eventId": new_id(), "action": stage.action, "payload": 1}
    update = {**ids, "event": "update", "eventId": new_id(), "update": 1}
    success = {**ids, "event": "success", "eventId": new_id(), "result": 1}
    for _ in range(3):
        await publisher.send(init)
    await worker.events_until(task, "init")
    for frame in (update, update, success, success, update):
        await worker.send(frame)
    await worker.event(task, "end")
    assert await publisher.events_until(task) == ["init", "start", "update", "success", "end"]
    await publisher.send(init)
    await worker.send(success)
    for peer in (worker, publisher):
        await peer.sub(stage.action)
        assert all(message["status"] == "ok" for message in peer.messages)
        assert len(of(peer, task, "end")) == 1


async def test_an_event_id_used_again_is_an_error(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    task = await publisher.pub(stage.action)
    await worker.events_until(task, "init")
    event_id = await worker.event(task, "update", update=1)
    await worker.events_until(task, "update")
    frame = {"cmd": "pub", "event": "update", "eventId": event_id, "taskId": task, "update": 2}
    await worker.send(frame)
    assert (await worker.next_message())["error"] == "StateError"
    await worker.success(task)
    expected = ["init", "start", "update", "success", "end"]
    assert await publisher.events_until(task) == expected


# The hub's default timeouts


async def test_nobody_subscribes(stage: Stage) -> None:
    publisher, operator = await stage.legacy(), await stage.v1("operator")
    task = await publisher.pub(stage.action)
    assert await publisher.events_until(task) == ["init", "fail", "end"]
    assert of(publisher, task, "fail")[0]["reason"]["code"] == "no-subscriber"
    found = await summary(operator, task)
    start = found["createdAt"] + stage.hub.limit("start_timeout_ms")
    assert found["settledAt"] >= found["startDeadline"] == start


async def test_nobody_starts(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    task = await publisher.pub(stage.action)
    assert await publisher.events_until(task) == ["init", "fail", "end"]
    assert of(publisher, task, "fail")[0]["reason"]["code"] == "start-timeout"
    assert await worker.events_until(task) == ["init", "fail", "end"]


async def test_a_service_is_lost(stage: Stage) -> None:
    worker, publisher = await stage.legacy_service(), await stage.legacy()
    task = await publisher.pub(stage.action)
    await worker.events_until(task, "init")
    await worker.event(task, "start")
    await publisher.events_until(task, "start")
    await worker.vanish()
    assert await publisher.events_until(task) == ["drop", "fail", "end"]
    assert of(publisher, task, "fail")[0]["reason"]["code"] == "service-lost"


# Frames and names


async def test_a_binary_frame_is_read_like_text(stage: Stage) -> None:
    worker, publisher = await stage.legacy(), await stage.legacy()
    await worker.send(json.dumps({"cmd": "sub", "action": stage.action}).encode())
    assert (await worker.next_message())["status"] == "ok"
    task, ids = new_id(), {"eventId": new_id(), "action": stage.action, "payload": "é"}
    frame = {"cmd": "pub", "event": "init", "taskId": task, **ids}
    await publisher.send(json.dumps(frame, ensure_ascii=False).encode())
    await worker.events_until(task, "init")
    assert of(worker, task, "init")[0]["payload"] == "é"
    await worker.send(b'{"cmd":"\xff"}')
    assert (await worker.next_message())["error"] == "SyntaxError"


async def test_credentials_may_be_percent_encoded(stage: Stage) -> None:
    key = "".join(f"%{ord(c):02x}" for c in stage.hub.keys["old"])
    async with LegacyPeer(stage.hub.url, "o%6Cd", key) as peer:
        await peer.sub(stage.action)


async def test_it_listens_on_ws_too(stage: Stage) -> None:
    for path in ("ws", "ws/"):
        async with LegacyPeer(f"{stage.hub.url}{path}", "old", stage.hub.keys["old"]) as peer:
            await peer.sub(stage.action)
