"""What the hub adds to uvicorn: joined writes, honest keepalive, and a drain before the end.

``DirectWriter`` bypasses ASGI ``send`` for messages: frames that were made once for all receivers
go into the transport with one write a loop turn. Half of the CPU of a naive server is ``write``.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hub.protocol import encode
from hub.router.port import Outgoing, websocket_frame

#: Key of the writer in ``scope["extensions"]``.
EXTENSION = "taskhub.direct"
#: A peer that does not answer a close frame, or read what is left for it, is cut after this.
CLOSE_TIMEOUT_S = 5.0
TOO_BIG = 1009


class DirectWriter:
    """Writes frames of one connection straight to its transport."""

    def __init__(self, protocol: "HubWebSocketProtocol") -> None:
        self._protocol = protocol
        self._frames: list[bytes] = []
        self._queued = 0

    @property
    def unsent(self) -> int:
        """Bytes queued here and in the transport."""
        return self._queued + self._protocol.transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        """Whether nothing more can be written."""
        protocol = self._protocol
        return protocol.close_sent or protocol.disconnected or protocol.transport.is_closing()

    def write(self, message: Outgoing) -> None:
        """Queue one frame until the end of this loop turn."""
        frame = message.frame
        if not self._frames:
            self._protocol.loop.call_soon(self.flush)
        self._frames.append(frame)
        self._queued += len(frame)

    def flush(self) -> None:
        """Hand everything queued to the transport in one write."""
        frames, self._frames, self._queued = self._frames, [], 0
        if frames and not self.closing:
            self._protocol.transport.write(b"".join(frames))

    def close(self, code: int) -> None:
        """Send what is queued, then the close frame."""
        self.flush()
        self._protocol.close_with(code)

    async def room(self, below: int) -> None:
        """Wait until less than this is unsent; the transport's own flow control tells."""
        while self.unsent >= below and not self.closing:
            await self._protocol.writable.wait()
            await asyncio.sleep(0)


class HubWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's sans-I/O WebSocket protocol with the hub's manners (docs/protocol.md §2.6)."""

    _heard_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        super().connection_made(transport)
        self._heard_at = self.loop.time()

    def handle_connect(self, event: object) -> None:
        """Offer the direct writer to the application."""
        super().handle_connect(event)  # type: ignore[arg-type]
        if not self.close_sent:
            extensions: dict[str, object] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[EXTENSION] = DirectWriter(self)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._heard_at = self.loop.time()
        super().data_received(data)

    async def send(self, message: Any) -> None:
        """Part of the ASGI interface."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # uvicorn would log an error: it takes a refused handshake for a forgotten one.
            self.handshake_complete = True

    def close_with(self, code: int) -> None:
        """Send a close frame behind what is written, whether the peer reads or not."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """A frame that cannot be read; v1 is told why when it was too big (§2.4)."""
        sent = self.conn.close_sent
        if sent is not None and sent.code == TOO_BIG and "taskhub.v1" in self._accepted():
            self.transport.write(websocket_frame(encode.closing(TOO_BIG)))
        super().handle_parser_exception()

    def _accepted(self) -> str:
        return self.response.headers.get("Sec-WebSocket-Protocol", "")

    # Keepalive: uvicorn pings busy connections too, and takes one whose reading it has paused
    # itself for dead. This one asks the silent only, and waits while it does not listen.

    def schedule_ping(self) -> None:
        """Wake when the peer will have been silent for the interval."""
        assert self.ping_interval is not None
        silent = self.loop.time() - self._heard_at
        self.ping_timer = self.loop.call_later(
            max(0.0, self.ping_interval - silent), self._ask_if_silent
        )

    def _ask_if_silent(self) -> None:
        assert self.ping_interval is not None
        if self.read_paused or self.loop.time() - self._heard_at < self.ping_interval:
            self._heard_at = self.loop.time() if self.read_paused else self._heard_at
            self.schedule_ping()
        else:
            self.send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """The peer did not answer; anything it sent since the ping counts as an answer."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.read_paused or self._heard_at > self.ping_sent_at:
            self.schedule_ping()
        else:
            self.transport.abort()


class HubServer(uvicorn.Server):
    """uvicorn's server, draining the hub before it closes connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[int], None],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._drain = drain

    async def startup(self, sockets: object = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._on_listening(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: object = None) -> None:
        """No new connections, running batches committed, everyone told 1012, then the end."""
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The first signal drains, a second one ends the process at once."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As uvicorn's, but a drained hub exits with 0 instead of by the signal again."""
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {sig: signal.signal(sig, self.handle_exit) for sig in handled}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
