"""The released taskhubjs client works unchanged; ``LegacyPeer`` throws where it would."""

import json
import uuid
from typing import Any

import pytest

from tests.peers import LegacyPeer
from tests.raw_peer import basic
from tests.wire.conftest import Stage


async def service(stage: Stage, **options: Any) -> LegacyPeer:
    peer = await stage.legacy(**options)
    answer = await peer.sub(stage.action)
    assert answer["status"] == "ok"
    return peer


@pytest.mark.parametrize("subprotocol", [None, "ws"])
async def test_a_task_from_init_to_end(stage: Stage, subprotocol: str | None) -> None:
    worker = await service(stage, subprotocol=subprotocol)
    publisher = await stage.legacy(subprotocol=subprotocol)
    task = await publisher.pub(stage.action, {"n": 1.0})
    (init,) = await worker.collect(lambda m: m.get("event") == "init")
    assert init["payload"] == {"n": 1.0}
    assert init["action"] == stage.action
    await worker.success(task, [None, "ok"])
    assert await publisher.events_until(task) == ["init", "start", "success", "end"]
    result = next(m for m in publisher.messages if m.get("event") == "success")
    assert result["result"] == [None, "ok"]
    assert await worker.events_until(task) == ["start", "success", "end"]


async def test_each_event_reaches_both_sides(stage: Stage) -> None:
    worker, publisher = await service(stage), await stage.legacy()
    task = await publisher.pub(stage.action)
    await worker.events_until(task, "init")
    await worker.event(task, "start")
    await worker.event(task, "update", update=0)
    await worker.event(task, "update", update=None)
    await worker.fail(task, False)
    expected = ["init", "start", "update", "update", "fail", "end"]
    assert await publisher.events_until(task) == expected
    bodies = [m.get("update", m.get("reason")) for m in publisher.messages[2:5]]
    assert bodies == [0, None, False]
    assert await worker.events_until(task) == expected[1:]


async def test_a_publisher_drives_its_own_task(stage: Stage) -> None:
    publisher = await stage.legacy()
    task = await publisher.pub(stage.action)
    await publisher.event(task, "start")
    await publisher.event(task, "update", update="half")
    await publisher.success(task, "done")
    expected = ["init", "start", "update", "success", "end"]
    assert await publisher.events_until(task) == expected


async def test_one_connection_in_both_roles_hears_each_event_once(stage: Stage) -> None:
    both = await service(stage)
    task = await both.pub(stage.action)
    await both.events_until(task, "init")
    await both.success(task)
    assert await both.events_until(task) == ["start", "success", "end"]


async def test_old_and_new_parties_in_one_task(stage: Stage) -> None:
    old, new, publisher = await service(stage), await stage.service("a"), await stage.v1("web")
    task = await stage.publish(publisher)
    await new.task_until(task, "init")
    await new.event(task, "fail", reason="not me")
    drop = (await publisher.task_until(task, "drop"))[-1]
    assert drop["reason"] == "not me"
    await old.success(task, 5)
    assert [m["event"] for m in await publisher.task_until(task)] == ["start", "success", "end"]
    assert await old.events_until(task) == ["init", "start", "drop", "start", "success", "end"]


async def test_a_refused_init_settles_the_old_pub(stage: Stage) -> None:
    publisher = await stage.legacy()
    taken = await publisher.pub(stage.action)
    await publisher.events_until(taken, "init")
    stranger = await stage.legacy("stranger")
    task = await stranger.pub("not/weather:x")
    assert await stranger.events_until(task, "fail") == ["fail"]
    error, fail = stranger.messages[-2:]
    assert (error["status"], error["error"]) == ("error", "PermissionError")
    assert json.loads(error["request"])["taskId"] == task
    assert fail["reason"]["code"] == "forbidden"
    other = await stranger.pub("weather:x", task_id=taken)
    assert await stranger.events_until(other, "fail") == ["fail"]
    assert stranger.messages[-1]["reason"]["code"] == "duplicate-task"


async def test_a_repeated_event_is_silent(stage: Stage) -> None:
    worker, publisher = await service(stage), await stage.legacy()
    frame = {"cmd": "pub", "event": "init", "eventId": uuid.uuid4().hex, "action": stage.action}
    task = uuid.uuid4().hex
    for _ in range(3):
        await publisher.send({**frame, "taskId": task, "payload": 1})
    await worker.events_until(task, "init")
    await worker.success(task)
    await worker.event(task, "end")
    assert await publisher.events_until(task) == ["init", "start", "success", "end"]
    await worker.sub(stage.action)
    assert worker.messages[-1]["status"] == "ok"


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("{", "SyntaxError"),
        ("[]", "TypeError"),
        ('{"cmd":"cancel","taskId":"t"}', "TypeError"),
        ('{"cmd":"watch","action":"*"}', "TypeError"),
        ('{"cmd":"sub","action":"weather"}', "RangeError"),
        ('{"cmd":"pub","event":"nope","eventId":"e","taskId":"t"}', "RangeError"),
        (
            '{"cmd":"pub","event":"success","eventId":"e","taskId":"nowhere","result":1}',
            "StateError",
        ),
    ],
)
async def test_errors_are_the_five_fields_it_knows(stage: Stage, frame: str, error: str) -> None:
    peer = await stage.legacy()
    await peer.send(frame)
    answer = await peer.next_message()
    assert answer == {
        "status": "error",
        "error": error,
        "message": answer["message"],
        "request": frame,
    }
    await peer.sub(stage.action)


async def test_a_binary_frame_is_read_like_text(stage: Stage) -> None:
    peer = await stage.legacy()
    await peer.send(json.dumps({"cmd": "sub", "action": stage.action}).encode())
    assert (await peer.next_message())["status"] == "ok"
    await peer.send(b'{"cmd":"\xff"}')
    assert (await peer.next_message())["error"] == "SyntaxError"


async def test_nobody_subscribes(stage: Stage) -> None:
    publisher = await stage.legacy()
    task = await publisher.pub(stage.action)
    assert await publisher.events_until(task) == ["init", "fail", "end"]
    assert publisher.messages[-2]["reason"]["code"] == "no-subscriber"


async def test_credentials_may_be_percent_encoded(stage: Stage) -> None:
    key = "".join(f"%{ord(c):02x}" for c in stage.hub.keys["old"])
    async with LegacyPeer(stage.hub.url, "o%6Cd", key) as peer:
        await peer.sub(stage.action)
    assert basic("o%6Cd", key).startswith("Basic ")
