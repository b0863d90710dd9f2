"""A WebSocket client for load: no more than it takes to keep a server busy.

It masks with a zero key (RFC 6455 §5.3 asks for unpredictable keys for the sake of
proxies, of which there are none on loopback), so a frame goes out as it is.
"""

import asyncio
import base64
from collections.abc import Callable


class LoadClient(asyncio.Protocol):
    """One connection. ``on_message`` gets the payload of each text frame."""

    def __init__(self, on_message: Callable[[bytes], None]) -> None:
        self._on_message = on_message
        self._buffer = bytearray()
        self._open = False
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's)
        """Part of asyncio.Protocol."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._buffer += data
        if not self._open:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.opened.set_exception(ConnectionError(head.decode(errors="replace")))
                return
            self._open = True
            self._buffer = bytearray(rest)
            self.opened.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        data = bytes(self._buffer)
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if end < start + size:
                break
            self._frame(data[at] & 0x0F, data[start : start + size])
            at = start + size
        self._buffer = bytearray(data[at:])

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            self._on_message(payload)
        elif opcode == 9:
            self.transport.write(_frame(0x8A, payload))

    def send(self, text: bytes) -> None:
        """Send a text frame; all of one loop turn go out in one write."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(_frame(0x81, text))

    def _flush(self) -> None:
        self.transport.write(b"".join(self._out))
        self._out.clear()


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


async def connect(
    port: int,
    on_message: Callable[[bytes], None],
    *,
    name: str = "",
    key: str = "",
    subprotocol: str | None = "taskhub.v1",
    make: Callable[[Callable[[bytes], None]], LoadClient] = LoadClient,
) -> LoadClient:
    """An open connection to a server on loopback. Raises ConnectionError."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: make(on_message), "127.0.0.1", port)
    basic = base64.b64encode(f"{name}:{key}".encode()).decode()
    lines = [
        "GET / HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Authorization: Basic {basic}",
    ]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    client.transport.write("\r\n".join([*lines, "", ""]).encode())
    await client.opened
    return client
