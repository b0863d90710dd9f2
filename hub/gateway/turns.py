"""Taking turns: a few of each address at once, some more wait in line (docs/protocol.md §7)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Crowded(Exception):  # noqa: N818
    """The line is full, or the turn did not come in time."""


class _Line:
    """The sockets of one address."""

    __slots__ = ("here", "places")

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.here = 0


class Turns:
    """Who may be authenticated now. Others of the same address wait, those of another do not."""

    def __init__(self, places: int, *, waiting: int, patience_s: float) -> None:
        self._places = places
        self._most = places + waiting
        self._patience_s = patience_s
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, address: str) -> AsyncIterator[None]:
        """Hold one of the address's places. Raises Crowded."""
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = _Line(self._places)
        if line.here >= self._most:
            raise Crowded
        line.here += 1
        try:
            await self._place(line)
            try:
                yield
            finally:
                line.places.release()
        finally:
            line.here -= 1
            if not line.here:
                del self._lines[address]

    async def _place(self, line: _Line) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await line.places.acquire()
        except TimeoutError:
            raise Crowded from None
