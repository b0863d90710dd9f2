"""A client without rights sees, starts, forges, cancels, watches and collides with nothing."""

import uuid
from typing import Any

import pytest

from tests.peers import V1Peer
from tests.wire.conftest import Stage
from tests.wire.test_lifecycle import told

EVENTS: list[dict[str, Any]] = [
    {"event": "start"},
    {"event": "update", "update": 1},
    {"event": "drop"},
    {"event": "success", "result": "forged"},
    {"event": "fail", "reason": "forged"},
]


async def running(stage: Stage) -> tuple[V1Peer, V1Peer, str]:
    """A task of web that a has started."""
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, {"secret": 1})
    await a.task_until(task, "init")
    await a.event(task, "start")
    await web.task_until(task, "start")
    return web, a, task


async def undisturbed(web: V1Peer, a: V1Peer, task: str) -> None:
    """The task goes on as if nobody else were there."""
    await a.event(task, "success", result="real")
    assert await told(web, task) == ["success a", "end hub"]
    await a.task_until(task)
    assert [m["seq"] for m in web.messages if m.get("taskId") == task] == [1, 2, 3, 4]
    heard = [m["by"] for m in a.messages if m.get("taskId") == task and "event" in m]
    assert heard == ["web", "a", "a", "hub"]


def said(answer: dict[str, Any]) -> tuple[str, str, str]:
    return answer["error"], answer["code"], answer["message"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
@pytest.mark.parametrize("name", ["stranger", "shop", "b", "operator"])
async def test_forged_events(stage: Stage, name: str, event: dict[str, Any]) -> None:
    web, a, task = await running(stage)
    forger = await stage.v1(name)
    real = await forger.request("pub", **event, eventId=uuid.uuid4().hex, taskId=task)
    missing = await forger.request("pub", **event, eventId=uuid.uuid4().hex, taskId="nowhere")
    assert said(real) == said(missing)
    assert real["code"] == "unknown-task"
    await undisturbed(web, a, task)


async def test_a_forged_end_is_ignored(stage: Stage) -> None:
    web, a, task = await running(stage)
    stranger = await stage.v1("stranger")
    for task_id in (task, "nowhere"):
        answer = await stranger.request(
            "pub", event="end", eventId=uuid.uuid4().hex, taskId=task_id
        )
        assert answer["message"] == "nothing changed"
    await undisturbed(web, a, task)


async def test_looking_and_cancelling(stage: Stage) -> None:
    web, a, task = await running(stage)
    stranger = await stage.v1("stranger")
    commands: list[tuple[str, dict[str, Any]]] = [
        ("watch", {}),
        ("cancel", {"reason": "because"}),
        *(("get", {"what": what}) for what in ("payload", "result", "task", "events")),
    ]
    for command, fields in commands:
        real = await stranger.request(command, taskId=task, **fields)
        missing = await stranger.request(command, taskId="nowhere", **fields)
        assert said(real) == said(missing)
        assert real["code"] == "unknown-task"
    assert (await a.request("cancel", taskId=task))["code"] == "forbidden"
    await undisturbed(web, a, task)
    assert (await stranger.request("get", taskId=task, what="result"))["code"] == "unknown-task"


async def test_taken_ids_tell_nothing_and_disturb_nobody(stage: Stage) -> None:
    web, a, task = await running(stage)
    event_id = next(m["eventId"] for m in web.messages if m.get("taskId") == task)
    stranger = await stage.v1("stranger")
    init = {"event": "init", "action": "weather:x", "payload": 1}
    taken = await stranger.request("pub", **init, eventId=uuid.uuid4().hex, taskId=task)
    assert taken["code"] == "duplicate-task"
    assert "web" not in taken["message"]
    reused = await stranger.request("pub", **init, eventId=event_id, taskId=uuid.uuid4().hex)
    assert reused["code"] == "event-conflict"
    both = await stranger.request("pub", **init, eventId=event_id, taskId=task)
    assert both["code"] == "duplicate-task"
    await undisturbed(web, a, task)


@pytest.mark.parametrize("pattern", ["*", "weatherman", "weatherman:x", "email", "weathe"])
async def test_rights_end_where_the_noun_ends(stage: Stage, pattern: str) -> None:
    stranger = await stage.v1("stranger")
    for command in ("sub", "watch"):
        answer = await stranger.request(command, action=pattern)
        assert answer["code"] == "forbidden"
    if ":" in pattern:
        ids = {"eventId": uuid.uuid4().hex, "taskId": uuid.uuid4().hex}
        answer = await stranger.request("pub", event="init", action=pattern, payload=1, **ids)
        assert answer["code"] == "forbidden"
    for command in ("sub", "watch"):
        assert (await stranger.request(command, action="weather/metno"))["status"] == "ok"


async def test_what_only_the_hub_says_cannot_be_said(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = uuid.uuid4().hex
    forged = {"by": "hub", "seq": 99, "at": 1, "status": "error", "code": "x", "outcome": "fail"}
    await web.event(task, "init", action=stage.action, payload=1, **forged)
    (init,) = await a.task_until(task, "init")
    assert (init["by"], init["seq"], init["status"]) == ("web", 1, "ok")
    assert init["at"] > 1
    assert not {"code", "outcome"} & init.keys()


@pytest.mark.parametrize(
    ("name", "key"),
    [("hub", "thk_x"), ("", ""), ("web", ""), ("nobody", "x" * 60), ("web", "x" * 60)],
)
async def test_nobody_comes_in_by_guessing(stage: Stage, name: str, key: str) -> None:
    with pytest.raises(Exception, match=r"HTTP (401|403|429)"):
        await V1Peer(stage.hub.url, name, key).connect()


async def test_withdrawn_rights_end_within_a_second(stage: Stage) -> None:
    name = f"temp-{uuid.uuid4().hex[:8]}"
    stage.hub.keys |= stage.hub.provision({name: {"sub": ["*"]}})
    web, temp = await stage.v1("web"), await stage.service(name)
    task = await stage.publish(web)
    await temp.task_until(task, "init")
    await temp.event(task, "start")
    await web.task_until(task, "start")
    stage.hub.take_rights(name)
    drop, fail, _ = await web.task_until(task)
    assert drop["reason"]["code"] == fail["reason"]["code"] == "forbidden"
    late = await temp.request(
        "pub", event="success", eventId=uuid.uuid4().hex, taskId=task, result=1
    )
    assert late["code"] == "unknown-task"
    again = await temp.request("sub", action=stage.action)
    assert again["code"] == "forbidden"
    assert [m["event"] for m in temp.messages if m.get("taskId") == task and "event" in m] == [
        "init",
        "start",
    ]


async def test_a_revoked_key_ends_the_connection(stage: Stage) -> None:
    name = f"temp-{uuid.uuid4().hex[:8]}"
    stage.hub.keys |= stage.hub.provision({name: {"sub": ["*"]}})
    temp = await stage.v1(name)
    stage.hub.manage("revokekey", name, "--all")
    assert await temp.closed() == 4401
    assert temp.messages[-1]["code"] == "forbidden"
    with pytest.raises(Exception, match=r"HTTP (401|403)"):
        await stage.v1(name)
