"""Histories of ended tasks, and plain Python's word for what the sums must say."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from hub.core.facts import Fact
from hub.core.task import Task, fold
from hub.durations import bucket_of
from hub.journal.memory import MemoryJournal
from hub.journal.port import Journal
from hub.journal.postgres import PostgresJournal
from hub.journal.sqlite import SqliteJournal
from hub.journal.sums import HOUR_MS, MINUTE_MS
from tests.contracts.conftest import (
    history_file,
    journal,
    migrated,
    postgres_journal,
    sqlite_journal,
)
from tests.contracts.test_journal import by_task
from tests.postgres import postgres_database, postgres_server

__all__ = [
    "history_file",
    "journal",
    "migrated",
    "postgres_database",
    "postgres_journal",
    "postgres_server",
    "sqlite_journal",
]

Sums = Counter[tuple[int, int, str, str, int]]


def tasks_of(facts: list[Fact]) -> list[Task]:
    """The tasks that these facts make."""
    return [fold(own) for own in by_task(facts).values()]


def expected_sums(tasks: Sequence[Task], widths: Sequence[int] = (MINUTE_MS, HOUR_MS)) -> Sums:
    """The sums of those that ended, one by one."""
    return Counter(
        (
            width,
            task.ended_at // width * width,
            task.action,
            str(task.outcome),
            bucket_of((task.settled_at or 0) - task.created_at),
        )
        for task in tasks
        if task.ended_at is not None
        for width in widths
    )


@pytest.fixture
def stored_sums(request: pytest.FixtureRequest) -> Callable[[Journal], Sums]:
    """Reads the sums of each driver."""

    def read(journal: Journal) -> Sums:
        if isinstance(journal, MemoryJournal):
            return +journal.sums
        query = "SELECT width_ms, at, action, outcome, bucket, n FROM hub_rollup"
        if isinstance(journal, SqliteJournal):
            rows = [tuple(row) for row in journal._reading.execute(query)]
        else:
            assert isinstance(journal, PostgresJournal)
            found = journal._connection().execute(query.encode())
            rows = [tuple(row.values()) for row in found]
        return Counter({row[:5]: row[5] for row in rows})

    return read


def make_sums(journal: Journal, until: int, limit: int = 10_000) -> int:
    """Sum up everything that ended before; returns in how many steps."""
    for steps in range(1, 10_000):
        made = journal.tally(until, limit)
        assert journal.add_sums(made)
        if made.until >= until:
            return steps
    raise AssertionError("the sums never got there")
