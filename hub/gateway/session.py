"""One open connection: its bounded outbox, and how it is closed (docs/protocol.md §2.6, §2.7)."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable
from typing import Protocol

from hub.core.limits import Limits
from hub.core.values import Token
from hub.counts import traffic
from hub.logs import logger
from hub.protocol import encode
from hub.router.port import Outgoing
from hub.windows import MinuteWindow

log = logger(__name__)

TOO_MANY_BAD_FRAMES = 1008
GOING_AWAY = 1012
REVOKED = 4401
TOO_SLOW = 4408


class Writer(Protocol):
    """How messages leave: joined straight into the transport, or by ASGI ``send``."""

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not left this process."""

    @property
    def closing(self) -> bool:
        """Whether nothing more can be written."""

    def write(self, messages: Outgoing) -> int:
        """Queue messages; everything of one loop turn leaves in one write. Returns ``unsent``."""

    def close(self, code: int) -> None:
        """Send what is queued, then the close frame; give up on a peer that does not answer."""

    async def room(self, below: int) -> None:
        """Wait until ``unsent`` is below this, or the connection is closing."""

    def hold(self) -> None:
        """Read nothing more from the peer for now."""

    def release(self) -> None:
        """Read on."""


class Session:
    """A client's connection, as the router and the gateway see it."""

    def __init__(
        self, *, writer: Writer, client: str, key_id: int, v1: bool, limits: Limits
    ) -> None:
        self.connection = secrets.token_hex(8)
        #: what ``resume`` will present (§6); a secret of this connection
        self.token = Token(secrets.token_hex(16))
        self.client = client
        self.key_id = key_id
        self.v1 = v1
        self.lazy_payload: int | None = None
        self.frames = 0
        self._writer = writer
        self._write = writer.write
        self._max_unsent = limits.max_outbox_bytes
        self._bad_frames = MinuteWindow(limits.bad_frames_per_minute, time.monotonic)
        self._ended: asyncio.Event | None = None
        #: the hub has closed it: what the peer still sends is not taken
        self.closed = False
        #: by the hub, and with this code
        self.close_code: int | None = None
        self.log = log.bind(connection=self.connection, client=client)

    @property
    def open(self) -> bool:
        """Whether it can still be written to."""
        return not self.closed and not self._writer.closing

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent. Part of ``Sink``."""
        return self._writer.unsent

    def send(self, messages: Outgoing) -> None:
        """Queue messages. Part of ``Sink``: never blocks; a full outbox closes with 4408."""
        if not self.closed and self._write(messages) > self._max_unsent:
            traffic.limits["max_outbox_bytes"] += 1
            self.log.warning("reader_too_slow", unsent_bytes=self._writer.unsent)
            self.close(TOO_SLOW)

    def bad_frame(self) -> None:
        """Count an unreadable frame. Part of ``Sink``: too many close with 1008 (§7)."""
        if not self._bad_frames.full:
            self._bad_frames.add()
        else:
            traffic.limits["bad_frames_per_minute"] += 1
            self.log.warning("too_many_bad_frames")
            self.close(TOO_MANY_BAD_FRAMES)

    async def room(self) -> None:
        """Wait until the outbox is less than half full. Part of ``Sink``."""
        await self._writer.room(self._max_unsent // 2)

    async def pause(self, seconds: float) -> None:
        """Read nothing for so long, or until the hub closes the connection."""
        self._ended = asyncio.Event()
        if self.closed:
            return
        self._writer.hold()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        self._writer.release()

    async def wait_for(self, pending: Awaitable[None]) -> None:
        """Read nothing until the pipeline is ready for more."""
        self._writer.hold()
        try:
            await pending
        finally:
            self._writer.release()

    def close(self, code: int) -> None:
        """Close the connection; v1 is told why before (§2.7)."""
        if self.closed:
            return
        self.closed = True
        self.close_code = code
        traffic.closed[code] += 1
        if self._ended is not None:
            self._ended.set()
        if self.v1:
            self._writer.write(Outgoing(encode.closing(code)))
        self._writer.close(code)
