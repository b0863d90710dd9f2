"""Writes by ASGI ``send``: for servers that are not ours, such as daphne."""

import asyncio
import contextlib
from typing import Any

from hub.counts import traffic
from hub.gateway.handshake import Send
from hub.router.port import Outgoing


class AsgiWriter:
    """A queue and one task that empties it.

    daphne's ``send`` returns before the bytes have left, and its close knows few of the codes
    (autobahn: 1000 and 3000 to 4999). Its protocol object, which ``send`` is bound to, knows more:
    the bytes still unsent, every close code, and how to stop reading.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._daphne = _daphne(send)
        self._queue: list[str] = []
        self._queued = 0
        self._code: int | None = None
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self.closing = False
        self._task = asyncio.get_running_loop().create_task(self._write())

    @property
    def unsent(self) -> int:
        """Bytes queued here and in the server, as far as it tells."""
        return self._queued + (_unsent(self._daphne.transport) if self._daphne else 0)

    def write(self, messages: Outgoing) -> int:
        """Queue messages; how much is unsent now."""
        if not self.closing:
            self._queue += messages.texts
            self._queued += sum(map(len, messages.texts))
            self._more.set()
        return self.unsent

    def close(self, code: int) -> None:
        """Close after what is queued."""
        self._code = code
        self.closing = True
        self._more.set()

    async def room(self, below: int) -> None:
        """Wait until less than this is unsent."""
        while self.unsent >= below and not self.closing:
            if self._queued:
                self._room.clear()
                await self._room.wait()
            else:  # it waits in the server, which does not say when it has gone
                await asyncio.sleep(0.005)

    def hold(self) -> None:
        """Read nothing more from the peer: daphne reads on and queues without a bound."""
        if self._daphne:
            self._daphne.transport.pauseProducing()

    def release(self) -> None:
        """Read on."""
        if self._daphne:
            self._daphne.transport.resumeProducing()

    async def _write(self) -> None:
        # The server raises its own kinds of error when the peer is gone; the consumer
        # hears of that by its ``websocket.disconnect``.
        with contextlib.suppress(Exception):
            while True:
                await self._more.wait()
                self._more.clear()
                batch, self._queue = self._queue, []
                for text in batch:
                    await self._send({"type": "websocket.send", "text": text})
                    self._queued -= len(text)
                    traffic.bytes_out += len(text)
                self._room.set()
                if self._code is not None and not self._queue:
                    await self._send_close(self._code)
                    break
        self.closing = True
        self._room.set()

    async def _send_close(self, code: int) -> None:
        if self._daphne:
            self._daphne.sendCloseFrame(code=code)
        else:
            await self._send({"type": "websocket.close", "code": code})

    def stop(self) -> None:
        """The connection is gone: end the task, unless it is about to close."""
        if self._code is None:
            self.closing = True
            self._room.set()
            self._task.cancel()


def _daphne(send: Send) -> Any:
    """daphne's protocol of this connection, or None: the server is another."""
    protocol = next(iter(getattr(send, "args", ())), None)
    return protocol if hasattr(protocol, "sendCloseFrame") else None


def _unsent(transport: Any) -> int:
    """Bytes that Twisted holds (``twisted.internet.abstract.FileDescriptor``)."""
    return len(getattr(transport, "dataBuffer", b"")) + int(getattr(transport, "_tempDataLen", 0))
