"""Who is connected to this process and what they do, as its memory tells: for pages, on the loop.

Copies are made on the loop, a part at a time, so that nobody else waits for them.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hub.core.engine import Engine
from hub.core.offers import Offers
from hub.core.presence import Presence
from hub.router.local import LocalRouter
from hub.router.port import Sink
from hub.router.presence import Roll

#: Connections, or actions, looked at in one loop turn: a fifth of a millisecond or so.
AT_A_TIME = 200
#: How often frames are counted; a rate is over the last one to two of these.
SAMPLE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What one connection does now."""

    #: patterns, sorted
    subscriptions: tuple[str, ...]
    #: tasks at work
    busy: int
    #: bytes that wait to be sent
    unsent: int
    #: frames it sent a second
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Everybody of this process, and how that differs from what is written down."""

    doing: Mapping[str, Doing]
    #: came and went since presence was last written (hub.housekeeping)
    opened: Collection[Presence]
    closed: Collection[str]


class Unwritten(NamedTuple):
    """Who came and went since presence was last written (hub.housekeeping)."""

    opened: Collection[Presence] = ()
    closed: Collection[str] = ()


class Looking:
    """Answers what operators ask about connections. Lives on the hub's loop."""

    def __init__(
        self,
        engine: Engine,
        router: LocalRouter,
        roll: Roll,
        max_participants: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._books = engine.books
        self._offers = Offers(engine.books, max_participants)
        self._router = router
        self._roll = roll
        self._clock = clock
        #: frames sent by each connection, at two times in the past
        self._before: dict[str, int] = {}
        self._lately: dict[str, int] = {}
        self._before_at = self._lately_at = clock()

    async def count_frames(self) -> None:
        """Note now and then how many frames each connection has sent. Never returns."""
        while True:
            await asyncio.sleep(SAMPLE_S)
            self.sample()

    def sample(self) -> None:
        """Note it once."""
        self._before, self._before_at = self._lately, self._lately_at
        self._lately = {name: sink.frames for name, sink in self._router.with_socket().items()}
        self._lately_at = self._clock()

    async def connected(self, client: str | None = None) -> Connected:
        """Everybody, or the connections of one client."""
        doing: dict[str, Doing] = {}
        for number, (name, sink) in enumerate(self._router.with_socket().items(), 1):
            known = self._books.connections.get(name)
            # It may have left in one of the turns of the others.
            if known is not None and known.live and client in (None, known.access.client):
                doing[name] = Doing(
                    subscriptions=tuple(sorted(known.subscriptions)),
                    busy=known.busy,
                    unsent=sink.unsent,
                    rate=self._rate(name, sink),
                )
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
        opened, closed = self._roll.unwritten()
        return Connected(doing=doing, opened=opened, closed=closed)

    async def unwritten(self) -> Unwritten:
        """Who came and went since presence was last written."""
        return Unwritten(*self._roll.unwritten())

    async def subscribers(self, actions: Collection[str]) -> dict[str, int]:
        """How many connections would be offered a task of each of these actions now."""
        found = {}
        for number, action in enumerate(actions, 1):
            found[action] = len(self._offers.takers(action))
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return found

    def _rate(self, name: str, sink: Sink) -> float:
        seconds = self._clock() - self._before_at
        return (sink.frames - self._before.get(name, 0)) / seconds if seconds > 0 else 0.0
