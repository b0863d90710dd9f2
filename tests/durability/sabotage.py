"""Hubs that break a promise: each check here must fail for the one that breaks its promise.

Named as ``HubProcess(sabotage="tests.durability.sabotage:<function>")``.
"""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from hub import logs, recovery, runtime
from hub.core import publishing
from hub.core.decision import Decision
from hub.core.facts import Fact
from hub.core.publishing import Publishing
from hub.core.task import Task
from hub.housekeeping import Housekeeping
from hub.journal import sqlite
from hub.journal.group_commit import GroupCommit
from hub.journal.port import JournalFailed
from hub.journal.rows import Row
from hub.journal.sqlite import SqliteJournal
from hub.pipeline import Pipeline

#: What a slow disk takes to sync: long enough that some kill comes before it has.
SLOW_SYNC_S = 0.05


def tells_before_the_commit() -> None:
    """Effects are performed as soon as they are decided."""
    queue = Pipeline._queue

    def hasty(self: Pipeline, decisions: list[Decision]) -> None:
        for decision in decisions:
            self._perform(decision.effects)
        queue(self, [msgspec.structs.replace(decision, effects=[]) for decision in decisions])

    Pipeline._queue = hasty  # type: ignore[method-assign]
    _slow_disk()


def reports_commits_early() -> None:
    """A batch counts as committed before it is."""

    def early(self: GroupCommit, facts: list[Fact]) -> None:
        self._call(self._committed, frozenset())
        self._journal.commit(facts)

    GroupCommit._commit = early  # type: ignore[method-assign]
    _slow_disk()


def _slow_disk() -> None:
    commit = SqliteJournal.commit

    def slow(self: SqliteJournal, facts: Sequence[Fact]) -> frozenset[int]:
        time.sleep(SLOW_SYNC_S)
        return commit(self, facts)

    SqliteJournal.commit = slow  # type: ignore[method-assign]


def loses_one_event_in_a_hundred() -> None:
    """Some events are never stored."""
    write, count = sqlite._write, itertools.count(1)

    def forgetful(connection: sqlite3.Connection, name: str, rows: Sequence[Row]) -> int:
        if name == "insert_events":
            rows = [row for row in rows if next(count) % 100]
        return write(connection, name, rows)

    sqlite._write = forgetful


def stores_repeats() -> None:
    """An event that is sent again happens again."""

    def never(*_: object) -> None:
        return None

    publishing._stored = never  # type: ignore[assignment]
    Publishing._check_event_id = never  # type: ignore[method-assign, assignment]


def forgets_open_tasks() -> None:
    """Nothing is recovered after a restart."""

    def nothing(self: SqliteJournal) -> list[Task]:
        return []

    SqliteJournal.load_open = nothing  # type: ignore[method-assign]


def recovers_slowly() -> None:
    """Clients wait until it has thought about its past."""
    load_open = SqliteJournal.load_open

    def slow(self: SqliteJournal) -> list[Task]:
        time.sleep(2)
        return load_open(self)

    SqliteJournal.load_open = slow  # type: ignore[method-assign]


def does_not_sync() -> None:
    """SQLite leaves it to the system when the disk gets what was written."""
    connect = SqliteJournal._connect_to_write

    def unsynced(self: SqliteJournal) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    SqliteJournal._connect_to_write = unsynced  # type: ignore[method-assign]


def does_not_watch_the_disk() -> None:
    """However little room there is, new tasks are taken."""

    async def asleep(*_: object) -> None:
        await asyncio.Event().wait()

    Housekeeping.watch_disk = asleep  # type: ignore[method-assign, assignment]


def takes_failed_commits_for_done() -> None:
    """What could not be stored is told all the same."""

    def hopeful(self: GroupCommit, facts: list[Fact]) -> None:
        with suppress(JournalFailed):
            self._journal.commit(facts)
        self._call(self._committed, frozenset())

    GroupCommit._commit = hopeful  # type: ignore[method-assign]


def does_not_pause_on_a_full_disk() -> None:
    """It tries again at once, and logs each time: no bound hides how often."""
    recovery.RECOVERY_PAUSE_S = 0
    logs.Bounded.filter = lambda _self, _record: True  # type: ignore[assignment,method-assign]


def reads_the_wall_clock() -> None:
    """Time is what the system says it is, however it jumps."""
    runtime.wall_clock = lambda: lambda: time.time_ns() // 1_000_000  # type: ignore[attr-defined]
