"""Writes past ASGI ``send``: frames made once for all receivers, one write a loop turn.

Half of the CPU of a naive server is ``write``.
"""

import asyncio
from typing import Protocol

from hub.counts import traffic
from hub.router.port import Outgoing

#: Key of the writer in ``scope["extensions"]``.
EXTENSION = "taskhub.direct"
#: Between two looks at an outbox that the transport's flow control says nothing about.
ROOM_INTERVAL_S = 0.005


class Connection(Protocol):
    """What it writes for: ``hub.gateway.websocket.HubWebSocketProtocol``."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    #: set while the transport takes more
    writable: asyncio.Event
    close_sent: bool
    disconnected: bool

    def close_with(self, code: int) -> None:
        """Send a close frame behind what is written, whether the peer reads or not."""


class DirectWriter:
    """Writes frames of one connection straight to its transport."""

    def __init__(self, protocol: Connection) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._call_soon = protocol.loop.call_soon
        self._frames: list[bytes] = []
        self._queued = 0
        #: the transport had bytes left after the last write
        self._behind = False

    @property
    def unsent(self) -> int:
        """Bytes queued here and in the transport."""
        return self._queued + self._transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        """Whether nothing more can be written."""
        protocol = self._protocol
        return protocol.close_sent or protocol.disconnected or self._transport.is_closing()

    def write(self, messages: Outgoing) -> int:
        """Queue frames until the end of this loop turn; how many bytes are unsent now."""
        frames = messages.frames
        if not self._frames:
            self._call_soon(self.flush)
        self._frames.append(frames)
        self._queued += len(frames)
        return self.unsent if self._behind else self._queued

    def flush(self) -> None:
        """Hand everything queued to the transport in one write."""
        frames, self._frames, self._queued = self._frames, [], 0
        if frames and not self.closing:
            data = b"".join(frames) if len(frames) > 1 else frames[0]
            traffic.bytes_out += len(data)
            self._transport.write(data)
            self._behind = self._transport.get_write_buffer_size() > 0

    def close(self, code: int) -> None:
        """Send what is queued, then the close frame."""
        self.flush()
        self._protocol.close_with(code)

    async def room(self, below: int) -> None:
        """Wait until less than this is unsent; the transport's own flow control tells."""
        while self.unsent >= below and not self.closing:
            await self._protocol.writable.wait()
            # ``below`` may be less than what the transport takes before it says stop.
            await asyncio.sleep(ROOM_INTERVAL_S if self.unsent >= below else 0)

    def hold(self) -> None:
        """Read no more for now: nothing to do, as the direct reader waits by itself."""

    def release(self) -> None:
        """Read on."""
