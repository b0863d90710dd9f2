"""The table of docs/protocol.md §5.4 over real sockets, row by row, under both servers."""

from collections.abc import Callable

import pytest

from tests.hub_process import HubProcess
from tests.peers import LegacyPeer, V1Peer
from tests.wire.stage import (
    LONG,
    SHORT,
    Stage,
    heard,
    new_id,
    pub,
    states,
    story,
    summary,
    until,
    until_state,
)

# nobody is offered the task within startTimeout


async def test_nobody_is_offered_the_task(stage: Stage) -> None:
    web = await stage.v1("web")
    task = await stage.publish(web, startTimeout=SHORT)
    assert await story(web, task) == ["init web", "fail hub no-subscriber", "end hub"]
    init, fail, _ = heard(web, task)
    assert fail["at"] >= init["startDeadline"] == init["at"] + SHORT


# nobody starts within startTimeout


async def test_nobody_starts(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, startTimeout=SHORT)
    expected = ["init web", "fail hub start-timeout", "end hub"]
    assert await story(web, task) == expected
    assert await story(a, task) == expected
    init, fail, _ = heard(web, task)
    assert fail["at"] >= init["startDeadline"]
    assert await states(web, task) == {"a": "timed out"}


async def test_delivery_is_all_that_is_expected(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = await stage.publish(web, startTimeout=SHORT, expect="delivery")
    assert await story(web, task) == ["init web", "success hub", "end hub"]
    assert heard(web, task)[1]["result"] is None
    assert (await until(a, task))[0]["expect"] == "delivery"


async def test_delivery_to_nobody_is_none(stage: Stage) -> None:
    web = await stage.v1("web")
    task = await stage.publish(web, startTimeout=SHORT, expect="delivery")
    assert await story(web, task) == ["init web", "fail hub no-subscriber", "end hub"]


async def test_who_did_not_start_in_time_has_timed_out_for_good(stage: Stage) -> None:
    web = await stage.v1("web")
    late = await stage.service("b")  # D3
    a = await stage.service("a")
    task = await stage.publish(web, startTimeout=SHORT)
    await a.task_until(task, "init")
    await a.event(task, "start")
    await until_state(web, task, "b", "timed out")
    for event in ("start", "update", "success"):
        refused = await pub(late, task, event, update=1, result=1)
        assert refused["code"] == "illegal-transition"
    assert (await pub(late, task, "end"))["message"] == "nothing changed"
    await a.event(task, "success", result=1)
    expected = ["init web", "start a", "success a", "end hub"]
    assert await story(web, task) == await story(late, task) == expected


# all have dropped or never started


async def test_everyone_drops(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    await a.event(task, "drop", reason="not mine")
    await web.task_until(task, "drop")
    await b.event(task, "drop")
    assert await story(web, task) == [
        *("init web", "start a", "start b", "drop a", "drop b", "success hub", "end hub")
    ]
    *_, drop, _, success, _ = heard(web, task)
    assert (drop["reason"], success["result"]) == ("not mine", None)


async def test_one_drops_and_another_never_starts(stage: Stage) -> None:
    web, a, _ = await stage.v1("web"), await stage.service("a"), await stage.service("b")
    task = await stage.publish(web, startTimeout=SHORT)
    await a.task_until(task, "init")
    await a.event(task, "drop")
    expected = ["init web", "start a", "drop a", "success hub", "end hub"]
    assert await story(web, task) == expected
    assert await states(web, task) == {"a": "dropped", "b": "timed out"}


# no outcome within endTimeout


async def test_no_outcome_in_time(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a", endTimeout=1_000)
    expected = ["init web", "start a", "fail hub end-timeout", "end hub"]
    assert await story(web, task) == expected
    init, _, fail, _ = heard(web, task)
    assert fail["at"] >= init["endDeadline"] == init["at"] + 1_000
    assert (await pub(a, task, "success", result=1))["code"] == "task-ended"


# a success, while others are at work


async def test_others_go_on_after_a_success(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    await a.event(task, "success", result=1)
    await web.task_until(task, "success")
    await b.event(task, "update", update="still here")
    await b.event(task, "success", result=2)
    assert (await story(web, task))[3:] == ["success a", "update b", "drop b success", "end hub"]
    assert heard(web, task)[-2]["result"] == 2
    found = await summary(web, task)
    results = [(p["client"], p["state"], p["result"]) for p in found["participants"]]
    assert results == [("a", "succeeded", 1), ("b", "succeeded", 2)]
    assert found["outcome"] == "success"
    assert (await web.request("get", taskId=task, what="result"))["result"] == 1


async def test_the_end_deadline_ends_those_who_go_on(stage: Stage) -> None:
    web, task, (a, _) = await stage.at_work("a", "b", endTimeout=1_000)
    await a.event(task, "success", result=1)
    assert (await story(web, task))[3:] == ["success a", "end hub"]
    init, *_, end = heard(web, task)
    assert end["at"] >= init["endDeadline"]
    assert await states(web, task) == {"a": "succeeded", "b": "timed out"}


# the publisher cancels


async def test_the_publisher_cancels(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    answer = await web.request("cancel", taskId=task, reason={"why": "changed my mind"})
    assert (answer["event"], answer["reason"]["code"]) == ("fail", "cancelled")
    assert answer["reason"]["reason"] == {"why": "changed my mind"}
    assert await story(a, task) == ["init web", "start a", "fail web cancelled", "end hub"]
    assert await states(web, task) == {"a": "dropped"}
    assert (await web.request("cancel", taskId=task))["code"] == "task-ended"
    assert (await pub(a, task, "success", result=1))["code"] == "task-ended"


async def test_a_settled_task_cannot_be_cancelled(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    await a.event(task, "success", result=1)
    await web.task_until(task, "success")
    assert (await web.request("cancel", taskId=task))["code"] == "illegal-transition"
    await b.event(task, "drop")
    assert (await story(web, task))[3:] == ["success a", "drop b", "end hub"]


# a participant's connection is lost


async def test_the_last_hope_is_lost(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    await a.vanish()
    lost = ["drop hub service-lost", "fail hub service-lost", "end hub"]
    assert await story(web, task) == ["init web", "start a", *lost]
    assert await states(web, task) == {"a": "lost"}


async def test_the_last_hope_is_lost_and_the_rest_never_starts(stage: Stage) -> None:
    web, a, b = await stage.v1("web"), await stage.service("a"), await stage.service("b")
    task = await stage.publish(web, startTimeout=1_200)  # D17: it outlasts the grace
    await a.task_until(task, "init")
    await a.event(task, "start")
    await web.task_until(task, "start")
    await a.vanish()
    lost = ["drop hub service-lost", "fail hub service-lost", "end hub"]
    assert await story(b, task) == ["init web", "start a", *lost]


async def test_one_is_lost_and_another_finishes(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    await a.vanish()
    await web.task_until(task, "drop")
    await b.event(task, "success", result="b did it")
    assert (await story(web, task))[3:] == ["drop hub service-lost", "success b", "end hub"]


async def test_one_is_lost_and_another_drops(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b")
    await a.vanish()
    await web.task_until(task, "drop")
    await b.event(task, "drop")
    rest = ["drop hub service-lost", "drop b", "success hub", "end hub"]
    assert (await story(web, task))[3:] == rest, "not the last hope: lost counts as dropped"


async def test_a_service_returns_within_the_grace(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    await a.vanish()
    back = await stage.v1("a")
    await back.event(task, "update", update="back")  # D5
    await back.event(task, "success", result=1)
    expected = ["update a", "success a", "end hub"]
    assert (await story(web, task))[2:] == expected
    assert await story(back, task) == expected


# the publisher's connection is lost


async def test_the_publisher_is_lost_and_its_result_waits(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    await web.vanish()
    await a.event(task, "success", result={"kept": True})
    await a.task_until(task)
    again = await stage.v1("web")
    assert (await again.request("get", taskId=task, what="result"))["result"] == {"kept": True}
    await again.send({"cmd": "watch", "taskId": task})
    assert await story(again, task) == ["init web", "start a", "success a", "end hub"]


async def test_a_publisher_that_asks_again_hears_the_rest(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    task = new_id()
    init = {"eventId": new_id(), "action": stage.action, "payload": 1, "startTimeout": LONG}
    first = await pub(web, task, "init", **init)
    await web.vanish()
    again = await stage.v1("web")
    second = await pub(again, task, "init", **init)  # D14
    assert {**second, "id": None} == {**first, "id": None}
    await a.event(task, "success", result=1)
    assert await story(again, task) == ["init web", "start a", "success a", "end hub"]
    assert await story(a, task) == ["init web", "start a", "success a", "end hub"]


# the hub restarts


@pytest.mark.parametrize("how", ["kill", "terminate"])
async def test_a_restart_keeps_tasks_and_deadlines(
    own_hub: HubProcess, new_stage: Callable[[HubProcess], Stage], how: str
) -> None:
    stage = new_stage(own_hub)
    web, a, b = await stage.v1("web"), await stage.service("a"), await stage.service("b")
    finished, forsaken = [await stage.publish(web, endTimeout=60_000) for _ in range(2)]
    overdue = await stage.publish(web, endTimeout=1_000)
    for task in (finished, forsaken, overdue):
        await a.task_until(task, "init")
        await a.event(task, "start")
        await web.task_until(task, "start")
    waiting = await stage.publish(web, startTimeout=1_000)
    if how == "terminate":
        await goodbye(own_hub, web, await stage.legacy())
        own_hub.start()
    else:
        own_hub.restart()

    web, a, b = await stage.v1("web"), await stage.v1("a"), await stage.service("b")
    for task in (finished, forsaken, overdue, waiting):
        await web.send({"cmd": "watch", "taskId": task})
    await a.event(finished, "success", result="after all")
    await until(web, finished, "success")
    await b.event(finished, "drop")
    await b.event(forsaken, "start")
    await b.task_until(waiting, "init")  # D7: its window has opened again
    await b.event(waiting, "success", result="in time")
    await until(web, waiting, "success")
    await a.event(waiting, "drop")
    await until(web, forsaken, "drop")
    await b.event(forsaken, "success", result="the other one")

    assert await story(web, overdue) == ["init web", "start a", "fail hub end-timeout", "end hub"]
    begin, lost = ["init web", "start a"], "drop hub service-lost"
    expected = [*begin, "success a", "start b", "drop b", "end hub"]
    assert await story(web, finished) == expected
    assert await story(web, forsaken) == [*begin, "start b", lost, "success b", "end hub"]
    rest = ["success b", "start a", "drop a", "end hub"]
    assert await story(web, waiting) == ["init web", "start b", *rest]


async def test_what_was_told_survives_a_kill(
    own_hub: HubProcess, new_stage: Callable[[HubProcess], Stage]
) -> None:
    stage = new_stage(own_hub)
    web, task, (a,) = await stage.at_work("a", endTimeout=60_000)
    ids = [new_id() for _ in range(40)]
    for number, event_id in enumerate(ids):
        update = {"event": "update", "eventId": event_id, "update": number}
        await a.send({"cmd": "pub", "taskId": task, **update})
    await until(a, task, "update", 20)  # in the middle of it
    own_hub.restart()

    told = [message for peer in (web, a) for message in heard(peer, task)]
    web, a = await stage.v1("web"), await stage.v1("a")
    stored = (await web.request("get", taskId=task, what="events"))["events"]
    assert [event["seq"] for event in stored] == list(range(1, len(stored) + 1))
    assert all(message in stored for message in told)
    # Whatever was not answered is sent again; each counts once.
    for number, event_id in enumerate(ids):
        answer = await pub(a, task, "update", eventId=event_id, update=number)
        assert answer["update"] == number
    assert (await pub(a, task, "update", eventId=ids[0], update="other"))["code"] == (
        "event-conflict"
    )
    stored = (await web.request("get", taskId=task, what="events"))["events"]
    assert [event["update"] for event in stored[2:]] == list(range(40))


async def test_an_end_is_known_after_a_restart(
    own_hub: HubProcess, new_stage: Callable[[HubProcess], Stage]
) -> None:
    stage = new_stage(own_hub)
    _, task, (a,) = await stage.at_work("a")
    success = {"eventId": new_id(), "result": 1}
    await pub(a, task, "success", **success)
    await a.task_until(task)
    own_hub.restart()

    a, stranger = await stage.v1("a"), await stage.v1("stranger")
    again = await pub(a, task, "success", **success)
    assert {**again, "id": None} == {**heard(a, task)[-1], "id": None}
    assert (again["event"], again["seq"], again["by"]) == ("success", 3, "a")
    assert (await pub(a, task, "success", result=2))["code"] == "task-ended"
    forged = await pub(stranger, task, "success", result=2)
    missing = await pub(stranger, "nowhere", "success", result=2)
    assert forged["code"] == "unknown-task"
    assert forged["message"] == missing["message"]
    init = {"action": "weather:x", "payload": 1}
    assert (await pub(stranger, task, "init", **init))["code"] == "duplicate-task"


async def goodbye(hub: HubProcess, web: V1Peer, old: LegacyPeer) -> None:
    """A hub that stops says so; daphne ends its connections without asking it (§2.7)."""
    assert hub.terminate() == 0
    codes = [await peer.closed() for peer in (web, old)]
    if hub.server == "uvicorn":
        assert codes == [1012, 1012]
        assert (web.messages[-1]["code"], web.messages[-1]["close"]) == ("unavailable", 1012)
        assert not old.messages
