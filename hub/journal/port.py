"""What the pipeline asks of a store of history.

Two drivers answer: ``memory`` (tests, and the floor to measure against) and
``sqlite``. One suite holds both to this contract (``tests/contracts``). Every
method is synchronous and may block; ``group_commit`` calls ``commit`` on the one
writer thread, ``reader`` calls the rest on a few threads of their own.
"""

from collections.abc import Sequence
from typing import Protocol

from hub.core.facts import Event, Fact
from hub.core.presence import Presence
from hub.core.task import Task
from hub.journal.sums import Tally


class JournalFailed(Exception):  # noqa: N818
    """The store could not do it: disk full, I/O error, locked for too long."""


class Journal(Protocol):
    """Durable history of tasks. After ``commit`` returns, its facts survive ``kill -9``."""

    def open(self) -> None:
        """Make ready for use. Raises JournalFailed."""

    def close(self) -> None:
        """Let go of files and connections; may be called twice."""

    def last_key(self) -> int:
        """Highest integer key of a stored task; 0 when there is none."""

    def commit(self, facts: Sequence[Fact]) -> frozenset[int]:
        """Store all facts in one transaction and sync it.

        Returns the keys of new tasks whose ``task_id`` is taken by another task:
        nothing is stored of those, everything of the others. Raises JournalFailed
        when nothing was stored at all.
        """

    def load(self, task_id: str) -> Task | None:
        """The task as its rows tell, open or ended; None when there is none."""

    def load_open(self) -> list[Task]:
        """Every task that has not ended, oldest first."""

    def events(self, task: int, from_seq: int, limit: int) -> list[Event]:
        """Stored events of one task with ``seq >= from_seq``, at most ``limit``, in order."""

    def record_presence(
        self, opened: Sequence[Presence], closed: Sequence[str], lease_until: int
    ) -> None:
        """Store who came, who went, and until when the rest may be believed (ms)."""

    def sweep_presence(self) -> None:
        """Forget the connections that a dead process left behind."""

    def prune(self, ended_before: int, limit: int) -> int:
        """Delete at most ``limit`` tasks that ended before this time (ms), oldest first.

        Returns how many were deleted. Open tasks are never deleted.
        """

    def tally(self, until: int, limit: int) -> Tally:
        """What to add to the sums of ended tasks (``hub.journal.sums``), from where they stand on.

        Everything that ended before ``until`` (ms) must be stored. ``limit``: stop after about so
        many tasks.
        """

    def add_sums(self, made: Tally) -> bool:
        """Add to the sums; False: they have moved since the tally, and nothing was added."""

    def rewind_sums(self, to: int) -> None:
        """Have the sums made again from the hour of ``to`` (ms) on, if they reach further."""

    def prune_sums(self, hours_before: int | None) -> bool:
        """Delete some of the minutes that are not kept, and of the hours before this time (ms).

        None: no hours. Returns whether more are left.
        """

    def epoch(self) -> str:
        """Identity of this database, made once and kept (docs/protocol.md §6)."""
