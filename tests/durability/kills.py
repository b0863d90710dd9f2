"""A hub that is killed again and again under load, and what must be true each time."""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.durability.ledger import DATABASE, Ledger, check, snapshot
from tests.durability.load import HeardV1, LegacyPublisher, LegacyService, Party, Publisher, Service
from tests.hub_process import START_TIMEOUT_S, HubProcess
from tests.peers import V1Peer

#: Short, so that every task of a run ends soon.
TIMINGS: Final = {
    "TASKHUB_START_TIMEOUT_MS": "500",
    "TASKHUB_END_TIMEOUT_MS": "5000",
    "TASKHUB_RESUME_GRACE_MS": "800",
}
#: Seconds under load before a kill, at most.
LIFE_S: Final = 0.6
#: How many of the kills come before the hub lets clients in: while it recovers.
EARLY: Final = 0.15
#: Seconds of a living hub that a task may outlast its end deadline, before it counts as forgotten.
OVERDUE_S: Final = 3.0
#: Seconds in which everything must be over, once nothing new is published.
ALL_OVER_S: Final = 60.0
#: Client, kind, and how many tasks it keeps in flight.
PUBLISHERS: Final = (("web", Publisher, 20), ("shop", LegacyPublisher, 10))
SERVICES: Final = ("a", "b", "team", "team")


@dataclass
class Figures:
    """What a run came to."""

    kills: int = 0
    tasks: int = 0
    events: int = 0
    resent: int = 0
    slowest_ready_s: float = 0.0

    def add(self, other: "Figures") -> None:
        """One more run."""
        self.kills += other.kills
        self.tasks += other.tasks
        self.events += other.events
        self.resent += other.resent
        self.slowest_ready_s = max(self.slowest_ready_s, other.slowest_ready_s)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.tasks} tasks, {self.events} events told, "
            f"{self.resent} sent again, slowest ready {self.slowest_ready_s:.2f} s"
        )


async def kill_often(
    hub: HubProcess, scratch: Path, *, seed: str, kills: int, ledger: Ledger | None = None
) -> Figures:
    """Kill a prepared hub so many times, then let all tasks end. Raises AssertionError."""
    run = _Run(hub, scratch, seed, ledger or Ledger())
    async with run.parties():
        for _ in range(kills):
            if run.random.random() < EARLY:
                await run.start()
            else:
                await run.up()
            await run.kill()
        await run.up()
        await run.all_over()
    code = await asyncio.to_thread(hub.terminate)
    assert code == 0, f"the hub exits with {code}"
    check(run.ledger, hub.directory / DATABASE, ended=True)
    run.figures.tasks = sum(p.published for p in run.publishers)
    run.figures.events = run.ledger.events
    return run.figures


class _Run:
    def __init__(self, hub: HubProcess, scratch: Path, seed: str, ledger: Ledger) -> None:
        self.hub, self.scratch = hub, scratch
        self.random = random.Random(seed)
        self.ledger = ledger
        self.figures = Figures()
        self.publishers = [
            kind(hub, name, self.ledger, seed, flight) for name, kind, flight in PUBLISHERS
        ]
        services = [
            Service(hub, name, self.ledger, f"{seed} {i}") for i, name in enumerate(SERVICES)
        ]
        legacy = LegacyService(hub, "old", self.ledger, seed)
        self.all: list[Party] = [*services, legacy, *self.publishers]
        self._up_since = 0.0
        self._running: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def parties(self) -> AsyncIterator[None]:
        """All clients, as long as this lasts."""
        self._running = [asyncio.create_task(party.run()) for party in self.all]
        try:
            yield
            self._judge()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _judge(self) -> None:
        for task in self._running:
            if task.done():
                task.result()

    async def start(self) -> None:
        """Start the hub: it listens, and recovers before it answers."""
        await asyncio.to_thread(self.hub.start)

    async def up(self) -> None:
        """Start the hub and let everyone in."""
        began = time.monotonic()
        await self.start()
        key = self.hub.keys["operator"]
        async with V1Peer(self.hub.url, "operator", key, timeout=START_TIMEOUT_S):
            ready = time.monotonic() - began
        self._up_since = time.time()
        self.figures.slowest_ready_s = max(self.figures.slowest_ready_s, ready)
        self.figures.resent += sum(len(party.unanswered) for party in self.all)
        for party in self.all:
            party.may_connect.set()

    async def kill(self) -> None:
        """Kill it at a moment nobody chose, and look at what it leaves."""
        await asyncio.sleep(self.random.uniform(0, LIFE_S))
        for party in self.all:
            party.may_connect.clear()
        await asyncio.to_thread(self.hub.kill)
        self.figures.kills += 1
        for party in self.all:
            await party.gone.wait()  # what was sent is still being read
        self._judge()
        dead = snapshot(self.hub.directory, self.scratch)
        await asyncio.to_thread(check, self.ledger, dead, ended=False)

    async def all_over(self) -> None:
        """Publish nothing more, and wait until every task has ended and everyone knows."""
        until = time.monotonic() + ALL_OVER_S
        for publisher in self.publishers:
            await asyncio.wait_for(publisher.busy.wait(), ALL_OVER_S)
            publisher.stopping = True
        while waiting := [*self._open_tasks(), *self._unanswered()]:
            self._judge()
            assert time.monotonic() < until, f"never ended, or not answered: {waiting}"
            await asyncio.sleep(0.05)

    def _unanswered(self) -> list[str]:
        v1 = [party for party in self.all if party.peer_class is HeardV1]
        return [event_id for party in v1 for event_id in party.unanswered]

    def _open_tasks(self) -> list[str]:
        """Those that are open in the database, and those that a publisher holds open."""
        with closing(sqlite3.connect(self.hub.directory / DATABASE)) as database:
            query = "SELECT task_id, end_deadline FROM hub_task WHERE ended_at IS NULL"
            found = dict(database.execute(query).fetchall())
        now = time.time() - OVERDUE_S
        overdue = [task for task, end in found.items() if now > max(end / 1000, self._up_since)]
        assert not overdue, f"never ended: {overdue}"
        return [*found, *(task for publisher in self.publishers for task in publisher.open)]
