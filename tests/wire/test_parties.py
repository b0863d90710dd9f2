"""Several parties at one task: docs/protocol.md §5.3 settle, §5.6 groups, §5.7 claim."""

from tests.peers import V1Peer
from tests.wire.stage import (
    LONG,
    SHORT,
    Stage,
    caught_up,
    heard,
    pub,
    states,
    story,
    until,
    until_state,
)

# §5.3 settle


async def test_settle_any(stage: Stage) -> None:
    web, task, (a, b, c) = await stage.at_work("a", "b", "c")
    await a.event(task, "fail", reason="a cannot")
    (*_, relayed) = await web.task_until(task, "drop")
    assert relayed["reason"] == "a cannot"
    await b.event(task, "success", result="b can")
    await web.task_until(task, "success")
    await c.event(task, "fail", reason="too late")
    expected = ["drop a fail", "success b", "drop c fail", "end hub"]
    for peer in (web, a, b, c):
        assert (await story(peer, task))[4:] == expected
    assert await states(web, task) == {"a": "failed", "b": "succeeded", "c": "failed"}


async def test_settle_any_and_nobody_succeeds(stage: Stage) -> None:
    web, task, (a, b, c) = await stage.at_work("a", "b", "c")
    await a.event(task, "fail", reason="first")
    await web.task_until(task, "drop")
    await b.event(task, "drop")
    await until(web, task, "drop", 2)
    await c.event(task, "fail", reason="last")
    expected = ["drop a fail", "drop b", "drop c fail", "fail a", "end hub"]
    assert (await story(web, task))[4:] == expected
    assert heard(web, task)[-2]["reason"] == "first"


async def test_a_fail_waits_for_those_who_may_still_start(stage: Stage) -> None:
    web, a, b = await stage.v1("web"), await stage.service("a"), await stage.service("b")
    task = await stage.publish(web, startTimeout=SHORT)
    await a.task_until(task, "init")
    await a.event(task, "fail", reason="no")
    assert await story(web, task) == ["init web", "start a", "drop a fail", "fail a", "end hub"]
    *_, fail, _ = heard(web, task)
    assert fail["at"] >= heard(web, task)[0]["startDeadline"]
    assert [m["event"] for m in await until(b, task)][-2:] == ["fail", "end"]


async def test_settle_first(stage: Stage) -> None:
    web, task, (a, b, _) = await stage.at_work("a", "b", "c", settle="first")
    await a.event(task, "fail", reason="no")
    assert (await story(web, task))[4:] == ["fail a", "end hub"]
    assert (await pub(b, task, "success", result=1))["code"] == "task-ended"
    assert await states(web, task) == {"a": "failed", "b": "dropped", "c": "dropped"}


async def test_settle_first_by_a_success(stage: Stage) -> None:
    web, task, (a, b, c) = await stage.at_work("a", "b", "c", settle="first")
    await c.event(task, "drop")
    await web.task_until(task, "drop")
    await b.event(task, "success", result=1)
    await web.task_until(task, "success")
    await a.event(task, "fail", reason="late")
    expected = ["drop c", "success b", "drop a fail", "end hub"]
    assert (await story(web, task))[4:] == expected


async def test_settle_all(stage: Stage) -> None:
    web, task, (a, b, c) = await stage.at_work("a", "b", "c", settle="all")
    await b.event(task, "success", result=2)
    await until(web, task, "drop", 1)
    await c.event(task, "fail", reason="no")
    await until(web, task, "drop", 2)
    await a.event(task, "success", result=1)
    drops = ["drop b success", "drop c fail", "drop a success"]
    assert (await story(web, task))[4:] == [*drops, "success hub", "end hub"]
    results = [{"by": "b", "result": 2}, {"by": "a", "result": 1}]
    assert heard(web, task)[-2]["result"] == results
    assert (await web.request("get", taskId=task, what="result"))["result"] == results


async def test_settle_all_and_all_fail_or_drop(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b", settle="all")
    await a.event(task, "fail", reason="first")
    await until(web, task, "drop", 1)
    await b.event(task, "drop")
    assert (await story(web, task))[3:] == ["drop a fail", "drop b", "fail a", "end hub"]


async def test_settle_all_and_nobody_has_a_result(stage: Stage) -> None:
    web, task, (a, b) = await stage.at_work("a", "b", settle="all")
    for service in (a, b):
        await service.event(task, "drop")
    await story(web, task)
    *_, success, _ = heard(web, task)
    assert (success["event"], success["by"], success["result"]) == ("success", "hub", None)


# §5.5 D2


async def test_a_publisher_takes_part(stage: Stage) -> None:
    web = await stage.v1("web")
    task = await stage.publish(web)
    await web.event(task, "update", update=1)
    await web.event(task, "success", result=2)
    expected = ["init web", "start web", "update web", "success web", "end hub"]
    assert await story(web, task) == expected
    assert await states(web, task) == {"web": "succeeded"}


async def test_one_connection_in_every_role_hears_each_event_once(stage: Stage) -> None:
    old = await stage.v1("old")
    await old.request("sub", action=stage.action)
    await old.request("sub", action=stage.noun)
    await old.request("watch", action=stage.noun)
    task = await stage.publish(old)
    await old.send({"cmd": "watch", "taskId": task, "from": 2})
    await old.event(task, "success", result=1)
    assert await story(old, task) == ["init old", "start old", "success old", "end hub"]


async def test_a_participant_is_a_connection_and_a_publisher_a_client(stage: Stage) -> None:
    _, task, (a,) = await stage.at_work("a")
    other, web = await stage.v1("a"), await stage.v1("web")
    assert (await pub(other, task, "success", result=1))["code"] == "unknown-task"
    assert (await other.request("get", taskId=task, what="payload"))["payload"] is None
    assert (await web.request("cancel", taskId=task))["event"] == "fail"
    assert await story(a, task) == ["init web", "start a", "fail web cancelled", "end hub"]


# §5.7 claim


async def test_the_first_start_claims(stage: Stage) -> None:
    web, a, b = await stage.v1("web"), await stage.service("a"), await stage.service("b")
    task = await stage.publish(web, claim=True)
    for service in (a, b):
        (init,) = await service.task_until(task, "init")
        assert init["claim"] is True
    await a.event(task, "start")
    await b.task_until(task, "start")
    for event in ("start", "success"):
        assert (await pub(b, task, event, result=1))["code"] == "claimed"
    late = await stage.service("c")
    await a.event(task, "success", result=1)
    assert await story(web, task) == ["init web", "start a", "success a", "end hub"]
    assert await states(web, task) == {"a": "succeeded", "b": "dropped"}
    assert not heard(late, task)


# §5.6 groups


async def test_groups_share_and_others_fan_out(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    team = [await stage.service("team") for _ in range(3)]
    pair = [await stage.service("b", group=True) for _ in range(2)]
    everyone = [await stage.service("c") for _ in range(2)]
    tasks = [await stage.publish(web) for _ in range(6)]
    assert await inits(a) == tasks
    for each in everyone:
        assert await inits(each) == tasks
    for members in (team, pair):
        shares = [await inits(member) for member in members]
        assert {len(share) for share in shares} == {6 // len(members)}, "the least busy one"
        assert sorted(task for share in shares for task in share) == sorted(tasks)


async def inits(peer: V1Peer) -> list[str]:
    """The tasks this peer was offered."""
    await caught_up(peer)
    return [m["taskId"] for m in peer.messages if m.get("event") == "init"]


async def test_another_member_follows_one_that_is_lost_at_work(stage: Stage) -> None:
    web, first, second = [
        await stage.v1("web"),
        await stage.service("team"),
        await stage.service("team"),
    ]
    task = await stage.publish(web, startTimeout=SHORT)
    members = [first, second]
    for member in members:
        await caught_up(member)
    at_work, spare = members if heard(first, task) else members[::-1]
    await at_work.event(task, "start")
    await web.task_until(task, "start")
    await at_work.vanish()
    await spare.task_until(task, "init")
    await spare.event(task, "success", result="second")
    expected = ["init web", "start team", "drop hub service-lost", "start team", "success team"]
    assert await story(web, task) == [*expected, "end hub"]


async def test_another_member_follows_at_once_one_that_had_not_started(stage: Stage) -> None:
    web, first, second = [
        await stage.v1("web"),
        await stage.service("team"),
        await stage.service("team"),
    ]
    task = await stage.publish(web)
    for member in (first, second):
        await caught_up(member)
    idle, spare = (first, second) if heard(first, task) else (second, first)
    await idle.vanish()
    (init,) = await spare.task_until(task, "init")
    (*_, drop) = await web.task_until(task, "drop")
    grace = stage.hub.limit("resume_grace_ms")
    assert drop["at"] - init["at"] < grace, "D6: at once"
    await spare.event(task, "success", result=1)
    expected = ["init web", "drop hub service-lost", "start team", "success team", "end hub"]
    assert await story(web, task) == expected


# §3 late subscribers


async def test_late_subscribers_within_the_start_window(stage: Stage) -> None:
    web, task, (a,) = await stage.at_work("a")
    await a.event(task, "update", update=1)
    await web.task_until(task, "update")
    late = await stage.service("b")  # D16
    (init,) = await late.task_until(task, "init")
    assert (init["seq"], init["startTimeout"]) == (1, LONG)
    await late.event(task, "success", result="late")
    await late.task_until(task, "success")
    assert [m["seq"] for m in heard(late, task)] == [1, 4, 5]
    await a.event(task, "drop")
    rest = ["update a", "start b", "success b", "drop a", "end hub"]
    assert (await story(web, task))[2:] == rest


async def test_subscribers_after_the_start_window(stage: Stage) -> None:
    web, a = await stage.v1("web"), await stage.service("a")
    other, late = await stage.v1("b"), await stage.v1("c")
    task = await stage.publish(web, startTimeout=SHORT)
    await other.request("sub", action=stage.action)
    await other.task_until(task, "init")
    await a.event(task, "start")
    await until_state(web, task, "b", "timed out")
    await late.request("sub", action=stage.action)
    await caught_up(late)
    assert not heard(late, task)
    assert (await pub(late, task, "start"))["code"] == "unknown-task"
    await a.event(task, "success", result=1)
    assert (await story(other, task))[-2:] == ["success a", "end hub"]
