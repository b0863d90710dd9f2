"""Commits decisions in batches on one writer thread, and hands them back when durable.

While one batch is being synced the next one gathers, so one sync pays for many
tasks and a lone task waits for one. Nothing else may release a decision's effects
(invariant 2: durable first).
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeVar

from hub.core.decision import Decision
from hub.core.facts import Fact
from hub.core.inputs import Init, Report
from hub.counts import Commits
from hub.journal.port import Journal, JournalFailed
from hub.logs import logger

log = logger(__name__)

#: Decisions in one transaction; more wait for the next, so that no batch takes long.
MAX_BATCH = 256
#: Decisions waiting, above which publishers are held back: they are read no further. Whoever
#: sends one frame waits behind all of these (8,192 kept a quiet client waiting for half a second).
MAX_BACKLOG = 256
#: Characters of bodies in one transaction, and waiting: a thousand frames may be a gigabyte.
MAX_BATCH_SIZE = 1 << 21
MAX_BACKLOG_SIZE = 1 << 21

T = TypeVar("T")
Job = Callable[[], None]


class GroupCommit:
    """Decisions in, the same decisions out in the same order, once they are durable.

    ``on_committed(decisions, refused)`` gets a batch and the keys of new tasks whose
    ``task_id`` was taken; ``on_failed(decisions, cause)`` gets everything that was
    waiting when a batch failed: none of it is stored.
    """

    def __init__(
        self,
        journal: Journal,
        on_committed: Callable[[list[Decision], frozenset[int]], None],
        on_failed: Callable[[list[Decision], BaseException], None],
    ) -> None:
        self.counts = Commits()
        #: when the commit under way began (time.perf_counter), or None
        self.since: float | None = None
        self._asked: set[asyncio.Future[Any]] = set()
        self._journal = journal
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._loop = asyncio.get_running_loop()
        #: each with its size
        self._waiting: deque[tuple[Decision, int]] = deque()
        self._waiting_size = 0
        self._in_flight: list[Decision] = []
        self._scheduled = False
        #: publishers should be held back
        self.congested = False
        self._calm = asyncio.Event()
        self._calm.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._start_writer()

    def _start_writer(self) -> None:
        self._thread = threading.Thread(target=self._write, name="taskhub-writer", daemon=True)
        self._thread.start()

    def revive(self) -> bool:
        """Start the writer thread anew if it has ended, whatever ended it; whether it had.

        What it held has failed: nobody knows how far that came, so the journal is read.
        """
        if self._thread.is_alive():
            return False
        self.counts.writer_restarts += 1
        self.since = None
        self._jobs = SimpleQueue()
        cause = JournalFailed("the writer thread ended")
        for future in list(self._asked):
            _settle(future, None, cause)
        self._start_writer()
        if self._in_flight:
            self._failed(cause)
        return True

    @property
    def waiting(self) -> int:
        """Decisions that are neither stored nor failed yet."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or being written."""
        return not self._waiting and not self._in_flight

    def durable_until(self, now: int) -> int:
        """Everything that happened before this time (ms) is stored; ``now`` is the hub's clock."""
        waiting = (decision for decision, _ in self._waiting)
        for decision in chain(self._in_flight, waiting):
            if decision.facts:
                return min(now, decision.facts[0].at)
        return now

    def add(self, decision: Decision) -> None:
        """Queue a decision. Those without facts wait their turn as well: one order for all."""
        size = _size(decision)
        self._waiting.append((decision, size))
        self._waiting_size += size
        if len(self._waiting) > MAX_BACKLOG or self._waiting_size > MAX_BACKLOG_SIZE:
            self.congested = True
            self._calm.clear()
        if not self._scheduled and not self._in_flight:
            # At the end of this loop turn, so that all of its frames share one sync.
            self._scheduled = True
            self._loop.call_soon(self._start_batch)

    def withdraw(self, keys: Collection[int]) -> list[Decision]:
        """Take waiting decisions about these tasks back."""
        taken = [one for one in self._waiting if one[0].key in keys]
        if taken:
            self._waiting = deque(one for one in self._waiting if one[0].key not in keys)
            self._waiting_size -= sum(size for _, size in taken)
        return [decision for decision, _ in taken]

    async def calm(self) -> None:
        """Wait until publishers may go on."""
        await self._calm.wait()

    async def drained(self) -> None:
        """Wait until everything that was added has been committed or has failed."""
        while not self.idle:
            self._empty.clear()
            await self._empty.wait()

    async def run(self, job: Callable[[], T]) -> T:
        """Run something else on the writer thread, between batches. Raises what it raises."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)

        def work() -> None:
            try:
                result = job()
            except Exception as error:  # noqa: BLE001  (handed to whoever waits)
                self._call(_settle, future, None, error)
            except BaseException as error:  # noqa: BLE001  (nor may it end the thread or the loop)
                self._call(_settle, future, None, JournalFailed(repr(error)))
            else:
                self._call(_settle, future, result, None)

        self._jobs.put(work)
        return await future

    def stop(self) -> None:
        """Let the writer thread end. Nothing may be added any more."""
        self._jobs.put(None)
        self._thread.join()

    def _start_batch(self) -> None:
        self._scheduled = False
        batch = self._take_batch()
        if not batch:
            self._empty.set()
            return
        self._in_flight = batch
        facts: list[Fact] = []
        for decision in batch:
            facts += decision.facts
        if facts:
            self._jobs.put(lambda: self._commit(facts))
        else:
            self._committed(frozenset())

    def _take_batch(self) -> list[Decision]:
        waiting, size = self._waiting, 0
        if len(waiting) <= MAX_BATCH and self._waiting_size <= MAX_BATCH_SIZE:
            everything = [decision for decision, _ in waiting]
            waiting.clear()
            self._waiting_size = 0
            return everything
        batch: list[Decision] = []
        while waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_SIZE:
            decision, its_size = waiting.popleft()
            batch.append(decision)
            size += its_size
        self._waiting_size -= size
        return batch

    def _committed(self, refused: frozenset[int]) -> None:
        batch, self._in_flight = self._in_flight, []
        self._on_committed(batch, refused)
        self._next()

    def _failed(self, cause: BaseException) -> None:
        self.counts.failures += 1
        # Decisions that wait were made on top of those that failed: they fail with them.
        batch = [*self._in_flight, *(decision for decision, _ in self._waiting)]
        self._in_flight = []
        self._waiting.clear()
        self._waiting_size = 0
        self._on_failed(batch, cause)
        self._next()

    def _next(self) -> None:
        low = MAX_BACKLOG // 2, MAX_BACKLOG_SIZE // 2
        if len(self._waiting) <= low[0] and self._waiting_size <= low[1]:
            self.congested = False
            self._calm.set()
        if not self._scheduled:
            self._start_batch()

    # On the writer thread

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _commit(self, facts: list[Fact]) -> None:
        self.since = began = time.perf_counter()
        try:
            refused = self._journal.commit(facts)
        except JournalFailed as cause:
            self._call(self._failed, cause)
        except BaseException as cause:
            # A bug in a driver must not end the thread, whatever it raises.
            log.exception("commit_broke", help="This is a bug of the hub: report it.")
            self._call(self._failed, cause)
        else:
            took, size = time.perf_counter() - began, len(self._in_flight)
            self.counts.committed(size, facts, refused, took)
            self._call(self._committed, refused)
        finally:
            self.since = None

    def _call(self, function: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            # The loop was closed without a drain (the process is going down): what is
            # committed is safe, and nobody is left to be told.
            self._jobs.put(None)


def _size(decision: Decision) -> int:
    """Characters of the client's body that a decision stores; the hub's own are short."""
    command = decision.command
    if type(command) is Init:
        return len(command.payload)
    if type(command) is Report and command.body is not None:
        return len(command.body)
    return 0


def _settle(future: asyncio.Future[T], result: T, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
