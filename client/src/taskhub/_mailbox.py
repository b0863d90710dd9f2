"""A bounded queue from the read loop, which must never wait, to one reader."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from taskhub._errors import Overflow

T = TypeVar("T")


class Mailbox(Generic[T]):
    """What was put before the end is always read first, then iteration ends or raises."""

    def __init__(self, *, bound: int, what: str) -> None:
        self._bound = bound
        self._what = what
        self._items: deque[T] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._wake = asyncio.Event()

    def put(self, item: T) -> None:
        """Add an item. Full: it and all later ones are let go, and the reader is told so."""
        if self._ended:
            return
        if len(self._items) >= self._bound:
            self.end(
                Overflow(
                    f"{self._what} were not read in time: {self._bound} are waiting, later ones "
                    "are lost. Read them faster, or ask for fewer."
                )
            )
            return
        self._items.append(item)
        self._wake.set()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will come. Only the first end counts."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake.set()

    async def next(self) -> T:
        """The next item. Raises StopAsyncIteration, or the error it was ended with."""
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()
