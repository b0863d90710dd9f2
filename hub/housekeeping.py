"""What the hub does beside its tasks: presence, retention, an eye on the disk."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from hub.core.engine import Engine
from hub.core.limits import MS_PER_DAY
from hub.counts import Histogram
from hub.journal.group_commit import GroupCommit
from hub.journal.port import Journal
from hub.logs import bounded, logger
from hub.router.presence import Roll

log = logger(__name__)

#: How often presence is written and the disk looked at.
PRESENCE_INTERVAL_S = 1.0
DISK_INTERVAL_S = 2.0
#: A lease is renewed when half of it is over.
LEASE_MS = 30_000
#: Tasks deleted in one transaction: short enough that no commit notices.
PRUNE_BATCH = 500
PRUNE_INTERVAL_S = 60.0
PRUNE_PAUSE_S = 0.1
WATCH_INTERVAL_S = 1.0
#: A commit that takes longer than this is told of: the disk does not answer.
STALLED_S = 10.0
LAG_INTERVAL_S = 0.25


class Housekeeping:
    """Endless pieces of work for the supervisor; each takes turns with the commits."""

    def __init__(
        self, *, journal: Journal, commit: GroupCommit, roll: Roll, clock: Callable[[], int]
    ) -> None:
        self._journal = journal
        self._commit = commit
        self._roll = roll
        self._clock = clock
        self._lease_until = 0
        #: how late the loop came back from short sleeps, in seconds
        self.lag = Histogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
        #: the last of them
        self.last_lag = 0.0

    async def keep_presence(self) -> None:
        """Write down who is connected, and renew the lease of the rest."""
        while True:
            await self.write_presence()
            await asyncio.sleep(PRESENCE_INTERVAL_S)

    async def write_presence(self) -> None:
        """Write what has changed, or renew when half of the lease is over."""
        now = self._clock()
        due = self._roll.connected > 0 and self._lease_until - now < LEASE_MS // 2
        if not self._roll.changed and not due:
            return
        opened, closed = self._roll.take()
        until = now + LEASE_MS
        try:
            await self._commit.run(lambda: self._journal.record_presence(opened, closed, until))
        except BaseException:
            self._roll.put_back(opened, closed)
            raise
        self._lease_until = until

    async def prune(self, retention_days: int) -> None:
        """Delete ended tasks older than this, a batch at a time."""
        while True:
            more = await self._prune_batch(self._clock() - retention_days * MS_PER_DAY)
            await asyncio.sleep(PRUNE_PAUSE_S if more else PRUNE_INTERVAL_S)

    async def _prune_batch(self, before: int) -> bool:
        deleted = await self._commit.run(lambda: self._journal.prune(before, PRUNE_BATCH))
        return deleted == PRUNE_BATCH

    async def watch_disk(self, directory: Path, engine: Engine, min_free: int) -> None:
        """Refuse new tasks while the disk has less than ``min_free`` bytes left (§7)."""
        short = False
        while True:
            free = shutil.disk_usage(directory).free
            if (free < min_free) is not short:
                short = not short
                self._disk_changed(engine, short=short, free=free, min_free=min_free)
            await asyncio.sleep(DISK_INTERVAL_S)

    def _disk_changed(self, engine: Engine, *, short: bool, free: int, min_free: int) -> None:
        if short:
            log.error(
                "disk_nearly_full",
                free_mib=free >> 20,
                least_mib=min_free >> 20,
                help="New tasks are refused. Make room, or lower TASKHUB_MIN_FREE_DISK_BYTES.",
            )
            engine.refuse_new("The hub's disk is nearly full; new tasks are not taken for now.")
        else:
            log.warning("disk_has_room", free_mib=free >> 20)
            engine.refuse_new(None)

    @property
    def stalled(self) -> bool:
        """Whether the commit under way takes so long that the disk does not seem to answer."""
        since = self._commit.since
        return since is not None and time.perf_counter() - since > STALLED_S

    async def watch_writer(self) -> None:
        """Start the writer thread anew if it has ended; say so when a commit does not return."""
        told = False
        while True:
            if self._commit.revive():
                log.error("writer_died", help="It was started anew. Report this bug of the hub.")
            stalled = self.stalled
            if stalled and not told:
                log.error(
                    "commit_stalled",
                    waiting=self._commit.waiting,
                    help="The disk of the data directory does not answer; nobody is told more.",
                )
            told = stalled
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def watch_lag(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Measure how long the loop keeps everybody waiting; tell which log lines were left out."""
        while True:
            due = clock() + LAG_INTERVAL_S
            await sleep(LAG_INTERVAL_S)
            self.last_lag = max(0.0, clock() - due)
            self.lag.observe(self.last_lag)
            bounded.report()
