"""One `taskhub` client as a process of its own: a publisher or a service.

``python -m benchmarks.client_worker publisher|service ACTION``, with the address in TASKHUB_URL,
TASKHUB_NAME and TASKHUB_KEY. Says ``ready``. A publisher does what stdin says and answers ``done``:
``run COUNT`` puts so many tasks through, ``hold COUNT`` leaves so many open. Ends with its stdin.
"""

import asyncio
import sys
from typing import Any

import taskhub

IN_FLIGHT = 64
PAYLOAD = {"to": "someone@example.org", "subject": "hello", "n": 12345}


async def work(_job: taskhub.Job) -> dict[str, bool]:
    """The handler: no work at all."""
    return {"ok": True}


async def run(client: taskhub.Client, action: str, count: int) -> None:
    """Put this many tasks through, a window of them in flight."""
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in numbers:
            await client.do(action, PAYLOAD)

    await asyncio.gather(*(one_after_the_other() for _ in range(IN_FLIGHT)))


async def hold(client: taskhub.Client, count: int) -> list[taskhub.Task]:
    """Tasks that nobody takes."""
    timeouts: dict[str, Any] = {"start_timeout": 600, "end_timeout": 600}
    tasks = [client.pub("bench:open", PAYLOAD, **timeouts) for _ in range(count)]
    for task in tasks:
        await task.accepted()
    return tasks


async def main(role: str, action: str) -> None:
    """Do what stdin says."""
    client = taskhub.Client()
    if role == "service":
        client.sub(action, concurrency=IN_FLIGHT)(work)
    held: list[taskhub.Task] = []
    async with client:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, count = line.split()
            if word == "run":
                await run(client, action, int(count))
            else:
                held += await hold(client, int(count))
            print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
