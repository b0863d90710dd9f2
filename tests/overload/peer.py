"""A WebSocket client for the load process: cheap, and it hears how it was closed."""

import asyncio
import base64
import socket
import time
from collections.abc import Callable
from typing import Self, cast

from benchmarks.wire import LoadClient

OnMessage = Callable[[bytes], None]


class Client(LoadClient):
    """One connection that knows its close code, and when its socket takes no more."""

    def __init__(self, on_message: OnMessage) -> None:
        super().__init__(on_message)
        #: the code of the hub's close frame, or None
        self.code: int | None = None
        self.closed_at = 0.0
        self.takes = asyncio.Event()
        self.takes.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 8:
            self.code = int.from_bytes(payload[:2], "big")
            self.closed_at = time.monotonic()
            self.transport.write(b"\x88\x82\0\0\0\0" + payload[:2])
        super()._frame(opcode, payload)

    def _flush(self) -> None:
        if self.transport.is_closing():
            self._out.clear()
        else:
            super()._flush()

    def pause_writing(self) -> None:
        """Part of asyncio.Protocol."""
        self.takes.clear()

    def resume_writing(self) -> None:
        """Part of asyncio.Protocol."""
        self.takes.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.takes.set()
        super().connection_lost(exc)
        if self.opened.done():
            self.opened.exception()  # seen, whether or not somebody still waits for it

    @classmethod
    async def connect(
        cls,
        port: int,
        on_message: OnMessage,
        *,
        name: str,
        key: str,
        address: str = "127.0.0.1",
        receive_buffer: int | None = None,
        send_buffer: int | None = None,
    ) -> Self:
        """A connection in v1, from this loopback address. Raises OSError."""
        loop = asyncio.get_running_loop()
        plain = socket.socket()
        try:
            plain.setblocking(False)
            if receive_buffer is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if send_buffer is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            plain.bind((address, 0))
            await loop.sock_connect(plain, ("127.0.0.1", port))
            _, client = await loop.create_connection(lambda: cls(on_message), sock=plain)
        except BaseException:
            plain.close()
            raise
        try:
            client.transport.write(handshake(name, key))
            await client.opened
        except BaseException:
            client.transport.abort()
            raise
        return client


def handshake(name: str, key: str) -> bytes:
    """The request that opens a v1 connection."""
    basic = base64.b64encode(f"{name}:{key}".encode()).decode()
    lines = (
        "GET / HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Authorization: Basic {basic}",
        "Sec-WebSocket-Protocol: taskhub.v1",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def percentile(values: list[float], percent: float) -> float:
    """The value below which so many percent are; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
