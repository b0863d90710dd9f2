"""Writes by ASGI ``send``: for servers that are not ours, such as daphne."""

import asyncio
import contextlib

from hub.gateway.handshake import Send
from hub.router.port import Outgoing


class AsgiWriter:
    """A queue and one task that empties it.

    ``send`` of daphne returns before the bytes have left, so ``unsent`` counts what waits here
    and not what waits in the server (README: why ``runhub`` is the better one).
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: list[Outgoing] = []
        self._code: int | None = None
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self.unsent = 0
        self.closing = False
        self._task = asyncio.get_running_loop().create_task(self._write())

    def write(self, message: Outgoing) -> None:
        """Queue one message."""
        if self.closing:
            return
        self._queue.append(message)
        self.unsent += len(message.text)
        self._more.set()

    def close(self, code: int) -> None:
        """Close after what is queued."""
        self._code = code
        self.closing = True
        self._more.set()

    async def room(self, below: int) -> None:
        """Wait until less than this is queued."""
        while self.unsent >= below and not self.closing:
            self._room.clear()
            await self._room.wait()

    async def _write(self) -> None:
        # The server raises its own kinds of error when the peer is gone; the consumer
        # hears of that by its ``websocket.disconnect``.
        with contextlib.suppress(Exception):
            while True:
                await self._more.wait()
                self._more.clear()
                batch, self._queue = self._queue, []
                for message in batch:
                    await self._send({"type": "websocket.send", "text": message.text})
                    self.unsent -= len(message.text)
                self._room.set()
                if self._code is not None and not self._queue:
                    await self._send({"type": "websocket.close", "code": self._code})
                    break
        self.closing = True
        self._room.set()

    def stop(self) -> None:
        """The connection is gone: end the task, unless it is about to close."""
        if self._code is None:
            self.closing = True
            self._room.set()
            self._task.cancel()
