"""Reads of the journal on a few threads of their own, never on the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hub.core.facts import Event
from hub.core.task import Task
from hub.journal.port import Journal
from hub.journal.sums import Tally

READER_THREADS = 2

T = TypeVar("T")


class Reader:
    """The journal's reads as coroutines. Each raises JournalFailed as the journal does."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        #: tasks read from the journal because they were not in memory
        self.loads = 0
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="taskhub-reader")

    async def load(self, task_id: str) -> Task | None:
        """One task as its rows tell, or None."""
        self.loads += 1
        return await self._run(lambda: self._journal.load(task_id))

    async def load_open(self) -> list[Task]:
        """Every open task, oldest first."""
        return await self._run(self._journal.load_open)

    async def events(self, task: int, from_seq: int, limit: int) -> list[Event]:
        """Stored events of a task from a seq on."""
        return await self._run(lambda: self._journal.events(task, from_seq, limit))

    async def tally(self, until: int, limit: int) -> Tally:
        """What to add to the sums of ended tasks."""
        return await self._run(lambda: self._journal.tally(until, limit))

    async def _run(self, read: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, read)

    def stop(self) -> None:
        """Let the threads end after what they are reading."""
        self._threads.shutdown(wait=True)
