"""`async for job in client.sub(...)`: jobs at the pace of a loop."""

import asyncio
from typing import Any

import taskhub

from tests.client.fake_hub import FakeHub, client_of, heard
from tests.client.test_serving import offer


async def test_jobs_come_started_and_the_loop_says_what_becomes_of_them(hub: FakeHub) -> None:
    async def consume(client: taskhub.Client) -> None:
        async for job in client.sub("email:send", group=True):
            async with job:
                if job.payload == "drop":
                    raise taskhub.Drop("busy")
                if job.payload == "fail":
                    raise ValueError("no")
                await job.update(job.payload)
            if job.payload == "last":
                return

    async with client_of(hub) as client:
        consuming = asyncio.ensure_future(consume(client))
        await hub.ok(await hub.expect(cmd="sub", action="email:send", group=True))
        outcomes: dict[str, dict[str, Any]] = {
            "drop": {"event": "drop", "reason": "busy"},
            "fail": {"event": "fail", "reason": {"type": "ValueError", "message": "no"}},
            "last": {"event": "success", "result": None},
        }
        await offer(hub, "claimed")
        await hub.refuse(await hub.expect(event="start"), "claimed")
        for payload, outcome in outcomes.items():
            await offer(hub, payload, payload=payload)
            await hub.echo(await hub.expect(event="start", taskId=payload))
            if payload == "last":
                await hub.echo(await hub.expect(event="update"))
            await hub.echo(await hub.expect(taskId=payload, **outcome))
        await consuming
        await hub.ok(await hub.expect(cmd="unsub", action="email:send"))


async def test_it_ends_when_the_client_is_closed(hub: FakeHub) -> None:
    async def consume(client: taskhub.Client) -> list[str]:
        return [job.task_id async for job in client.sub("email:send")]

    async with client_of(hub) as client:
        consuming = asyncio.ensure_future(consume(client))
        await hub.ok(await hub.expect(cmd="sub"))
        await offer(hub)
        await hub.echo(await hub.expect(event="start"))
        await heard(hub, client)
        closing = asyncio.ensure_future(client.close())
        # Handed out and not finished: nobody will finish it now.
        await hub.echo(await hub.expect(event="drop"))
        await closing
        assert await consuming == ["t1"]
