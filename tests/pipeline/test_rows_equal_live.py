"""Live state == fold of the facts == rows of SQLite, after any random history (invariant 5).

The machine of ``tests/core/test_random_histories.py``, over the real driver. Facts wait
for a while before they are stored, so that a batch holds several steps of a task.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings

from hub.core.facts import Event, Fact
from hub.core.task import Participant, Task
from hub.journal.port import Journal
from hub.journal.sqlite import SqliteJournal
from tests.core.test_random_histories import LIMITS, Histories
from tests.core.world import World

ROOT = Path(__file__).resolve().parents[2]
#: Examples in CI, and on a developer's machine.
EXAMPLES = 1_000 if os.environ.get("TASKHUB_REQUIRE_SERVICES") == "1" else 40
#: Facts that wait to be stored together, at most.
BATCH = 12
TABLES = ("hub_task_event", "hub_participation", "hub_task")
SELECT_TASKS = """
    SELECT id, task_id, action, publisher, state, outcome, seq, created_at, started_at,
        settled_at, ended_at, settled_seq, start_deadline, end_deadline
    FROM hub_task ORDER BY id
"""
SELECT_PARTICIPANTS = """
    SELECT task, number, client, connection, "group", state, offered_at, started_at, done_at, body
    FROM hub_participation ORDER BY task, number
"""
Row = tuple[str | int | None, ...]


def task_row(task: Task) -> Row:
    """What the row of this task has to be."""
    return (
        task.key,
        task.task_id,
        task.action,
        task.publisher,
        str(task.state),
        str(task.outcome or ""),
        task.seq,
        task.created_at,
        task.started_at,
        task.settled_at,
        task.ended_at,
        task.settled_seq,
        task.start_deadline,
        task.end_deadline,
    )


def participant_row(key: int, participant: Participant) -> Row:
    """What the row of this participant has to be."""
    return (
        key,
        participant.number,
        participant.client,
        participant.connection,
        int(participant.group),
        str(participant.state),
        participant.offered_at,
        participant.started_at,
        participant.done_at,
        participant.body,
    )


class BatchingWorld(World):
    """A world whose journal stores a batch now and then, and before it is read."""

    def __init__(self, journal: Journal, **limits: int) -> None:
        super().__init__(journal, **limits)
        self.waiting: list[Fact] = []

    def store(self, facts: list[Fact]) -> frozenset[int]:
        self.waiting += facts
        may_be_taken = any(event.task_id in self.keys for event in news(facts))
        return self.flush() if may_be_taken or len(self.waiting) > BATCH else frozenset()

    def flush(self) -> frozenset[int]:
        """Store what waits."""
        waiting, self.waiting = self.waiting, []
        return self.journal.commit(waiting) if waiting else frozenset()

    def load(self, task_id: str) -> Task | None:
        assert not self.flush()
        return super().load(task_id)

    def load_open(self) -> list[Task]:
        assert not self.flush()
        return super().load_open()


def news(facts: list[Fact]) -> list[Event]:
    """The inits among these facts."""
    return [f for f in facts if isinstance(f, Event) and f.created is not None]


class HistoriesInRows(Histories):
    """Clients at random, over the real driver."""

    path: ClassVar[Path]

    def make_world(self) -> World:
        with sqlite3.connect(self.path, isolation_level=None) as database:
            for table in TABLES:
                database.execute(f"DELETE FROM {table}")
        database.close()
        self.journal = SqliteJournal(self.path, synchronous="OFF")
        return BatchingWorld(self.journal, **LIMITS)

    def compare_stored(self) -> None:
        super().compare_stored()
        with closing(sqlite3.connect(self.path)) as database:
            tasks = database.execute(SELECT_TASKS).fetchall()
            participants = database.execute(SELECT_PARTICIPANTS).fetchall()
        live = sorted(self.world.folded.items())
        assert tasks == [task_row(task) for _, task in live]
        assert participants == [
            participant_row(key, p) for key, task in live for p in task.participants.values()
        ]

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.journal.close()


@pytest.fixture(scope="module", autouse=True)
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file with the tables that the migrations make."""
    directory = tmp_path_factory.mktemp("rows")
    env = {**os.environ, "TASKHUB_DATA_DIR": str(directory)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=env, check=True)
    HistoriesInRows.path = directory / "taskhub.sqlite3"


class TestHistoriesInRows(HistoriesInRows.TestCase):  # type: ignore[valid-type,misc]
    """The machine as a test."""

    pytestmark = pytest.mark.timeout(600)
    settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
    )
