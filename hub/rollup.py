"""Keeps the sums of ended tasks up to date (``hub.journal.sums``), beside the commits.

Counting is a read: it takes as long as it takes, on a thread of the reader's and outside the GIL.
The writer is asked only to add the result, a few hundred rows at most for a few seconds of tasks.
"""

import asyncio
from collections.abc import Callable

from hub.core.limits import MS_PER_DAY
from hub.journal.group_commit import GroupCommit
from hub.journal.port import Journal
from hub.journal.reader import Reader

#: How often sums are made: what ended since is read from its rows by every page.
INTERVAL_S = 2.0
#: Tasks in one step. When more have ended, as at a first start over an old history, the next step
#: follows after the pause, which leaves the disk to others.
STEP = 10_000
PAUSE_S = 0.05


class Rollups:
    """An endless piece of work for the supervisor."""

    def __init__(
        self,
        *,
        journal: Journal,
        reader: Reader,
        commit: GroupCommit,
        clock: Callable[[], int],
        retention_days: int,
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._commit = commit
        self._clock = clock
        self._retention_days = retention_days

    async def keep(self) -> None:
        """Add up what has ended, and delete what is old, again and again."""
        await self.begin()
        while True:
            more = await self.step()
            old = await self.prune()
            await asyncio.sleep(PAUSE_S if more or old else INTERVAL_S)

    async def begin(self) -> None:
        """Make anew what lies ahead of a clock that was set back while no hub was running.

        What ends from now on ends within that time, which counts as done.
        """
        now = self._commit.durable_until(self._clock())
        await self._commit.run(lambda: self._journal.rewind_sums(now))

    async def step(self) -> bool:
        """Add what has ended up to now, or as much as one step takes; whether more is left."""
        until = self._commit.durable_until(self._clock())
        made = await self._reader.tally(until, STEP)
        if made.rows:
            await self._commit.run(lambda: self._journal.add_sums(made))
        return made.until < until

    async def prune(self) -> bool:
        """Delete some of the sums that are not kept any longer; whether more are left."""
        days = self._retention_days
        before = self._clock() - days * MS_PER_DAY if days else None
        return await self._commit.run(lambda: self._journal.prune_sums(before))
