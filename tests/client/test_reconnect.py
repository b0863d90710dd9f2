"""What happens after a connection is lost, against a scripted hub."""

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
import taskhub
from taskhub._backoff import Backoff

from tests.client.fake_hub import JSON, WELCOME, FakeHub, client_of, heard, published, served


async def resumed(hub: FakeHub, *, resumed: bool) -> JSON:
    """Answer the client's question whether it may go on where it was."""
    resume = await hub.expect(cmd="resume", session="s1", epoch="e1")
    await hub.ok(resume, resumed=resumed)
    return resume


def accepted(client: taskhub.Client) -> None:
    @client.sub("email:send")
    async def send(job: taskhub.Job) -> Any:
        await job.update(1)
        return "sent"


async def offer(hub: FakeHub, task_id: str = "t1") -> None:
    await hub.event(task_id, "init", by="shop", action="email:send", payload=1)


def test_waits_grow_and_have_full_jitter() -> None:
    backoff = Backoff(first=1, longest=8)
    waits = []
    for _ in range(200):
        backoff.reset()
        waits.append([backoff.next() for _ in range(6)])
    for place, most in enumerate((1, 2, 4, 8, 8, 8)):
        column = [few[place] for few in waits]
        assert min(column) >= 0
        assert max(column) <= most
        assert min(column) < most / 4
        assert max(column) > most * 3 / 4


async def test_a_resumed_connection_goes_on_where_it_was(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client, task_id="t1")
        await hub.event("t1", "start")
        await task.started()
        hub.cut()
        resume = await resumed(hub, resumed=True)
        assert resume["tasks"] == {"t1": 2}
        await hub.event("t1", "success", result=1)
        assert await task == 1
        assert hub.nothing_waits()


@pytest.mark.parametrize("refused", [True, False])
async def test_a_connection_that_is_not_resumed_asks_what_it_has_missed(
    hub: FakeHub, refused: bool
) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client, task_id="t1")
        hub.cut()
        if refused:
            await hub.refuse(await hub.expect(cmd="resume"), "bad-command")
        else:
            await resumed(hub, resumed=False)
        # The init again, with the same ids: from now on the hub tells this connection (D14).
        init = await hub.expect(event="init", taskId="t1", payload={"a": 1})
        head = {"status": "ok", "taskId": "t1", "at": 1, "by": "me"}
        first = {**head, "event": "init", "eventId": init["eventId"], "seq": 1, "payload": {"a": 1}}
        await hub.say({**first, "id": init["id"]})
        get = await hub.expect(cmd="get", what="events", taskId="t1")
        assert get["from"] == 2
        success = {**head, "event": "success", "eventId": "e2", "seq": 2, "result": 5}
        end = {**head, "event": "end", "eventId": "e3", "seq": 3}
        await hub.say({"status": "ok", "id": get["id"], "events": [success, end]})
        assert await task == 5
        assert [event.kind async for event in task] == ["init", "success", "end"]


async def test_the_unanswered_is_sent_again_with_the_same_ids_after_the_subscriptions(
    hub: FakeHub,
) -> None:
    client = client_of(hub)
    accepted(client)
    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        update = await hub.expect(event="update")
        task = client.pub("a:b", task_id="t2")
        init = await hub.expect(event="init")
        hub.cut()
        await resumed(hub, resumed=False)
        start = await hub.expect(event="start", taskId="t1")  # takes its participation over
        await hub.ok(start, message="nothing changed")
        await hub.ok(await hub.expect(cmd="sub", action="email:send"))
        assert [await hub.command(), await hub.command()] == [update, init]
        await hub.echo(update)
        await hub.echo(init)
        while (command := await hub.command()).get("event") != "success":
            # What makes sure of both, a few times.
            await hub.ok(command, message="nothing changed", events=[])
        await hub.echo(command)
        assert (await task.accepted()).kind == "init"


async def test_an_outcome_that_finds_a_stranger_is_told_again(hub: FakeHub) -> None:
    """The hub has not noticed yet that the old connection, which has the job, is dead."""
    client = client_of(hub)
    accepted(client)
    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await hub.expect(event="update")
        hub.cut()
        await resumed(hub, resumed=True)
        update = await hub.expect(event="update")
        await hub.refuse(update, "unknown-task")
        assert await hub.command() == update
        await hub.echo(update)
        success = await hub.expect(event="success", result="sent")
        await hub.refuse(success, "unavailable", retry=True)
        assert await hub.command() == success
        await hub.echo(success)


async def test_an_offer_made_anew_does_not_run_a_job_again(hub: FakeHub) -> None:
    client, runs = client_of(hub), []

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        runs.append(job.task_id)

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await hub.echo(await hub.expect(event="success"))
        await heard(hub, client)
        hub.cut()
        await resumed(hub, resumed=False)
        await hub.ok(await hub.expect(cmd="sub"))
        await offer(hub, "t1")
        await offer(hub, "t2")
        await hub.echo(await hub.expect(event="start", taskId="t2"))
        await hub.echo(await hub.expect(event="success", taskId="t2"))
    assert runs == ["t1", "t2"]


async def test_watches_begin_anew(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        watching = asyncio.ensure_future(client.watch("email"))
        await hub.ok(await hub.expect(cmd="watch", action="email"))
        events = await watching
        task = client.task("t1")
        await hub.ok(await hub.expect(cmd="watch", taskId="t1"))
        await hub.event("t1", "init", action="email:send", payload=1)
        await task.accepted()
        hub.cut()
        await resumed(hub, resumed=False)
        await hub.ok(await hub.expect(cmd="watch", action="email"))
        again = await hub.expect(cmd="watch", taskId="t1")
        assert again["from"] == 2
        await hub.ok(again)
        await hub.event("t1", "success", result=1)
        assert await task == 1
        assert [(await anext(events)).kind for _ in range(2)] == ["init", "success"]


async def test_another_database_knows_nothing_of_the_old_tasks(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        unanswered = client.pub("a:b")
        await hub.expect(event="init")
        hub.first_message = {**WELCOME, "epoch": "e2"}
        hub.cut()
        await hub.echo(await hub.expect(event="init", taskId=unanswered.task_id))
        await unanswered.accepted()
        with pytest.raises(taskhub.ConnectionLost, match="another database"):
            await task


async def test_a_key_that_is_refused_stops_it_at_once(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        serving = asyncio.ensure_future(client.serve())
        hub.refuse_with = HTTPStatus.UNAUTHORIZED
        hub.cut()
        for waiting in (serving, task.result()):
            with pytest.raises(taskhub.AuthenticationError):
                await waiting
        assert hub.handshakes == 2


async def test_other_refusals_do_not_stop_it(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        hub.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
        hub.cut()
        await hub.tried(3)
        hub.refuse_with = None
        await resumed(hub, resumed=True)
        await hub.event(task.task_id, "success", result=1)
        assert await task == 1


async def test_a_subscription_that_is_not_allowed_any_more_ends_serve(hub: FakeHub) -> None:
    client = client_of(hub)
    accepted(client)
    async with served(hub, client):
        serving = asyncio.ensure_future(client.serve())
        hub.cut()
        await resumed(hub, resumed=False)
        await hub.refuse(await hub.expect(cmd="sub"), "forbidden")
        with pytest.raises(taskhub.PermissionDenied):
            await serving


async def test_closing_while_away(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        hub.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
        hub.cut()
        await hub.tried(2)
    with pytest.raises(taskhub.ConnectionLost, match="closed"):
        await task
    with pytest.raises(taskhub.ConnectionLost):
        client.pub("a:b")


async def test_closing_while_away_does_not_wait_for_what_cannot_be_told(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskhub._service._TIDY_UP", 0.05)
    monkeypatch.setattr("taskhub._session._TIDY_UP", 0.05)
    client, ended = client_of(hub), asyncio.Event()

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await heard(hub, client)
        hub.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
        hub.cut()
        await hub.tried(2)
    assert ended.is_set()


async def test_a_connection_that_was_lost_at_once_is_not_the_one_to_resume(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        hub.first_message = {**WELCOME, "session": "s2"}
        hub.cut()
        await hub.expect(cmd="resume", session="s1")
        hub.cut()  # before it has answered: s2 has nothing yet
        await resumed(hub, resumed=True)
        await heard(hub, client)
        hub.cut()
        await hub.ok(await hub.expect(cmd="resume", session="s2"), resumed=True)
        await hub.event(task.task_id, "success", result=1)
        assert await task == 1


async def test_an_init_that_was_not_answered_is_resumed_from_its_first_event(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = client.pub("a:b", task_id="t1")
        init = await hub.expect(event="init")
        hub.cut()
        assert (await resumed(hub, resumed=True))["tasks"] == {"t1": 0}
        await hub.event("t1", "init", by="me", action="a:b", payload=None)
        await hub.event("t1", "success", result=1)
        assert await hub.command() == init
        assert await task == 1


async def test_who_has_been_replaced_does_not_come_back(hub: FakeHub) -> None:
    async with client_of(hub) as client:
        task = await published(hub, client)
        await hub.close(4409)
        with pytest.raises(taskhub.ConnectionLost) as caught:
            await task
        assert caught.value.code == 4409
        assert hub.handshakes == 1
