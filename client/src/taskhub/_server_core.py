"""The server's own core, where it is installed beside the client: the truest hub for a test.

It is loaded by name and not imported: the client stands alone, and works where there is no server.
"""

import asyncio
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from websockets.asyncio.server import ServerConnection

from taskhub._wire import SUBPROTOCOL

_MODULES: Final = (
    *("hub.clock_and_ids", "hub.core.access", "hub.core.engine", "hub.core.limits"),
    *("hub.core.presence", "hub.core.values", "hub.journal.memory", "hub.pipeline"),
    *("hub.protocol.encode", "hub.protocol.frames", "hub.router.local", "hub.router.presence"),
)


def server_core(start_s: float, end_s: float, grace_s: float) -> "ServerCore | None":
    """The server's core with these default timeouts, or None: it is not installed here."""
    try:
        server = {name.removeprefix("hub."): import_module(name) for name in _MODULES}
    except ImportError:
        return None
    start, end, grace = (max(1, round(seconds * 1000)) for seconds in (start_s, end_s, grace_s))
    return ServerCore(server, start_ms=start, end_ms=end, grace_ms=grace)


class Sink:
    """One connection as the server's router sees it."""

    v1 = True
    lazy_payload: int | None = None

    def __init__(self, socket: ServerConnection, connection: str, token: str) -> None:
        self.connection = connection
        self.token = token
        self._socket = socket
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._closing: asyncio.Task[None] | None = None

    def send(self, messages: Any) -> None:
        """Part of the server's ``Sink``."""
        for text in messages.texts:
            self.tell(text)

    def tell(self, text: str) -> None:
        """Queue one message."""
        self._outbox.put_nowait(text)

    async def write(self) -> None:
        """Send what is queued, for ever."""
        while True:
            await self._socket.send(await self._outbox.get())

    async def room(self) -> None:
        """Part of the server's ``Sink``: there is always room."""

    def close(self, code: int) -> None:
        """Part of the server's ``Sink``."""
        self._closing = asyncio.get_running_loop().create_task(self._socket.close(code))

    def bad_frame(self) -> None:
        """Part of the server's ``Sink``."""


class ServerCore:
    """The hub's pipeline with a journal in memory. Made and used on one event loop."""

    def __init__(
        self, server: dict[str, ModuleType], *, start_ms: int, end_ms: int, grace_ms: int
    ) -> None:
        self._server = server
        self._limits = server["core.limits"].Limits(
            start_timeout_ms=start_ms, end_timeout_ms=end_ms, resume_grace_ms=grace_ms
        )
        self._clock = server["clock_and_ids"].wall_clock()
        self._new_id = server["clock_and_ids"].fresh_ids()
        self._epoch = self._new_id()
        self._pipeline = server["pipeline"].Pipeline(
            engine=server["core.engine"].Engine(self._limits, self._new_id, 0, self._epoch),
            journal=server["journal.memory"].MemoryJournal(),
            router=server["router.local"].LocalRouter(server["router.presence"].Roll()),
            rules=server["protocol.frames"].Rules(
                strict_actions=True,
                max_nesting=self._limits.max_nesting,
                max_start_timeout=self._limits.max_start_timeout_ms,
                max_end_timeout=self._limits.max_end_timeout_ms,
            ),
            max_watches=self._limits.max_watches,
            clock=self._clock,
            new_id=self._new_id,
        )

    async def serve(self, socket: ServerConnection, client: str) -> None:
        """Serve one connection, to its end."""
        server, pipeline = self._server, self._pipeline
        sink = Sink(socket, self._new_id(), server["core.values"].Token(self._new_id()))
        sink.tell(self._welcome(sink))
        writer = asyncio.create_task(sink.write())
        rights = server["core.access"].access(client, sub=["*"], pub=["*"], watch=["*"])
        pipeline.connect(sink, rights, self._presence(sink, client))
        try:
            async for frame in socket:
                text = frame if isinstance(frame, str) else frame.decode()
                if (pending := pipeline.receive(sink, text)) is not None:
                    await pending
        finally:
            writer.cancel()
            pipeline.disconnect(sink.connection)

    async def stop(self) -> None:
        """Let go of its threads."""
        await self._pipeline.stop()

    def _presence(self, sink: Sink, client: str) -> Any:
        presence = self._server["core.presence"].Presence
        return presence(
            connection=sink.connection,
            client=client,
            address="",
            protocol=SUBPROTOCOL,
            since=self._clock(),
        )

    def _welcome(self, sink: Sink) -> str:
        message: str = self._server["protocol.encode"].welcome(
            connection_id=sink.connection,
            session=str(sink.token),
            epoch=self._epoch,
            hub="memory",
            limits={"max_frame_bytes": self._limits.max_frame_bytes},
            now=self._clock(),
        )
        return message
