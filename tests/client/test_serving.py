"""Handlers against a scripted hub: when they run, and what becomes of how they end."""

import asyncio
import os
import signal
from typing import Any

import pytest
import taskhub
from taskhub import _service

from tests.client.fake_hub import FakeHub, client_of, during, heard, served


async def offer(hub: FakeHub, task_id: str = "t1", **fields: Any) -> None:
    payload = fields.pop("payload", {"n": 1})
    await hub.event(task_id, "init", by="shop", action="email:send", payload=payload, **fields)


async def test_starts_then_returns_the_result(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("email:send", group=True)
    async def send(job: taskhub.Job) -> Any:
        await job.update(None)
        return (job.payload, job.by, job.action)

    async def accept() -> None:
        subscribe = await hub.expect(cmd="sub", action="email:send", group=True)
        await offer(hub)  # an open task may arrive before the answer
        await hub.ok(subscribe)

    await during(client.__aenter__(), accept)
    await hub.echo(await hub.expect(event="start", taskId="t1"))
    update = await hub.expect(event="update")
    assert update["update"] is None
    await hub.echo(update)
    success = await hub.expect(event="success", result=[{"n": 1}, "shop", "email:send"])
    await hub.echo(success)
    await client.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("raised", "sent"),
    [
        (
            ValueError("bad"),
            {"event": "fail", "reason": {"type": "ValueError", "message": "bad"}},
        ),
        (taskhub.Drop(), {"event": "drop"}),
        (taskhub.Drop("no"), {"event": "drop", "reason": "no"}),
    ],
)
async def test_what_is_raised(hub: FakeHub, raised: Exception, sent: Any) -> None:
    client = client_of(hub)

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        raise raised

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        last = await hub.expect(**sent)
        assert ("reason" in last) == ("reason" in sent)
        await hub.echo(last)


async def test_a_result_that_is_no_json_fails_the_task(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> object:
        return object()

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await hub.echo(await hub.expect(event="fail"))


@pytest.mark.parametrize("kind", ["fail", "end"])
async def test_the_handler_is_cancelled_when_the_task_is_over(hub: FakeHub, kind: str) -> None:
    client, began, cancelled = client_of(hub), asyncio.Event(), asyncio.Event()

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert job.closed
            cancelled.set()

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await began.wait()
        await hub.event("t1", "success", result=1)  # others may go on
        await hub.event("t1", kind, by="hub", **({"reason": 1} if kind == "fail" else {}))
        await cancelled.wait()
    assert hub.nothing_waits()


async def test_a_claimed_job_never_runs(hub: FakeHub) -> None:
    client, ran = client_of(hub), []

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        ran.append(job.task_id)

    async with served(hub, client):
        await offer(hub, "t1")
        await hub.refuse(await hub.expect(event="start", taskId="t1"), "claimed")
        await offer(hub, "t2")
        await hub.echo(await hub.expect(event="start", taskId="t2"))
        await hub.echo(await hub.expect(event="success"))
    assert ran == ["t2"]


async def test_concurrency_queue_and_its_bound(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_service, "WAITING_JOBS", 2)
    client, go = client_of(hub), asyncio.Event()

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        await go.wait()

    async with served(hub, client):
        for task_id in ("runs", "over", "waits", "full"):
            await offer(hub, task_id)
        starts = [await hub.expect(event="start"), await hub.expect(event="start")]
        assert [start["taskId"] for start in starts] == ["runs", "full"]
        await hub.event("over", "end", by="hub")  # ended while it waited: not begun
        for start in starts:
            await hub.echo(start)
        full = await hub.expect(event="fail", taskId="full")
        assert full["reason"]["type"] == "OverflowError"
        await hub.echo(full)
        assert hub.nothing_waits(), "one at a time"
        go.set()
        await hub.echo(await hub.expect(event="success", taskId="runs"))
        await hub.echo(await hub.expect(event="start", taskId="waits"))
        await hub.echo(await hub.expect(event="success", taskId="waits"))


async def test_handlers_never_hold_the_read_loop(hub: FakeHub) -> None:
    client, asked = client_of(hub), []

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> Any:
        asked.append(await client.get(job.task_id, "payload"))
        return asked[0]

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        get = await hub.expect(cmd="get", taskId="t1", what="payload")
        await hub.say({"status": "ok", "payload": {"n": 1}, "id": get["id"]})
        await hub.echo(await hub.expect(event="success", result={"n": 1}))


async def test_a_refused_subscription(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("secret:thing")
    async def handle(job: taskhub.Job) -> None: ...

    async def refuse() -> None:
        await hub.refuse(await hub.expect(cmd="sub"), "forbidden")

    with pytest.raises(taskhub.Refused, match="forbidden"):
        await during(client.__aenter__(), refuse)


async def test_a_job_says_what_its_handler_says_and_nothing_twice(hub: FakeHub) -> None:
    client, errors = client_of(hub), []

    @client.sub("email:send", auto_start=False)
    async def send(job: taskhub.Job) -> str:
        assert not job.started
        await job.start()
        await job.start()
        await job.progress(1, 2, "half")
        await job.progress(2)
        await job.success("mine")
        for again in (job.drop(), job.fail(1), job.update(1), job.success()):
            try:
                await again
            except RuntimeError as error:
                errors.append(str(error))
        return "not this"

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        updates = ({"done": 1, "total": 2, "message": "half"}, {"done": 2})
        for update in updates:
            await hub.echo(await hub.expect(event="update", update=update))
        await hub.echo(await hub.expect(event="success", result="mine"))
        await heard(hub, client)
        assert [error.endswith("nothing can follow.") for error in errors] == [True] * 4


async def test_large_payloads_stay_in_the_hub_until_asked_for(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("email:send", lazy_payload=10)
    async def send(job: taskhub.Job) -> Any:
        with pytest.raises(RuntimeError, match="get_payload"):
            _ = job.payload
        assert await job.get_payload() == "large"
        return job.payload

    async def accept() -> None:
        await hub.ok(await hub.expect(cmd="sub", lazyPayload=10))

    await during(client.__aenter__(), accept)
    head = {"status": "ok", "event": "init", "eventId": "e1", "taskId": "t1", "seq": 1, "at": 1}
    await hub.say({**head, "by": "shop", "action": "email:send", "payloadSize": 1000})
    await hub.echo(await hub.expect(event="start"))
    await hub.ok(await hub.expect(cmd="get", what="payload"), payload="large")
    await hub.echo(await hub.expect(event="success", result="large"))
    await client.__aexit__(None, None, None)


@pytest.mark.parametrize("auto_cancel", [True, False])
async def test_another_ones_success_fires_cancelled(hub: FakeHub, auto_cancel: bool) -> None:
    client, went_on = client_of(hub), asyncio.Event()

    @client.sub("email:send", auto_cancel=auto_cancel)
    async def send(job: taskhub.Job) -> None:
        await job.cancelled.wait()
        await asyncio.sleep(0)  # where it would be cancelled
        went_on.set()

    async with served(hub, client):
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await hub.event("t1", "success", by="other", result=1)
        kind = "drop" if auto_cancel else "success"
        await hub.echo(await hub.expect(event=kind, taskId="t1"))
    assert went_on.is_set() is not auto_cancel


async def test_the_deadline_cancels_a_handler(hub: FakeHub) -> None:
    client, cancelled = client_of(hub), asyncio.Event()

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert job.cancelled.is_set()
            cancelled.set()

    # The clock of this hub is wherever it likes to be.
    hub.first_message = {**hub.first_message, "now": 5_000_000}
    async with served(hub, client):
        await offer(hub, endDeadline=5_000_100)
        await hub.echo(await hub.expect(event="start"))
        async with asyncio.timeout(5):
            await cancelled.wait()
    assert hub.nothing_waits(), "the task is over: there is nothing to say"


async def test_jobs_that_still_run_at_the_close_are_dropped(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        await asyncio.Event().wait()

    async def accept() -> None:
        await hub.ok(await hub.expect(cmd="sub"))

    await during(client.__aenter__(), accept)
    await offer(hub)
    await hub.echo(await hub.expect(event="start"))

    async def dropped() -> None:
        drop = await hub.expect(event="drop", taskId="t1")
        assert drop["reason"]["code"] == "shutdown"
        await hub.echo(drop)

    await during(client.close(), dropped)
    assert hub.nothing_waits()


async def test_a_last_word_on_its_way_at_the_close_is_the_last_word(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> str:
        return "done"

    async def accept() -> None:
        await hub.ok(await hub.expect(cmd="sub"))

    await during(client.__aenter__(), accept)
    await offer(hub)
    await hub.echo(await hub.expect(event="start"))
    success = await hub.expect(event="success")
    await during(client.close(), lambda: hub.echo(success))
    assert hub.nothing_waits()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_lets_jobs_finish_and_takes_no_new_ones(
    hub: FakeHub, number: signal.Signals
) -> None:
    client, go = client_of(hub), asyncio.Event()
    before = signal.getsignal(number)

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        await go.wait()

    async with served(hub, client):
        serving = asyncio.ensure_future(client.serve())
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await offer(hub, "waits")
        await heard(hub, client)
        os.kill(os.getpid(), number)
        await hub.ok(await hub.expect(cmd="unsub", action="email:send"))
        await hub.echo(await hub.expect(event="drop", taskId="waits"))
        assert not serving.done()
        go.set()
        await hub.echo(await hub.expect(event="success", taskId="t1"))
        await serving
    assert signal.getsignal(number) is before


async def test_stopping_twice_cuts_the_draining_short(hub: FakeHub) -> None:
    client = client_of(hub)

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        await asyncio.Event().wait()

    async with served(hub, client):
        serving = asyncio.ensure_future(client.serve())
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        client.stop()
        await hub.ok(await hub.expect(cmd="unsub"))
        await heard(hub, client)
        client.stop()
        await serving
        dropped = asyncio.ensure_future(client.close())
        await hub.echo(await hub.expect(event="drop"))
        await dropped
