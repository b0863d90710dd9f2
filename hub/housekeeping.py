"""What the hub does beside its tasks: presence, retention, an eye on the disk."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from hub.core.engine import Engine
from hub.journal.group_commit import GroupCommit
from hub.journal.port import Journal
from hub.router.presence import Roll

log = logging.getLogger("hub.housekeeping")

#: How often presence is written and the disk looked at.
PRESENCE_INTERVAL_S = 1.0
DISK_INTERVAL_S = 2.0
#: A lease is renewed when half of it is over.
LEASE_MS = 30_000
#: Tasks deleted in one transaction: short enough that no commit notices.
PRUNE_BATCH = 500
PRUNE_INTERVAL_S = 60.0
PRUNE_PAUSE_S = 0.1
MS_PER_DAY = 86_400_000


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
                "%d MiB free on the data directory's disk, less than %d: new tasks are refused."
                " Make room, or lower TASKHUB_MIN_FREE_DISK_BYTES.",
                free >> 20,
                min_free >> 20,
            )
            engine.refuse_new("The hub's disk is nearly full; new tasks are not taken for now.")
        else:
            log.warning("the disk has room again: new tasks are taken")
            engine.refuse_new(None)
