"""A server in the test's own loop: uvicorn as `runhub` sets it up, over a pipeline that echoes."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from credentials.selectors import ClientGrants
from hub.core.access import Access
from hub.core.effects import Refuse
from hub.core.errors import Rejection
from hub.core.limits import Limits
from hub.core.presence import Presence
from hub.gateway import server
from hub.gateway.door import Door
from hub.gateway.websocket import HubWebSocketProtocol
from hub.protocol import encode
from hub.router.port import Outgoing, Sink
from tests.raw_peer import basic

TIMEOUT = 5.0


def grants(name: str = "mailer", **more: Any) -> ClientGrants:
    """Grants of a client, allowed everything unless told."""
    plain = ClientGrants(
        client_id=1,
        name=name,
        key_id=1,
        key_expires_at=None,
        max_connections=100,
        group=False,
        rate=None,
        sub=("*",),
        pub=("*",),
        watch=(),
    )
    return dataclasses.replace(plain, **more)


class EchoPipeline:
    """Sends each frame back to its sender, unless told to hold still."""

    def __init__(self) -> None:
        self.sinks: dict[str, Sink] = {}
        self.presences: list[Presence] = []
        self.access: dict[str, Access] = {}
        self.received: list[str] = []
        #: while set and clear, the connection that sent a frame is not read any further
        self.hold: asyncio.Event | None = None

    def connect(self, sink: Sink, access: Access, presence: Presence) -> None:
        self.sinks[sink.connection] = sink
        self.access[sink.connection] = access
        self.presences.append(presence)

    def disconnect(self, connection: str) -> None:
        del self.sinks[connection]

    def change_access(self, connection: str, access: Access) -> None:
        self.access[connection] = access

    def receive(self, sink: Sink, text: str) -> Awaitable[object] | None:
        assert sink.connection in self.sinks, "a frame of a connection that is gone"
        self.received.append(text)
        sink.send(Outgoing(text))
        return self.hold.wait() if self.hold is not None else None

    def unreadable(self, sink: Sink, rejection: Rejection) -> Awaitable[object] | None:
        sink.bad_frame()
        refuse = Refuse(to=sink.connection, rejection=rejection)
        for answer in encode.refusal(refuse, v1=sink.v1, fresh_id=""):
            sink.send(Outgoing(answer))
        return self.hold.wait() if self.hold is not None else None


class FakeAuthentication:
    """Names and keys from a dictionary; `held` makes each handshake wait for it."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], ClientGrants] = {("mailer", "k"): grants()}
        self.number = 1
        self.seen: list[set[int]] = []
        self.asked: list[Collection[tuple[str, str]]] = []
        self.held: asyncio.Event | None = None
        self.broken = False

    async def authenticate(
        self, pairs: Collection[tuple[str, str]]
    ) -> tuple[int, ClientGrants | None]:
        self.asked.append(pairs)
        as_of = self.number
        if self.broken:
            raise OSError("disk I/O error")
        found = next((self.known[pair] for pair in pairs if pair in self.known), None)
        if self.held is not None:
            await self.held.wait()
        return as_of, found

    async def revision(self) -> int:
        return self.number

    async def current_grants(self, key_ids: Collection[int]) -> dict[int, ClientGrants]:
        return {one.key_id: one for one in self.known.values() if one.key_id in key_ids}

    async def note_seen(self, key_ids: Collection[int]) -> None:
        self.seen.append(set(key_ids))

    def stop(self) -> None:
        return


class FakeRuntime:
    """As much of a runtime as the gateway looks at."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pipeline = EchoPipeline()
        self.epoch = "epoch-1"
        self.version = "1.2.3"
        self.draining = False

    def clock(self) -> int:
        return 1_700_000_000_000


class RawSocket:
    """A peer that is not held to any protocol."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> str:
        """The head of the answer."""
        async with asyncio.timeout(TIMEOUT):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        async with asyncio.timeout(TIMEOUT):
            return await self.reader.read()

    def stop_reading(self) -> None:
        """Let what the server sends pile up there."""
        cast("asyncio.ReadTransport", self.writer.transport).pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        cast("asyncio.ReadTransport", self.writer.transport).resume_reading()


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame (RFC 6455 §5.2), masked with zeros."""
    size = len(data)
    head = bytes([0x80 | opcode if fin else opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + bytes(4) + data


CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def _request(headers: Mapping[str, str]) -> bytes:
    lines = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
        "Authorization": basic("mailer", "k"),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    path = lines.pop("path", "/")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1")


class Hub:
    """The server under test."""

    def __init__(self, limits: Limits) -> None:
        self.runtime = FakeRuntime(limits)
        self.pipeline = self.runtime.pipeline
        self.authentication = FakeAuthentication()
        self.door = Door(limits, cast("Any", self.pipeline), cast("Any", self.authentication))
        self.server: server.HubServer
        self.port = 0

    async def open(self) -> tuple[FakeRuntime, Door]:
        """Stands in for the entrance of the process."""
        return self.runtime, self.door

    def listens(self, port: int) -> None:
        """The server says that it is ready."""
        self.port = port

    async def start(self, listener: socket.socket) -> None:
        """What `Server.serve` does before it waits for a signal, which takes it 0.1 s to notice."""
        config = self.server.config
        config.load()
        self.server.lifespan = config.lifespan_class(config)
        await self.server.startup([listener])

    async def end(self) -> None:
        """What `Server.serve` does after a signal."""
        await self.server.shutdown()

    async def vanish(self) -> None:
        """End without manners, and so at once; nothing may be left."""
        state = self.server.server_state
        for one in self.server.servers:
            one.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await eventually(lambda: not state.connections and not state.tasks)

    async def drain(self) -> None:
        """Stands in for the entrance of the process."""
        self.runtime.draining = True
        self.door.drain()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def protocols(self) -> list[HubWebSocketProtocol]:
        """Open WebSockets as the server holds them."""
        found = self.server.server_state.connections
        return [one for one in found if isinstance(one, HubWebSocketProtocol)]

    async def client(
        self, name: str = "mailer", key: str = "k", *, v1: bool = False, **more: Any
    ) -> ClientConnection:
        """A connected client; its user closes it, or the end of the server does."""
        subprotocols = [Subprotocol("taskhub.v1")] if v1 else None
        return await connect(
            self.url,
            **{
                "additional_headers": {"Authorization": basic(name, key)},
                "subprotocols": subprotocols,
                "compression": None,
                "open_timeout": TIMEOUT,
                "close_timeout": TIMEOUT,
                "proxy": None,
                **more,
            },
        )

    @contextlib.asynccontextmanager
    async def silent(self) -> AsyncIterator[RawSocket]:
        """A TCP connection on which nothing was said."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield RawSocket(reader, writer)
        finally:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def raw(self, **headers: str) -> AsyncIterator[RawSocket]:
        """A TCP connection on which a WebSocket was asked for."""
        async with self.silent() as peer:
            peer.writer.write(_request(headers))
            yield peer

    @contextlib.asynccontextmanager
    async def accepted(self, **headers: str) -> AsyncIterator[RawSocket]:
        """A WebSocket of which the test sees every byte."""
        async with self.raw(**headers) as peer:
            assert (await peer.head()).startswith("HTTP/1.1 101 ")
            yield peer


async def eventually(condition: Callable[[], object], timeout: float = TIMEOUT) -> None:  # noqa: ASYNC109
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


Serving = Callable[..., AbstractAsyncContextManager[Hub]]
