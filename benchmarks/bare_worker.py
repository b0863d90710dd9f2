"""The frames of `benchmarks.client_worker` and nothing else: `websockets`, bytes cut and pasted.

The least that a Python client pays which uses this library: nothing is parsed, kept or sent again.
Arguments and lines as for the other.
"""

import asyncio
import base64
import os
import sys
from collections.abc import Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.client_worker import IN_FLIGHT

_PAYLOAD = b'{"to":"someone@example.org","subject":"hello","n":12345}'


async def _send(connection: ClientConnection, event: bytes, task: bytes, fields: bytes) -> None:
    event_id = os.urandom(16).hex().encode()
    await connection.send(
        b'{"cmd":"pub","id":"%b","event":"%b","eventId":"%b","taskId":"%b"%b}'
        % (event_id, event, event_id, task, fields),
        text=True,
    )


async def publish(connection: ClientConnection, action: str, count: int) -> None:
    """Put this many tasks through, a window of them in flight."""
    fields = b',"action":"%b","payload":%b' % (action.encode(), _PAYLOAD)
    left = pending = count

    async def one() -> None:
        nonlocal left
        left -= 1
        await _send(connection, b"init", os.urandom(16).hex().encode(), fields)

    for _ in range(min(IN_FLIGHT, count)):
        await one()
    while pending:
        message = await connection.recv(decode=False)
        if b'"status":"error"' in message:
            raise RuntimeError(message.decode())
        # The last of a task: all of its frames have been received then.
        if b'"event":"end"' in message:
            pending -= 1
            if left:
                await one()


async def serve(connection: ClientConnection) -> None:
    """Start and succeed with whatever is offered."""
    while True:
        message = await connection.recv(decode=False)
        if b'"status":"error"' in message:
            raise RuntimeError(message.decode())
        if b'"event":"init"' in message:
            at = message.index(b'"taskId":"') + 10
            task = message[at : message.index(b'"', at)]
            await _send(connection, b"start", task, b"")
            await _send(connection, b"success", task, b',"result":{"ok":true}')


async def _first(*works: Coroutine[Any, Any, Any]) -> None:
    """Until one of them ends, or breaks."""
    tasks = [asyncio.create_task(work) for work in works]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        task.result()


async def main(role: str, action: str) -> None:
    """Do what stdin says."""
    basic = base64.b64encode(f"{os.environ['TASKHUB_NAME']}:{os.environ['TASKHUB_KEY']}".encode())
    async with connect(
        os.environ["TASKHUB_URL"],
        additional_headers={"Authorization": f"Basic {basic.decode()}"},
        subprotocols=[Subprotocol("taskhub.v1")],
        compression=None,
        proxy=None,
    ) as connection:
        await connection.recv()
        if role == "service":
            await connection.send(f'{{"cmd":"sub","id":"s","action":"{action}"}}')
            await connection.recv()
            print("ready", flush=True)
            await _first(serve(connection), asyncio.to_thread(sys.stdin.readline))
            return
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await publish(connection, action, int(line.split()[1]))
            print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
