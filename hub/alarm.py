"""One alarm clock on the event loop: the shadow of the earliest deadline (invariant 8)."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings once at the earliest time it was set to. ``clock`` and times are milliseconds."""

    def __init__(self, clock: Callable[[], int], ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0

    def set(self, at: int | None) -> None:
        """Ring at this time, unless it rings before; None: there is nothing to ring for."""
        if at is None or (self._timer is not None and self._at <= at):
            return
        self.stop()
        self._at = at
        delay = max(0.0, (at - self._clock()) / 1000)
        self._timer = self._loop.call_later(delay, self._rings)

    def stop(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
