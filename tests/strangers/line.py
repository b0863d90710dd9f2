"""A connection down to its bytes, for peers that keep to no rule."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import NamedTuple, cast

from tests.hub_process import HubProcess
from tests.raw_peer import JSON, basic

#: Seconds anything may take.
TIMEOUT = 10.0
V1, LEGACY = "v1", "legacy"
VERSIONS = (V1, LEGACY)

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x11\x22\x33\x44",
    length: bytes | None = None,
) -> bytes:
    """A frame (RFC 6455 §5.2); ``length`` replaces the bytes that say how long it is."""
    size = len(data)
    if length is None:
        if size < 126:
            length = bytes([size])
        elif size < 65_536:
            length = b"\x7e" + size.to_bytes(2, "big")
        else:
            length = b"\x7f" + size.to_bytes(8, "big")
    masked = 0x80 if mask is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode, length[0] | masked]) + length[1:]
    if mask is None:
        return head + data
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(size)


def _integer(digits: str) -> int | str:
    """A number; as text when it is longer than Python cares to convert."""
    return int(digits) if len(digits) < 20 else digits


class Message(NamedTuple):
    """A frame of the hub."""

    opcode: int
    data: bytes

    @property
    def close_code(self) -> int | None:
        """What a close frame says; None: it says nothing."""
        return int.from_bytes(self.data[:2]) if self.data else None


class Line:
    """One TCP connection to a hub."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._ended = False

    def send(self, *chunks: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(b"".join(chunks))

    def end(self) -> None:
        """Send nothing more; the connection may be gone already."""
        self._ended = True
        with contextlib.suppress(OSError):
            self.writer.write_eof()

    def vanish(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()

    async def head(self) -> str:
        """The head of an HTTP answer; what there is of it when the hub ends the connection."""
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            head = error.partial
        except ConnectionError:
            head = b""
        except TimeoutError:
            raise AssertionError("no answer to the handshake") from None
        return head.decode("latin-1")

    async def message(self) -> Message | None:
        """The next frame; None: the hub has ended the connection."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._message()
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except TimeoutError:
            raise AssertionError("the hub says nothing") from None

    async def _message(self) -> Message:
        first, size = await self.reader.readexactly(2)
        assert first & 0xF0 == 0x80, "whole frames, no reserved bits"
        assert size < 128, "a server masks nothing (RFC 6455 §5.1)"
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
        return Message(first & 15, await self.reader.readexactly(size))

    async def until_end(self) -> list[Message]:
        """All that is still to come; a close frame is answered."""
        messages = []
        while (message := await self.message()) is not None:
            messages.append(message)
            if message.opcode == CLOSE and not self._ended:
                self.send(frame(CLOSE, message.data))
        return messages

    async def json(self) -> JSON | None:
        """The next text message; None: the hub has closed the connection."""
        message = await self.message()
        if message is None or message.opcode == CLOSE:
            return None
        assert message.opcode == TEXT, "messages are text (§2.4)"
        return cast("JSON", json.loads(message.data, parse_int=_integer))


def request(headers: Mapping[str, str | None], line: str = "GET / HTTP/1.1") -> bytes:
    """A handshake, with these headers instead of or beside the usual ones; None: without."""
    usual = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    lines = (
        f"{name}: {value}\r\n" for name, value in {**usual, **headers}.items() if value is not None
    )
    return f"{line}\r\n{''.join(lines)}\r\n".encode("latin-1")


@contextlib.asynccontextmanager
async def dialled(hub: HubProcess) -> AsyncIterator[Line]:
    """A TCP connection on which nothing was said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=2**24)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(hub: HubProcess, name: str, version: str = V1) -> AsyncIterator[Line]:
    """A WebSocket of this client."""
    more = {"Authorization": basic(name, hub.keys[name])}
    if version == V1:
        more["Sec-WebSocket-Protocol"] = "taskhub.v1"
    async with dialled(hub) as line:
        line.send(request(more))
        head = await line.head()
        assert head.startswith("HTTP/1.1 101 "), head
        if version == V1:
            welcome = await line.json()
            assert welcome is not None
            assert welcome["type"] == "welcome"
        yield line


_numbers = itertools.count(1)


class Mark:
    """A frame whose answer tells that all before it are answered, on v1 and on legacy alike."""

    def __init__(self) -> None:
        self.text = f'{{"cmd":"mark-{next(_numbers)}"}}'

    @property
    def data(self) -> bytes:
        """As a WebSocket frame."""
        return frame(TEXT, self.text.encode())

    def is_answer(self, message: JSON) -> bool:
        """Whether the hub has come this far."""
        return message.get("status") == "error" and message.get("request") == self.text

    async def reached(self, line: Line) -> list[JSON]:
        """All messages before the answer. Fails when the connection ends first."""
        before: list[JSON] = []
        while True:
            message = await line.json()
            assert message is not None, f"the hub has closed the connection after {before[-3:]}"
            if self.is_answer(message):
                return before
            before.append(message)


def texts(frames: Iterable[str | bytes]) -> bytes:
    """WebSocket frames: text for text, binary for bytes."""
    return b"".join(
        frame(TEXT, one.encode()) if isinstance(one, str) else frame(BINARY, one) for one in frames
    )
