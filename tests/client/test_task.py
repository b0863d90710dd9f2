"""What a publisher does with the handle of its task, against a scripted hub."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
import taskhub

from tests.client.fake_hub import FakeHub, client_of, heard, published


def reason(code: str) -> dict[str, str]:
    return {"code": code, "message": f"It was {code}."}


async def test_awaiting_the_handle_is_awaiting_its_result(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = client.pub("a:b")  # not a coroutine: sent while this goes on
        assert (task.state, task.done) == ("new", False)
        await hub.echo(await hub.expect(event="init"))
        await hub.event(task.task_id, "success", result=0)
        assert await task == 0
        assert (task.state, task.done) == ("success", True)


@pytest.mark.parametrize("default", [None, 0, False, "", [], {}])
async def test_a_default_covers_a_fail_and_the_waiting(hub: FakeHub, default: Any) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        assert await task.result(default=default, timeout=0.01) == default
        await hub.event(task.task_id, "fail", by="svc", reason="no")
        assert await task.result(default=default) == default


async def test_waiting_long_enough_leaves_the_task_alone(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        with pytest.raises(taskhub.TaskTimeout, match="The task goes on") as caught:
            await task.result(timeout=0.01)
        assert caught.value.code == "wait-timeout"
        await hub.event(task.task_id, "success", result=1)
        assert await task == 1


@pytest.mark.parametrize(
    ("code", "kind", "step"),
    [
        ("no-subscriber", taskhub.NoSubscriber, "Start a service"),
        ("start-timeout", taskhub.TaskTimeout, "start_timeout"),
        ("end-timeout", taskhub.TaskTimeout, "end_timeout"),
        ("cancelled", taskhub.TaskCancelled, "It was cancelled"),
        ("service-lost", taskhub.TaskFailed, "Look at the service"),
        ("declined", taskhub.TaskFailed, "It was declined"),
    ],
)
async def test_each_fail_has_its_error(
    hub: FakeHub, code: str, kind: type[taskhub.TaskFailed], step: str
) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        await hub.event(task.task_id, "fail", by="hub", reason=reason(code))
        for asked in (task.result, task.started):
            with pytest.raises(taskhub.TaskFailed, match=step) as caught:
                await asked()
            assert (type(caught.value), caught.value.code) == (kind, code)
            assert caught.value.reason == reason(code)


async def test_a_default_never_covers_what_is_not_allowed(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        doing = asyncio.ensure_future(client.do("secret:thing", default=1))
        await hub.refuse(await hub.expect(event="init"), "forbidden")
        with pytest.raises(taskhub.PermissionDenied, match="administrator") as caught:
            await doing
        assert caught.value.action == "secret:thing"


async def test_do_is_publishing_and_the_result(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        doing = asyncio.ensure_future(client.do("a:b", 1, settle="first", end_timeout=2))
        init = await hub.expect(event="init", payload=1, settle="first", endTimeout=2000)
        await hub.echo(init)
        await hub.event(init["taskId"], "success", result=2)
        assert await doing == 2


async def test_started_and_ended(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        started, ended = asyncio.ensure_future(task.started()), asyncio.ensure_future(task.ended())
        await hub.event(task.task_id, "start", by="svc")
        event = await started
        assert event is not None
        assert event.by == "svc"
        assert not ended.done()
        await hub.event(task.task_id, "fail", by="svc", reason=1)
        await hub.event(task.task_id, "end", by="hub")
        assert (await ended).seq == 4
    delivered: list[taskhub.Task] = []
    async with client_of(hub) as client:
        delivered.append(await published(hub, client, expect="delivery"))
        await hub.event(delivered[0].task_id, "success", by="hub", result=None)
        assert await delivered[0].started() is None


async def test_callbacks_are_told_what_has_happened_and_stay(hub: FakeHub) -> None:
    told: list[tuple[str, Any]] = []

    def note(event: taskhub.Event) -> None:
        told.append((event.kind, event.value))

    async def note_later(event: taskhub.Event) -> None:
        await asyncio.sleep(0)
        told.append((f"later {event.kind}", event.value))

    def breaks(event: taskhub.Event) -> None:
        raise ValueError("mine")

    async with client_of(hub) as client:
        task = await published(hub, client)
        await hub.event(task.task_id, "update", update=1)
        await hub.event(task.task_id, "update", update=2)
        await anext(task.updates())
        assert task.on("update", note) is note
        task.on("*", breaks)
        task.once("update", note_later)  # it has happened: told once, and that is all
        task.once("success", note)
        await hub.event(task.task_id, "update", update=3)
        await hub.event(task.task_id, "success", result=4)
        await task
        await hub.event(task.task_id, "end", by="hub")
        await task.ended()
        await asyncio.sleep(0)
        expected = [("update", 1), ("update", 2), ("later update", 1), ("update", 3)]
        assert told == [*expected, ("success", 4)]
        with pytest.raises(ValueError, match="updates"):
            task.on("updates", note)


async def test_off_takes_one_or_all_back(hub: FakeHub) -> None:
    told: list[Any] = []

    def one(event: taskhub.Event) -> None:
        told.append(("one", event.value))

    def other(event: taskhub.Event) -> None:
        told.append(("other", event.value))

    async with client_of(hub) as client:
        task = await published(hub, client)
        task.on("update", one)
        task.on("update", other)
        task.off("update", one)
        await hub.event(task.task_id, "update", update=1)
        await anext(task.updates())
        task.off("update")
        await hub.event(task.task_id, "success", result=1)
        await task
        assert told == [("other", 1)]


async def test_updates_are_values_until_it_is_settled(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        for value in (None, 0, "x"):
            await hub.event(task.task_id, "update", update=value)
        await hub.event(task.task_id, "success", result=1)
        for _ in range(2):  # each reader has them all
            assert [value async for value in task.updates()] == [None, 0, "x"]


async def test_outcomes_of_each_participant(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client, settle="all")
        for service in ("a", "b", "c", "d"):
            await hub.event(task.task_id, "start", by=service)
        await hub.event(task.task_id, "drop", by="a", outcome="success", result=1)
        await hub.event(task.task_id, "drop", by="b", outcome="fail", reason="no")
        await hub.event(task.task_id, "drop", by="c", reason="busy")
        await hub.event(task.task_id, "success", by="hub", result=[{"by": "a", "result": 1}])
        await task
        found = {by: (one.state, one.value, one.seconds) for by, one in task.outcomes.items()}
        assert found == {
            "a": ("succeeded", 1, 0.0),
            "b": ("failed", "no", 0.0),
            "c": ("dropped", "busy", 0.0),
            "d": ("started", None, None),
        }


async def test_where_an_operator_sees_it(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client, task_id="t1")
        assert task.url == hub.url.replace("ws://", "http://") + "tasks/t1/"
    client = taskhub.Client("wss://h:1/ws/", name="n", key="k", dashboard="https://see/hub/")
    assert client._dashboard == "https://see/hub"


async def test_a_task_of_an_earlier_life_from_its_first_event_on(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = client.task("t1")
        assert client.task("t1") is task
        watch = await hub.expect(cmd="watch", taskId="t1")
        assert watch["from"] == 1
        await hub.ok(watch, taskId="t1")
        await hub.event("t1", "init", action="a:b", payload=1)
        await hub.event("t1", "success", result="r")
        assert (await task, task.action) == ("r", "a:b")
        unknown = client.task("t2")
        await hub.refuse(await hub.expect(cmd="watch", taskId="t2"), "unknown-task")
        for asked in (unknown.accepted, unknown.result, unknown.ended):
            with pytest.raises(taskhub.Refused, match="Check the id"):
                await asked()


async def test_events_that_are_missing_are_asked_for(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        stamp = {"status": "ok", "taskId": task.task_id, "at": 1, "by": "svc"}
        start = {**stamp, "event": "start", "eventId": "e2", "seq": 2}
        update = {**stamp, "event": "update", "eventId": "e3", "seq": 3, "update": 7}
        await hub.say({**stamp, "event": "success", "eventId": "e4", "seq": 4, "result": 8})
        get = await hub.expect(cmd="get", what="events", taskId=task.task_id)
        assert get["from"] == 2
        await hub.say({"status": "ok", "id": get["id"], "events": [start, update]})
        assert await task == 8
        kinds = [event.kind for event in task._events]
        assert kinds == ["init", "start", "update", "success"]


async def test_a_refusal_nobody_asked_about_is_logged(
    hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(hub) as client:
        task = client.pub("secret:thing")
        await hub.refuse(await hub.expect(event="init"), "forbidden")
        await heard(hub, client)
        handle = weakref.ref(task)
        del task
        gc.collect()
        assert handle() is None
    assert "PermissionDenied" in caplog.text


class TestBounds:
    async def test_so_many_commands_may_wait(self, hub: FakeHub) -> None:
        client = taskhub.Client(hub.url, name="me", key="k", max_pending=2)
        async with client:
            first = client.pub("a:b")
            client.pub("a:b")
            with pytest.raises(taskhub.QueueFull, match="accepted"):
                client.pub("a:b")
            await hub.echo(await hub.expect(event="init"))
            await first.accepted()
            client.pub("a:b")

    async def test_what_is_larger_than_the_hub_takes_is_not_sent(self, hub: FakeHub) -> None:
        hub.first_message = {**hub.first_message, "limits": {"max_frame_bytes": 300}}
        async with client_of(hub) as client:
            with pytest.raises(taskhub.PayloadTooLarge, match="takes 300") as caught:
                client.pub("a:b", "x" * 300)
            assert caught.value.code == "too-big"
            assert hub.nothing_waits()

    async def test_a_frame_the_hub_could_not_take_is_not_sent_again(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            small, large = client.pub("a:b"), client.pub("a:b", "x" * 300)
            for _ in range(2):
                await hub.expect(event="init")
            await hub.close(1009)
            with pytest.raises(taskhub.PayloadTooLarge):
                await large.accepted()
            await hub.refuse(await hub.expect(cmd="resume"), "bad-command")
            await hub.echo(await hub.expect(event="init", payload=None))
            await small.accepted()

    async def test_what_the_hub_could_not_read_is_known_by_what_it_quotes(
        self, hub: FakeHub
    ) -> None:
        async with client_of(hub) as client:
            task = client.pub("a:b")
            init = await hub.expect(event="init")
            quoted = f'{{"cmd":"pub","id":"{init["id"]}","event":"in'
            error = {"status": "error", "error": "SyntaxError", "code": "bad-json"}
            await hub.say({**error, "message": "Too deep.", "request": quoted})
            with pytest.raises(taskhub.Refused, match="Too deep") as caught:
                await task
            assert caught.value.code == "bad-json"

    async def test_ended_tasks_and_their_inits_are_let_go(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            session = client._session
            assert session is not None
            for _ in range(20):
                task = await published(hub, client)
                await hub.event(task.task_id, "fail", by="hub", reason=1)
                await hub.event(task.task_id, "end", by="hub")
                await task.ended()
            assert (session.tasks, session.inits, len(session._outbox)) == ({}, {}, 0)
