"""docs/protocol.md §5 over real sockets, under both servers."""

import signal
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.peers import V1Peer
from tests.wire.conftest import Stage
from tests.wire.hub_process import HubProcess


async def told(peer: V1Peer, task_id: str) -> list[str]:
    """The rest of a task as this peer hears it: event, by, and the hub's code if there is one."""
    return in_words(await peer.task_until(task_id))


async def history(peer: V1Peer, task_id: str) -> list[str]:
    """All of a task as this peer heard it, up to its end, whatever else came in between."""

    def mine() -> list[dict[str, Any]]:
        return [m for m in peer.messages if m.get("taskId") == task_id and "event" in m]

    while not any(message["event"] == "end" for message in mine()):
        await peer.next_message()
    return in_words(mine())


def in_words(messages: list[dict[str, Any]]) -> list[str]:
    words = []
    for message in messages:
        reason = message.get("reason")
        code = reason.get("code") if isinstance(reason, dict) else None
        words.append(" ".join(filter(None, (message["event"], message["by"], code))))
    return words


async def participants(peer: V1Peer, task_id: str) -> list[dict[str, Any]]:
    answer = await peer.request("get", taskId=task_id, what="task")
    found: list[dict[str, Any]] = answer["task"]["participants"]
    return found


# The table of §5.4, row by row


async def test_no_participant_at_all(stage: Stage) -> None:
    web = await stage.v1("web")
    task = await stage.publish(web)
    assert await told(web, task) == ["fail hub no-subscriber", "end hub"]


async def test_participants_and_none_starts(stage: Stage) -> None:
    web, service = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web)
    assert await told(web, task) == ["fail hub start-timeout", "end hub"]
    assert await told(service, task) == ["init web", "fail hub start-timeout", "end hub"]
    (one,) = await participants(web, task)
    assert one["state"] == "timed out"


async def test_delivery_is_all_that_is_expected(stage: Stage) -> None:
    web, _ = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, expect="delivery")
    success, end = await web.task_until(task)
    assert (success["event"], success["by"], success["result"]) == ("success", "hub", None)
    assert end["event"] == "end"


async def test_everyone_drops_or_never_starts(stage: Stage) -> None:
    web, a, _ = await stage.v1("web"), await stage.service("a"), await stage.service("b")
    task = await stage.publish(web)
    await a.task_until(task, "init")
    await a.event(task, "drop")
    assert await told(web, task) == ["start a", "drop a", "success hub", "end hub"]


async def test_no_outcome_in_time(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, endTimeout=900)
    await a.task_until(task, "init")
    await a.event(task, "start")
    assert await told(web, task) == ["start a", "fail hub end-timeout", "end hub"]


async def test_others_go_on_after_a_success(stage: Stage) -> None:
    web = await stage.v1("web")
    a, b = await stage.service("a"), await stage.service("b")
    task = await stage.publish(web)
    for service in (a, b):
        await service.task_until(task, "init")
        await service.event(task, "start")
    await web.task_until(task, "start")
    await web.task_until(task, "start")
    await a.event(task, "success", result=1)
    await web.task_until(task, "success")
    await b.event(task, "update", update="still here")
    await b.event(task, "success", result=2)
    drop, end = (await web.task_until(task))[-2:]
    assert (drop["event"], drop["outcome"], drop["result"]) == ("drop", "success", 2)
    assert end["event"] == "end"
    found = {p["client"]: (p["state"], p["result"]) for p in await participants(web, task)}
    assert found == {"a": ("succeeded", 1), "b": ("succeeded", 2)}
    assert (await web.request("get", taskId=task, what="result"))["result"] == 1


async def test_the_end_deadline_ends_those_who_still_work(stage: Stage) -> None:
    web = await stage.v1("web")
    a, b = await stage.service("a"), await stage.service("b")
    task = await stage.publish(web, endTimeout=1_200)
    for service in (a, b):
        await service.task_until(task, "init")
        await service.event(task, "start")
        await web.task_until(task, "start")
    await a.event(task, "success", result=1)
    assert await told(web, task) == ["success a", "end hub"]
    assert [p["state"] for p in await participants(web, task)] == ["succeeded", "timed out"]


async def test_the_publisher_cancels(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web)
    await a.task_until(task, "init")
    await a.event(task, "start")
    await web.task_until(task, "start")
    answer = await web.request("cancel", taskId=task, reason="changed my mind")
    assert answer["event"] == "fail"
    assert answer["reason"]["code"] == "cancelled"
    assert answer["reason"]["reason"] == "changed my mind"
    assert (await told(a, task))[-2:] == ["fail web cancelled", "end hub"]
    again = await web.request("cancel", taskId=task)
    assert again["code"] == "task-ended"


async def test_the_last_hope_is_lost(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web)
    await a.task_until(task, "init")
    await a.event(task, "start")
    await web.task_until(task, "start")
    await a.vanish()
    assert await told(web, task) == [
        "drop hub service-lost",
        "fail hub service-lost",
        "end hub",
    ]


async def test_one_is_lost_and_another_finishes(stage: Stage) -> None:
    web = await stage.v1("web")
    a, b = await stage.service("a"), await stage.service("b")
    task = await stage.publish(web)
    for service in (a, b):
        await service.task_until(task, "init")
        await service.event(task, "start")
    await b.task_until(task, "start")
    await b.task_until(task, "start")
    await a.vanish()
    assert (await web.task_until(task, "drop"))[-1]["reason"]["code"] == "service-lost"
    await b.event(task, "success", result="b did it")
    assert await told(web, task) == ["success b", "end hub"]


async def test_a_service_returns_within_the_grace(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web)
    await a.task_until(task, "init")
    await a.event(task, "start")
    await web.task_until(task, "start")
    await a.vanish()
    back = await stage.v1("a")
    await back.event(task, "success", result=1)
    assert await told(web, task) == ["success a", "end hub"]


async def test_the_publisher_is_lost_and_its_result_waits(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web)
    await web.vanish()
    await a.event(task, "success", result={"kept": True})
    await a.task_until(task)
    again = await stage.v1("web")
    assert (await again.request("get", taskId=task, what="result"))["result"] == {"kept": True}
    await again.send({"cmd": "watch", "taskId": task})
    assert await told(again, task) == ["init web", "start a", "success a", "end hub"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
async def test_a_restart_keeps_tasks_and_promises(
    own_hub: HubProcess, new_stage: Callable[[HubProcess], Stage], how: signal.Signals
) -> None:
    stage = new_stage(own_hub)
    web = await stage.v1("web")
    a, b = await stage.service("a"), await stage.service("b")
    returning, forsaken = [await stage.publish(web, endTimeout=60_000) for _ in range(2)]
    overdue = await stage.publish(web, endTimeout=1_000)
    for task in (returning, forsaken, overdue):
        for service in (a, b):
            await service.task_until(task, "init")
        await a.event(task, "start")
        await web.task_until(task, "start")
    code = own_hub.end(how)
    assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    closed = await web.closed()
    if own_hub.server == "uvicorn":  # daphne sends no close frame at its end
        assert closed == (1012 if how is signal.SIGTERM else 1006)
    own_hub.start()
    back, web = await stage.v1("a"), await stage.v1("web")
    await back.event(returning, "success", result="after all")
    for task in (returning, forsaken, overdue):
        await web.send({"cmd": "watch", "taskId": task})
    assert (await history(web, returning))[-2:] == ["success a", "end hub"]
    assert (await history(web, overdue))[-2:] == ["fail hub end-timeout", "end hub"]
    assert (await history(web, forsaken))[-2:] == ["fail hub service-lost", "end hub"]


# §5.3 settle


async def three(stage: Stage, web: V1Peer, **options: Any) -> tuple[str, list[V1Peer]]:
    """A task that a, b and c have started."""
    services = [await stage.service(name) for name in "abc"]
    task = await stage.publish(web, **options)
    for service in services:
        await service.task_until(task, "init")
        await service.event(task, "start")
    for _ in services:
        await web.task_until(task, "start")
    return task, services


async def test_settle_any(stage: Stage) -> None:
    web = await stage.v1("web")
    task, (a, b, c) = await three(stage, web)
    await a.event(task, "fail", reason="a cannot")
    relayed = (await web.task_until(task, "drop"))[-1]
    assert (relayed["outcome"], relayed["reason"]) == ("fail", "a cannot")
    await b.event(task, "success", result="b can")
    await web.task_until(task, "success")
    await c.event(task, "fail", reason="too late")
    assert await told(web, task) == ["drop c", "end hub"]


async def test_settle_any_and_nobody_succeeds(stage: Stage) -> None:
    web = await stage.v1("web")
    task, (a, b, c) = await three(stage, web)
    await a.event(task, "fail", reason="first")
    await web.task_until(task, "drop")
    await b.event(task, "drop")
    await web.task_until(task, "drop")
    await c.event(task, "fail", reason="last")
    *_, fail, _ = await web.task_until(task)
    assert (fail["event"], fail["by"], fail["reason"]) == ("fail", "a", "first")


async def test_settle_first(stage: Stage) -> None:
    web = await stage.v1("web")
    task, (a, b, _) = await three(stage, web, settle="first")
    await a.event(task, "fail", reason="no")
    assert await told(web, task) == ["fail a", "end hub"]
    await b.task_until(task)
    late = await b.request("pub", event="success", eventId=uuid.uuid4().hex, taskId=task, result=1)
    assert late["code"] == "task-ended"


async def test_settle_all(stage: Stage) -> None:
    web = await stage.v1("web")
    task, (a, b, c) = await three(stage, web, settle="all")
    for service, event, fields in (
        (b, "success", {"result": 2}),
        (c, "fail", {"reason": "no"}),
        (a, "success", {"result": 1}),
    ):
        await service.event(task, event, **fields)
        await web.task_until(task, "drop")
    success, end = await web.task_until(task)
    assert success["result"] == [{"by": "b", "result": 2}, {"by": "a", "result": 1}]
    assert (success["by"], end["event"]) == ("hub", "end")


# Claim, groups, subscriptions


async def test_the_first_start_claims(stage: Stage) -> None:
    web = await stage.v1("web")
    a, b = await stage.service("a"), await stage.service("b")
    task = await stage.publish(web, claim=True)
    for service in (a, b):
        await service.task_until(task, "init")
    await a.event(task, "start")
    await b.task_until(task, "start")
    refused = await b.request("pub", event="start", eventId=uuid.uuid4().hex, taskId=task)
    assert refused["code"] == "claimed"
    await a.event(task, "success", result=1)
    assert (await told(web, task))[-2:] == ["success a", "end hub"]


async def test_a_group_shares_and_others_fan_out(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    team = [await stage.service("team") for _ in range(3)]
    tasks = [await stage.publish(web) for _ in range(3)]
    for task in tasks:
        await a.task_until(task, "init")
    for member in team:
        inits = [m["taskId"] for m in member.messages if m.get("event") == "init"]
        while len(inits) < 1:
            await member.next_message()
            inits = [m["taskId"] for m in member.messages if m.get("event") == "init"]
        assert len(inits) == 1
    heard = {m["taskId"] for member in team for m in member.messages if m.get("event") == "init"}
    assert heard == set(tasks)


async def test_a_lost_member_is_followed_by_another(stage: Stage) -> None:
    web = await stage.v1("web")
    first, second = await stage.service("team"), await stage.service("team")
    task = await stage.publish(web)
    await first.task_until(task, "init")
    await first.event(task, "start")
    await web.task_until(task, "start")
    await first.vanish()
    await second.task_until(task, "init")
    await second.event(task, "success", result="second")
    assert (await told(web, task))[-2:] == ["success team", "end hub"]


async def test_late_subscribers_within_the_start_window(stage: Stage) -> None:
    web = await stage.v1("web")
    task = await stage.publish(web, payload="early")
    a = await stage.service("a")
    (init,) = await a.task_until(task, "init")
    assert init["payload"] == "early"
    await a.event(task, "success", result=1)
    assert (await told(web, task))[-2:] == ["success a", "end hub"]


async def test_unsub(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    assert (await a.request("unsub", action=stage.action))["status"] == "ok"
    task = await stage.publish(web)
    assert (await told(web, task))[0] == "fail hub no-subscriber"


async def test_a_large_payload_is_fetched_on_demand(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a", lazyPayload=100)
    small = await stage.publish(web, payload="x" * 50)
    large = await stage.publish(web, payload="x" * 500)
    assert (await a.task_until(small, "init"))[-1]["payload"] == "x" * 50
    init = (await a.task_until(large, "init"))[-1]
    assert "payload" not in init
    assert init["payloadSize"] == 502
    assert (await a.request("get", taskId=large, what="payload"))["payload"] == "x" * 500


async def test_repeats_change_nothing(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task_id, event_id = uuid.uuid4().hex, uuid.uuid4().hex
    frame = {"event": "init", "eventId": event_id, "taskId": task_id, "action": stage.action}
    first = await web.request("pub", **frame, payload=1)
    again = await web.request("pub", **frame, payload=1)
    assert {**again, "id": None} == {**first, "id": None}
    assert (await web.request("pub", **frame, payload=2))["code"] == "event-conflict"
    assert (await web.request("pub", **{**frame, "eventId": "e"}, payload=1))["code"] == (
        "duplicate-task"
    )
    await a.task_until(task_id, "init")
    start = {"event": "start", "taskId": task_id}
    await a.request("pub", **start, eventId=uuid.uuid4().hex)
    second = await a.request("pub", **start, eventId=uuid.uuid4().hex)
    assert second["message"] == "nothing changed"
    await a.event(task_id, "success", result=1)
    assert await told(web, task_id) == ["start a", "success a", "end hub"]


async def test_watching_a_pattern(stage: Stage) -> None:
    web, operator = await stage.v1("web"), await stage.v1("operator")
    noun = stage.action.partition(":")[0]
    await operator.request("watch", action=noun)
    task = await stage.publish(web)
    assert await told(operator, task) == ["init web", "fail hub no-subscriber", "end hub"]
