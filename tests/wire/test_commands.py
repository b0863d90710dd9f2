"""The commands of docs/protocol.md §3 and the rules of §4 for events, on v1 connections."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.wire.stage import (
    LONG,
    SHORT,
    Stage,
    caught_up,
    heard,
    new_id,
    pub,
    story,
    summary,
    texts_of,
    until,
)

# §3 sub, unsub


async def test_unsub_stops_new_tasks_only(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    answer = await a.request("unsub", action=stage.action)
    assert (answer["status"], answer["action"]) == ("ok", stage.action)
    assert (await a.request("unsub", action=stage.action))["status"] == "ok"
    other = await stage.publish(web, startTimeout=SHORT)
    assert (await story(web, other))[1] == "fail hub no-subscriber"
    await a.event(task, "success", result=1)
    assert (await story(a, task))[2:] == ["success a", "end hub"]
    assert not heard(a, other)


@pytest.mark.parametrize("nested", ["", "/deeper"])
async def test_a_noun_covers_what_is_below_it(stage: Stage, nested: str) -> None:
    web, a = await stage.v1("web"), await stage.v1("a")
    assert (await a.request("sub", action=stage.noun))["action"] == stage.noun
    stage.action = f"{stage.noun}{nested}:do"
    task = await stage.publish(web)
    await a.task_until(task, "init")
    stage.action = f"{stage.noun}x:do"
    assert (await story(web, await stage.publish(web, startTimeout=SHORT)))[1] == (
        "fail hub no-subscriber"
    )


async def test_a_large_payload_is_fetched_on_demand(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a", lazyPayload=100)
    small = await stage.publish(web, payload="x" * 98)
    large = await stage.publish(web, payload="x" * 99)
    assert (await a.task_until(small, "init"))[-1]["payload"] == "x" * 98
    (*_, init) = await a.task_until(large, "init")
    assert "payload" not in init
    assert init["payloadSize"] == 101
    found = await a.request("get", taskId=large, what="payload")
    assert found["payload"] == "x" * 99


# §3 get


async def test_get_tells_a_task_at_every_stage(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, {"n": 1})
    found = await summary(web, task)
    init = heard(web, task)[0]
    assert found == {
        "taskId": task,
        "action": stage.action,
        "publisher": "web",
        "state": "init",
        "outcome": None,
        "seq": 1,
        "createdAt": init["at"],
        "startedAt": None,
        "settledAt": None,
        "endedAt": None,
        **{name: init[name] for name in ("startDeadline", "endDeadline")},
        "participants": [{"client": "a", "state": "offered", "startedAt": None, "doneAt": None}],
    }
    assert (await a.request("get", taskId=task, what="result"))["result"] is None
    await a.event(task, "fail", reason="no")
    _, start, fail, end = await until(web, task)
    found = await summary(a, task)
    times = [found[name] for name in ("startedAt", "settledAt", "endedAt")]
    assert times == [start["at"], fail["at"], end["at"]]
    assert (found["state"], found["outcome"], found["seq"]) == ("end", "fail", 4)
    (part,) = found["participants"]
    assert part == {
        "client": "a",
        "state": "failed",
        "reason": "no",
        "startedAt": start["at"],
        "doneAt": fail["at"],
    }
    assert (await web.request("get", taskId=task, what="result"))["result"] is None
    assert (await web.request("get", taskId=task, what="payload"))["payload"] == {"n": 1}


async def test_get_tells_the_events_as_they_were_told(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    await a.event(task, "success", result=[1, None])
    told = await until(web, task)
    for asking in (web, a, await stage.v1("operator")):
        assert (await asking.request("get", taskId=task, what="events"))["events"] == told
    last = await web.request("get", **{"taskId": task, "what": "events", "from": 3})
    assert last["events"] == told[2:]


# §3 watch, unwatch


async def test_a_watch_tells_what_was_and_then_what_is(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    operator = await stage.v1("operator")
    answer = await operator.request("watch", taskId=task)
    assert (answer["status"], answer["taskId"]) == ("ok", task)
    await until(operator, task, "start")
    await a.event(task, "update", update=1)
    await until(operator, task, "update")
    await a.event(task, "success", result=1)
    await until(operator, task)
    assert heard(operator, task) == await until(web, task)


async def test_a_watch_has_no_gap_while_the_task_goes_on(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    operators = [await stage.v1("operator") for _ in range(4)]

    async def work() -> None:
        for number in range(40):
            await a.event(task, "update", update=number)
            if number % 10 == 5:
                await operators[number // 10].send({"cmd": "watch", "taskId": task})
        await a.event(task, "success", result=1)

    working = asyncio.create_task(work())
    expected = await until(web, task)
    await working
    for operator in operators:
        assert await until(operator, task) == expected


async def test_a_watch_from_a_seq(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    operator = await stage.v1("operator")
    await operator.request("watch", **{"taskId": task, "from": 2})
    await a.event(task, "success", result=1)
    assert await until(operator, task) == (await until(web, task))[1:]


async def test_unwatch_ends_a_watch(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    operator = await stage.v1("operator")
    for what in ({"taskId": task}, {"action": stage.noun}):
        await operator.request("watch", **what)
    await until(operator, task, "start")
    for what in ({"taskId": task}, {"action": stage.noun}):
        answer = await operator.request("unwatch", **what)
        assert {**answer, **what, "status": "ok"} == answer
    await a.event(task, "success", result=1)
    await until(web, task)
    await caught_up(operator)
    assert [m["event"] for m in heard(operator, task)] == ["init", "start"]


async def test_a_watch_of_a_pattern_is_live(stage: Stage) -> None:
    web, before, (a,) = await stage.at_work("a")
    operator, other = await stage.v1("operator"), await stage.v1("operator")
    await operator.request("watch", action=stage.noun)
    await other.request("watch", action=stage.noun[:-1])
    task = await stage.publish(web)
    for each in (before, task):
        await a.event(each, "success", result=1)
        await until(web, each)
    assert await story(operator, task) == ["init web", "start a", "success a", "end hub"]
    assert await story(operator, before) == ["success a", "end hub"]
    await caught_up(other)
    assert not heard(other, task)


# §3 id


async def test_each_answer_carries_the_id_of_its_command(stage: Stage) -> None:
    old = await stage.v1("old")
    task, start = new_id(), {"event": "start", "taskId": "nowhere", "eventId": "e"}
    init = {"event": "init", "taskId": task, "eventId": new_id(), "payload": 1}
    commands: list[dict[str, Any]] = [
        {"cmd": "sub", "action": stage.action},
        {"cmd": "pub", "action": stage.action, **init},
        {"cmd": "pub", "action": stage.action, **init},
        {"cmd": "get", "taskId": task, "what": "task"},
        {"cmd": "watch", "action": stage.noun},
        {"cmd": "unwatch", "action": stage.noun},
        {"cmd": "cancel", "taskId": task},
        {"cmd": "unsub", "action": stage.action},
        {"cmd": "pub", **start},
        {"cmd": "get", "taskId": task, "what": "nothing"},
        {"cmd": "nothing"},
    ]
    for number, command in enumerate(commands):
        await old.send({**command, "id": f'{number} "é'})
        (*_, answer) = await old.collect(lambda message: "id" in message)
        assert answer["id"] == f'{number} "é'
    await old.send({"cmd": "get", "taskId": task, "what": "task"})
    (*_, answer) = await old.collect(lambda message: "task" in message)
    assert "id" not in answer


# §4.1


BODIES = ["null", "false", "0", '""', "[ ]", "12345678901234567890.0", "1E+2", '{"a":1,"a":2}']


@pytest.mark.parametrize("body", [*BODIES, '"\\ud83d\\ude00\\/\\u00e9"'])
async def test_values_reach_the_other_side_byte_for_byte(stage: Stage, body: str) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    texts = {peer.name: texts_of(peer) for peer in (web, a)}
    task = new_id()
    ids = f'"taskId":"{task}","eventId":'
    action = f'"action":"{stage.action}","startTimeout":{LONG}'
    await web.send(f'{{"cmd":"pub","event":"init",{ids}"{new_id()}",{action},"payload": {body} }}')
    await a.task_until(task, "init")
    for event, field in (("update", "update"), ("success", "result")):
        await a.send(f'{{"cmd":"pub","event":"{event}","{field}":{body},{ids}"{new_id()}"}}')
    await asyncio.gather(until(web, task), until(a, task))
    for field, told in itertools.product(("payload", "update", "result"), texts.values()):
        assert any(f'"{field}":{body},"taskId":"{task}"' in text for text in told)


# §4.7


async def test_a_repeat_changes_nothing(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = new_id()
    init = {"eventId": new_id(), "action": stage.action, "payload": 1, "startTimeout": LONG}
    update, success = {"eventId": new_id(), "update": 0}, {"eventId": new_id(), "result": 1}
    for peer, event, fields in (
        (web, "init", init),
        (a, "update", update),
        (a, "success", success),
        (web, "init", init),
        (a, "update", update),
    ):
        first = await pub(peer, task, event, **fields)
        again = await pub(peer, task, event, **fields)
        assert {**again, "id": None} == {**first, "id": None}
        assert first["event"] == event
    await caught_up(web)
    assert [m["seq"] for m in heard(web, task) if m["event"] != "init"] == [2, 3, 4, 5]


async def test_one_event_id_with_other_content(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, 1)
    init_id = heard(web, task)[0]["eventId"]
    init = {"eventId": init_id, "action": stage.action, "startTimeout": LONG}
    update_id = new_id()
    await pub(a, task, "update", eventId=update_id, update=1)
    conflicts = [
        await pub(web, task, "init", **init, payload=2),
        await pub(web, task, "init", **init, payload=1, claim=True),
        await pub(web, new_id(), "init", **init, payload=1),  # D9
        await pub(a, task, "update", eventId=update_id, update=2),
        await pub(a, task, "success", eventId=update_id, result=1),
        await pub(a, task, "update", eventId=init_id, update=1),
    ]
    assert {answer["code"] for answer in conflicts} == {"event-conflict"}
    taken = await pub(web, task, "init", action=stage.action, payload=1)
    assert taken["code"] == "duplicate-task"
    await a.event(task, "success", result=1)
    assert await story(web, task) == ["init web", "start a", "update a", "success a", "end hub"]


# §5.2, §5.4


@pytest.mark.parametrize("event", ["update", "drop", "success", "fail"])
async def test_a_start_is_implied(stage: Stage, event: str) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web)
    await a.task_until(task, "init")
    await pub(a, task, event, update=1, result=1, reason=1)
    _, start, said, *_ = await until(web, task, event)
    assert (start["event"], start["by"], said["event"]) == ("start", "a", event)
    assert start["eventId"] != said["eventId"]


async def test_a_second_start_changes_nothing(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    again = await pub(a, task, "start")
    assert (again["status"], again["message"]) == ("ok", "nothing changed")
    await a.event(task, "success", result=1)
    await b.event(task, "drop")
    expected = ["init web", "start a", "start b", "success a", "drop b", "end hub"]
    assert await story(web, task) == expected


async def test_an_end_of_a_client_is_a_drop_or_nothing(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    answers = [await pub(web, task, "end")]
    end_id = await a.event(task, "end")
    await until(web, task, "drop")
    answers += [await pub(a, task, "end"), await pub(a, task, "end", eventId=end_id)]
    await pub(b, task, "success", result=1)
    answers += [await pub(peer, task, "end") for peer in (b, a, web)]
    assert {answer["message"] for answer in answers} == {"nothing changed"}
    expected = ["init web", "start a", "start b", "drop a", "success b", "end hub"]
    for peer in (web, a, b):
        assert await story(peer, task) == expected
        assert end_id not in {message["eventId"] for message in heard(peer, task)}


async def test_a_drop_answers_the_end_that_it_stands_for(stage: Stage) -> None:
    _, task, (a,) = await stage.at_work("a")
    ids = {"taskId": task, "eventId": new_id(), "id": "mine"}
    await a.send({"cmd": "pub", "event": "end", **ids})
    (*_, drop) = await a.task_until(task, "drop")
    assert drop.get("id") == "mine"


async def test_updates_have_a_limit_and_outcomes_pass(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    limit = web.welcome["limits"]["maxEventsPerTask"]
    for number in range(limit - 2):
        await a.event(task, "update", update=number)
    refused = await pub(a, task, "update", update="over")  # D11
    assert (refused["code"], refused["retry"]) == ("limit", False)
    await a.event(task, "success", result=1)
    assert [m["seq"] for m in await until(web, task)] == list(range(1, limit + 3))
