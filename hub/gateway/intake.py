"""What becomes of a connection's frames before the pipeline has them (docs/protocol.md §2)."""

from collections.abc import Awaitable

from hub.core.errors import Rejection
from hub.counts import traffic
from hub.gateway.door import Door
from hub.gateway.session import Session
from hub.gateway.websocket import TOO_BIG
from hub.protocol.frames import text_of
from hub.runtime import Runtime


class Intake:
    """Takes the frames of one connection, one after the other."""

    def __init__(self, session: Session, runtime: Runtime, door: Door) -> None:
        self._session = session
        self._runtime = runtime
        self._door = door
        self._receive = runtime.pipeline.receive
        self._rates = door.rates
        self._limit = runtime.limits.max_frame_bytes
        #: characters that are within the limit whatever they are
        self._quarter = self._limit // 4

    def take(self, frame: str | bytes) -> Awaitable[None] | None:
        """Take one frame, a str or bytes as it came; what to await before the next one."""
        self._session.frames += 1
        if self._rates and (delay := self._door.delay(self._session)) > 0:
            traffic.limits["client_rate"] += 1
            return self._take_later(frame, delay)
        return self._take(frame)

    async def _take_later(self, frame: str | bytes, delay: float) -> None:
        await self._session.pause(delay)
        if (pending := self._take(frame)) is not None:
            await pending

    def _take(self, frame: str | bytes) -> Awaitable[None] | None:
        session = self._session
        if session.closed or self._runtime.draining:
            # §2.8: no stale right. None of it is acknowledged; its sender sends it again.
            return None
        try:
            text = frame if isinstance(frame, str) else text_of(frame)
        except Rejection as rejection:
            return self._runtime.pipeline.unreadable(session, rejection)
        # uvicorn counts bytes before it decodes; daphne has no limit of its own.
        if len(text) > self._quarter and len(text.encode()) > self._limit:
            traffic.limits["max_frame_bytes"] += 1
            session.close(TOO_BIG)
            return None
        return self._receive(session, text)
