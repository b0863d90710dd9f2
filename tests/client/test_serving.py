"""Handlers against a scripted hub: when they run, and what becomes of how they end."""

import asyncio
from typing import Any

import pytest
import taskhub
from taskhub import _service

from tests.client.fake_hub import FakeHub, client_of, during, served


async def offer(hub: FakeHub, task_id: str = "t1", **fields: Any) -> None:
    payload = fields.pop("payload", {"n": 1})
    await hub.event(task_id, "init", by="shop", action="email:send", payload=payload)


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
