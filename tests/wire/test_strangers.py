"""A client without rights sees, starts, forges, cancels, watches and collides with nothing.

Most tests put an attack into the middle of a play: web publishes a task, a works on it. What both
hear, to the last field, has to be what they hear when nobody attacks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.peers import JSON, V1Peer
from tests.wire.stage import LONG, SHORT, Stage, caught_up, heard, new_id, pub, story, until

#: Rights are true within a second (docs/protocol.md §2.8); as much again for a slow machine.
WITHIN_A_SECOND = 2.0

EVENTS: list[dict[str, Any]] = [
    {"event": "start"},
    {"event": "update", "update": 1},
    {"event": "drop"},
    {"event": "success", "result": "forged"},
    {"event": "fail", "reason": "forged"},
]
#: What web and a hear, but for ids and times.
PLAY: list[JSON] = [
    {"event": "init", "by": "web", "payload": {"secret": 1}},
    {"event": "start", "by": "a"},
    {"event": "update", "by": "a", "update": 1},
    {"event": "update", "by": "a", "update": 2},
    {"event": "success", "by": "a", "result": "real"},
    {"event": "end", "by": "hub"},
]
_NOT_COMPARED = {"status", "eventId", "taskId", "seq", "at", "startDeadline", "endDeadline"}


@dataclass
class Victims:
    """A task of web that a is at work on."""

    stage: Stage
    web: V1Peer
    a: V1Peer
    task: str
    #: of all that a was told of it: an attacker may have guessed them
    event_ids: list[str]


Attack = Callable[[Victims], Awaitable[None]]


async def play(stage: Stage, *attacks: Attack) -> None:
    """The play with attacks in its middle, and again after its end."""
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, {"secret": 1})
    await a.task_until(task, "init")
    await pub(a, task, "start")
    await pub(a, task, "update", update=1)
    victims = Victims(stage, web, a, task, [m["eventId"] for m in heard(a, task)])
    for attack in attacks:
        await attack(victims)
    await pub(a, task, "update", update=2)
    await pub(a, task, "success", result="real")
    await until(a, task)
    for attack in attacks:
        await attack(victims)
    for victim in (web, a):
        await caught_up(victim)
        events = [message for message in victim.messages if "event" in message]
        assert [message["seq"] for message in events] == [1, 2, 3, 4, 5, 6]
        assert [story_line(message, stage) for message in events] == PLAY
        others = [message for message in victim.messages if "event" not in message]
        assert all(other.keys() & {"id", "type"} for other in others), "answers and the welcome"


def story_line(message: JSON, stage: Stage) -> JSON:
    """An event without what differs between two tasks."""
    line = {name: value for name, value in message.items() if name not in _NOT_COMPARED}
    line.pop("id", None)
    if line["event"] == "init":
        timeouts = line.pop("startTimeout"), line.pop("endTimeout")
        assert timeouts == (LONG, stage.hub.limit("end_timeout_ms"))
        assert line.pop("action") == stage.action
    return line


async def as_if_missing(peer: V1Peer, task: str, cmd: str, **fields: Any) -> None:
    """The hub refuses this as it does for a task that is not, word for word."""
    real = await peer.request(cmd, taskId=task, **fields)
    missing = await peer.request(cmd, taskId="nowhere", **fields)
    own = dict.fromkeys(("id", "taskId", "request"))
    assert {**real, **own} == {**missing, **own}
    assert (real["error"], real["code"]) == ("StateError", "unknown-task")


async def test_the_play_undisturbed(stage: Stage) -> None:
    await play(stage)


@pytest.mark.parametrize("name", ["stranger", "shop", "operator", "b"])
async def test_forged_events(stage: Stage, name: str) -> None:
    async def attack(victims: Victims) -> None:
        forger = await stage.v1(name)
        for event in EVENTS:
            for event_id in (new_id(), *victims.event_ids):
                fields = {**event, "eventId": event_id}
                await as_if_missing(forger, victims.task, "pub", **fields)
            answer = await pub(forger, victims.task, "end", eventId=event_id)
            assert answer["message"] == "nothing changed"
        assert not heard(forger, victims.task)

    await play(stage, attack)


async def test_forged_events_of_a_legacy_connection(stage: Stage) -> None:
    async def attack(victims: Victims) -> None:
        forger = await stage.legacy("stranger")
        for event in EVENTS:
            await forger.event(victims.task, **event)
            real = await forger.next_message()
            await forger.event("nowhere", **event)
            missing = await forger.next_message()
            assert {**real, "request": None} == {**missing, "request": None}
            assert real["error"] == "StateError"
        await forger.event(victims.task, "end")
        await forger.sub("weather:own")
        assert forger.messages[-1]["status"] == "ok"

    await play(stage, attack)


@pytest.mark.parametrize("name", ["stranger", "shop", "b"])
async def test_looking_and_cancelling(stage: Stage, name: str) -> None:
    async def attack(victims: Victims) -> None:
        peer, task = await stage.v1(name), victims.task
        await as_if_missing(peer, task, "cancel", reason="because")
        await as_if_missing(peer, task, "watch")
        for what in ("payload", "result", "task", "events"):
            await as_if_missing(peer, task, "get", what=what)
        gone = [await peer.request("unwatch", taskId=each) for each in (task, "nowhere")]
        assert len({answer["message"] for answer in gone}) == 1

    await play(stage, attack)


async def test_only_its_publisher_cancels(stage: Stage) -> None:
    async def attack(victims: Victims) -> None:
        operator = await stage.v1("operator")
        for peer in (victims.a, operator):
            refused = await peer.request("cancel", taskId=victims.task)
            assert (refused["error"], refused["code"]) == ("PermissionError", "forbidden")

    await play(stage, attack)


async def test_taken_ids_disturb_nobody(stage: Stage) -> None:
    async def attack(victims: Victims) -> None:
        stranger = await stage.v1("stranger")
        init = {"action": "weather:x", "payload": 1}
        for event_id in (new_id(), *victims.event_ids):
            taken = await pub(stranger, victims.task, "init", **init, eventId=event_id)
            assert taken["code"] == "duplicate-task"
            assert not any(word in taken["message"] for word in ("web", "do", "a task of"))
        for event_id in victims.event_ids:
            taken = await pub(stranger, new_id(), "init", **init, eventId=event_id)
            assert taken["code"] == "event-conflict"
        assert not heard(stranger, victims.task)

    await play(stage, attack)


async def test_an_init_of_another_cannot_be_repeated(stage: Stage) -> None:
    async def attack(victims: Victims) -> None:
        init = {"action": stage.action, "payload": {"secret": 1}, "startTimeout": LONG}
        shop = await stage.v1("shop")
        taken = await pub(shop, victims.task, "init", **init, eventId=victims.event_ids[0])
        assert taken["code"] == "duplicate-task"
        assert not heard(shop, victims.task)

    await play(stage, attack)


async def test_what_waits_for_its_owner_is_not_taken_over(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    init = heard(web, task)[0]
    await web.vanish()
    await a.vanish()
    shop, b = await stage.v1("shop"), await stage.service("b")
    fields = {"action": stage.action, "payload": None, "startTimeout": LONG}
    taken = await pub(shop, task, "init", **fields, eventId=init["eventId"])
    assert taken["code"] == "duplicate-task"
    assert heard(b, task) == [init], "it is offered the task itself, within the window"
    await pub(b, task, "drop")
    c = await stage.v1("c")  # has the same rights as a, and no part in the task
    for event in EVENTS:
        await as_if_missing(c, task, "pub", **event, eventId=new_id())
    back, web = await stage.v1("a"), await stage.v1("web")
    await web.send({"cmd": "watch", "taskId": task})
    await back.event(task, "success", result=1)
    expected = ["init web", "start a", "start b", "drop b", "success a", "end hub"]
    assert await story(web, task) == expected
    for peer in (shop, c):
        await caught_up(peer)
        assert not heard(peer, task)


# Rights end where the noun ends


@pytest.mark.parametrize(
    "pattern", ["*", "weatherman", "weatherman:x", "weathe", "Weather", "weather.x", "test"]
)
async def test_rights_end_where_the_noun_ends(stage: Stage, pattern: str) -> None:
    stranger = await stage.v1("stranger")
    for command in ("sub", "watch"):
        answer = await stranger.request(command, action=pattern)
        assert (answer["error"], answer["code"]) == ("PermissionError", "forbidden")
    if ":" in pattern:
        answer = await pub(stranger, new_id(), "init", action=pattern, payload=1)
        assert answer["code"] == "forbidden"
        legacy = await stage.legacy("stranger")
        await legacy.send({"cmd": "sub", "action": pattern})
        assert (await legacy.next_message())["error"] == "PermissionError"


async def test_a_noun_does_not_cover_a_longer_one(stage: Stage) -> None:
    web, subscriber, watcher = [await stage.v1(n) for n in ("web", "stranger", "stranger")]
    assert (await subscriber.request("sub", action="weather"))["status"] == "ok"
    assert (await watcher.request("watch", action="weather"))["status"] == "ok"
    tasks = {}
    for noun in ("weather", "weather/metno", "weatherman", "weather.x", "the/weather"):
        stage.action = f"{noun}:{new_id()}"
        tasks[noun] = await stage.publish(web, startTimeout=SHORT)
    for task in tasks.values():
        await until(web, task)
    for peer in (subscriber, watcher):
        await caught_up(peer)
        seen = {m["taskId"] for m in peer.messages if "event" in m}
        assert seen == {tasks["weather"], tasks["weather/metno"]}


# What only the hub says


async def test_what_only_the_hub_says_cannot_be_said(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = new_id()
    forged: dict[str, Any] = {
        "by": "hub",
        "seq": 99,
        "at": 1,
        "status": "error",
        "code": "x",
        "outcome": "fail",
        "startDeadline": 1,
        "publisher": "shop",
        "connectionId": "x",
        "extra": {},
    }
    await web.event(task, "init", action=stage.action, payload=1, **forged)
    await a.task_until(task, "init")
    await a.event(task, "update", update=1, **forged)
    await a.event(task, "success", result=1, **forged)
    common = {"status", "eventId", "event", "taskId", "seq", "at", "by"}
    timeouts = {"startTimeout", "endTimeout", "startDeadline", "endDeadline"}
    init, *events = await until(a, task)
    assert init.keys() == common | {"action", "payload"} | timeouts
    assert init["startDeadline"] > init["at"] > 1
    more: list[set[str]] = [set(), {"update"}, {"result"}, set()]
    assert [event.keys() - common for event in events] == more
    for seq, event in enumerate((init, *events), 1):
        assert (event["status"], event["seq"]) == ("ok", seq)
    assert [event["by"] for event in (init, *events)] == ["web", "a", "a", "a", "hub"]


# Who one is


@pytest.mark.parametrize(
    ("name", "key"),
    [("hub", "thk_x"), ("", ""), ("", "x" * 60), ("web", ""), ("nobody", "x" * 60), ("a\nb", "x")],
)
async def test_nobody_comes_in_by_guessing(stage: Stage, name: str, key: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await V1Peer(stage.hub.url, name, key).connect()
    expected = 401 if stage.hub.server == "uvicorn" else 403
    assert refused.value.response.status_code == expected


async def test_a_key_is_of_one_client(stage: Stage) -> None:
    with pytest.raises(InvalidStatus):
        await V1Peer(stage.hub.url, "shop", stage.hub.keys["stranger"]).connect()


async def test_a_client_called_like_a_connection_is_not_that_connection(stage: Stage) -> None:
    async def attack(victims: Victims) -> None:
        name = victims.a.welcome["connectionId"]
        if name not in stage.hub.keys:
            stage.hub.create(name, sub=["weather"], pub=["weather"])
        twin = await stage.v1(name)
        as_victim = {"connectionId": name, "session": victims.a.welcome["session"]}
        for event in EVENTS:
            await as_if_missing(twin, victims.task, "pub", **event, eventId=new_id(), **as_victim)
        await as_if_missing(twin, victims.task, "cancel", **as_victim)
        fields = {"epoch": twin.welcome["epoch"], "tasks": {victims.task: 0}, **as_victim}
        assert (await twin.request("resume", **fields))["resumed"] is False

    await play(stage, attack)


# Rights that are taken away


async def test_withdrawn_rights_end_within_a_second(stage: Stage) -> None:
    name = "withdrawn"
    web, temp = await stage.v1("web"), await stage.service(name)
    own_action, stage.action = stage.action, f"{stage.noun}/own:do"
    own = await stage.publish(temp)
    stage.action = own_action
    task = await stage.publish(web)
    await pub(temp, task, "start")
    watched, watcher = await stage.publish(await stage.v1("shop")), await stage.v1(name)
    await watcher.request("watch", action=stage.noun)
    await watcher.request("watch", taskId=watched)
    await until(watcher, watched, "init")

    stage.hub.withdraw(name)
    dropped = await web.collect(lambda m: m.get("event") == "drop", timeout=WITHIN_A_SECOND)
    drop = dropped[-1]
    assert (drop["by"], drop["reason"]["code"]) == ("hub", "forbidden")  # D13
    assert (await story(web, task))[2:] == ["drop hub forbidden", "fail hub forbidden", "end hub"]
    await as_if_missing(temp, task, "pub", event="success", eventId=new_id(), result=1)
    await as_if_missing(temp, watched, "watch")
    for answer in (
        await temp.request("sub", action=stage.action),
        await temp.request("watch", action=stage.noun),
        await pub(temp, new_id(), "init", action=stage.action, payload=1),
    ):
        assert answer["code"] == "forbidden"
    later = await stage.publish(web, startTimeout=SHORT)
    assert (await story(web, later))[1] == "fail hub no-subscriber"
    for peer in (temp, watcher):
        await caught_up(peer)
        assert not heard(peer, later)
    assert [m["event"] for m in heard(temp, task)] == ["init", "start"]
    assert (await temp.request("cancel", taskId=own))["event"] == "fail", "its own is its own"


async def test_one_right_withdrawn_leaves_the_others(stage: Stage) -> None:
    name = "narrowed"
    web, temp = await stage.v1("web"), await stage.service(name)
    task = await stage.publish(web)
    await pub(temp, task, "start")
    stage.hub.withdraw(name, ["pub", "watch"])
    async with asyncio.timeout(WITHIN_A_SECOND):
        while (await temp.request("watch", action="*")).get("code") != "forbidden":
            pass
    init = {"action": stage.action, "payload": 1}
    assert (await pub(temp, new_id(), "init", **init))["code"] == "forbidden"
    assert (await pub(temp, task, "success", result=1))["event"] == "success"
    assert await story(web, task) == ["init web", f"start {name}", f"success {name}", "end hub"]


async def test_a_revoked_key_ends_its_connections(stage: Stage) -> None:
    name = "revoked"
    web, other = await stage.v1("web"), await stage.service("a")
    temp, legacy = await stage.service(name), await stage.legacy(name)
    task = await stage.publish(web)
    for service in (other, temp):
        await service.task_until(task, "init")
        await service.event(task, "start")
        await web.task_until(task, "start")
    stage.hub.revoke(name)
    for peer in (temp, legacy):
        assert await peer.closed(timeout=WITHIN_A_SECOND) == 4401
    assert temp.messages[-1] == {
        "status": "error",
        "error": "PermissionError",
        "code": "forbidden",
        "retry": False,
        "request": "",
        "close": 4401,
        "message": temp.messages[-1]["message"],
    }
    assert not legacy.messages
    with pytest.raises(InvalidStatus):
        await stage.v1(name)
    await web.task_until(task, "drop")
    await other.event(task, "success", result=1)
    assert (await story(web, task))[3:] == ["drop hub service-lost", "success a", "end hub"]
