"""What only the SQLite driver has to show: transactions, the disk, and its query plans."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.core.facts import Closed, Fact, Moved, WindowMoved
from hub.core.presence import Presence
from hub.core.task import fold
from hub.core.values import ParticipantState
from hub.journal.port import JournalFailed
from hub.journal.sqlite import SqliteJournal
from hub.journal.statements import statements
from tests.contracts.conftest import ROOT
from tests.contracts.test_journal import Source, by_task


def test_a_missing_table_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "empty #1?.sqlite3"
    path.touch()
    journal = SqliteJournal(path)
    with pytest.raises(JournalFailed, match=r"no such table.*manage\.py migrate"):
        journal.open()
    journal.close()


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "nowhere.sqlite3")
    with pytest.raises(JournalFailed, match=r"manage\.py migrate"):
        journal.open()
    journal.close()
    assert not list(tmp_path.iterdir())


def test_a_task_at_another_version_rolls_everything_back(sqlite_journal: SqliteJournal) -> None:
    source = Source()
    sqlite_journal.commit(source.init("t"))
    first, second = source.report("t", "start"), source.report("t", "update", "1")
    with pytest.raises(JournalFailed, match="version"):
        sqlite_journal.commit(source.init("new") + second)
    assert sqlite_journal.load("new") is None
    sqlite_journal.commit(first)
    sqlite_journal.commit(second)


@pytest.mark.parametrize(
    "change",
    [
        Moved(task=1, participant=9, connection="a", at=1),
        Closed(task=9, participant=1, state=ParticipantState.DROPPED, at=1),
        WindowMoved(task=9, start_deadline=1, at=1),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_change_of_what_is_not_stored_rolls_everything_back(
    sqlite_journal: SqliteJournal, change: Fact
) -> None:
    source = Source()
    sqlite_journal.commit(source.init("t"))
    with pytest.raises(JournalFailed, match="not stored"):
        sqlite_journal.commit([*source.init("new"), change])
    assert sqlite_journal.load("new") is None


def test_one_outcome_and_one_end_are_the_databases_word_too(
    sqlite_journal: SqliteJournal, history_file: Path
) -> None:
    sqlite_journal.commit(Source().done("t"))
    database = sqlite3.connect(history_file)
    for kind in ("fail", "success", "end"):
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            database.execute(
                "INSERT INTO hub_task_event (task, seq, kind, event_id, at, by, state, participant)"
                f" VALUES (1, 99, '{kind}', 'x', 1, 'hub', 'end', 0)"
            )
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        database.execute("UPDATE hub_task SET state = 'elsewhere'")
    database.close()


def test_a_full_disk_stores_nothing_and_passes(sqlite_journal: SqliteJournal) -> None:
    source = Source()
    sqlite_journal.commit(source.init("before"))
    writer = sqlite_journal._writing
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 1}")
    facts = source.init("big", '"' + "x" * 100_000 + '"')
    with pytest.raises(JournalFailed, match="full"):
        sqlite_journal.commit(source.init("small") + facts)
    assert sqlite_journal.load("small") is None
    writer.execute("PRAGMA max_page_count = 1000000")
    assert sqlite_journal.commit(Source(2, last_key=10).init("small")) == frozenset()
    assert sqlite_journal.load("before") is not None


def test_a_failed_rollback_costs_its_batch_and_no_other(
    sqlite_journal: SqliteJournal, history_file: Path
) -> None:
    class NoRollback(sqlite3.Connection):
        """As on a disk that takes nothing any more."""

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql == "ROLLBACK":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *parameters)

    stuck = NoRollback(history_file, isolation_level=None)
    sqlite_journal._local.writing = stuck
    sqlite_journal._connections.append(stuck)
    source = Source()
    sqlite_journal.commit(source.init("t"))
    first, second = source.report("t", "start"), source.report("t", "update", "1")
    with pytest.raises(JournalFailed, match="version"):
        sqlite_journal.commit(second)
    sqlite_journal.commit(first)
    sqlite_journal.commit(second)


def test_presence_rows(sqlite_journal: SqliteJournal, history_file: Path) -> None:
    def rows() -> list[tuple[str, int]]:
        with sqlite3.connect(history_file) as database:
            query = "SELECT connection || agent, lease_until FROM hub_connection ORDER BY 1"
            found = database.execute(query).fetchall()
        database.close()
        return found

    people = [
        Presence(
            connection=c, client="c", address="::1", protocol="legacy", since=1, agent=f" by {c}/1"
        )
        for c in "abc"
    ]
    sqlite_journal.record_presence(people[:2], [], 100)
    assert rows() == [("a by a/1", 100), ("b by b/1", 100)]
    sqlite_journal.record_presence(people[2:], ["a"], 200)
    assert rows() == [("b by b/1", 200), ("c by c/1", 200)]
    sqlite_journal.sweep_presence()
    assert rows() == []


def test_a_batch_larger_than_one_statement(sqlite_journal: SqliteJournal) -> None:
    source = Source()
    facts = [fact for number in range(700) for fact in source.done(f"t{number}")]
    assert sqlite_journal.commit(facts) == frozenset()
    assert sqlite_journal.last_key() == 700
    last = sqlite_journal.load("t699")
    assert last is not None
    assert last.state == "end"


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("task", "sqlite_autoindex_hub_task_1"),
        ("task_events", "PRIMARY KEY (task=?)"),
        ("task_participants", "PRIMARY KEY (task=?)"),
        ("open_tasks", "task_open"),
        ("open_events", "task_open"),
        ("open_participants", "task_open"),
        ("event_page", "PRIMARY KEY (task=? AND seq>?)"),
        ("ended_tasks", "task_ended (ended_at>? AND ended_at<?)"),
        ("delete_tasks", "INTEGER PRIMARY KEY (rowid=?)"),
        ("delete_events", "PRIMARY KEY (task=?)"),
    ],
)
def test_no_read_walks_over_the_history(history_file: Path, name: str, index: str) -> None:
    text = statements("read.sql")[name]
    with sqlite3.connect(history_file) as database:
        parameters = (1,) * text.count("?")
        plan = database.execute(f"EXPLAIN QUERY PLAN {text}", parameters).fetchall()
    database.close()
    details = "; ".join(row[3] for row in plan)
    assert index in details
    assert "SCAN e" not in details
    assert "TEMP B-TREE" not in details


def test_what_was_told_survives_kill_9(history_file: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from hub.journal.sqlite import SqliteJournal\n"
        "from tests.contracts.test_journal import Source\n"
        "journal, source = SqliteJournal(Path(sys.argv[1])), Source()\n"
        "for number in range(10_000):\n"
        "    journal.commit(source.done(f't{number}')); print(number, flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(history_file)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(50)][-1]
    process.kill()
    process.communicate()
    journal = SqliteJournal(history_file)
    journal.open()
    for number in range(told + 1):
        task = journal.load(f"t{number}")
        assert task is not None
        assert task.state == "end"
    assert journal._reading.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    journal.close()


@pytest.mark.parametrize("seed", range(4))
def test_the_columns_others_read_are_those_of_the_fold(
    sqlite_journal: SqliteJournal, history_file: Path, seed: int
) -> None:
    source = Source(seed)
    facts: list[Fact] = []
    for _ in range(250):
        step = source.step()
        sqlite_journal.commit(step)
        facts += step
    tasks = ("state", "outcome", "seq", "started_at", "settled_at", "settled_seq", "ended_at")
    parts = ("state", "connection", "started_at", "done_at", "body")
    with sqlite3.connect(history_file) as database:
        for key, own in by_task(facts).items():
            task = fold(own)
            query = f"SELECT {', '.join(tasks)} FROM hub_task WHERE id = ?"
            row = dict(zip(tasks, database.execute(query, (key,)).fetchone(), strict=True))
            assert row == {
                name: getattr(task, name) or "" if name == "outcome" else getattr(task, name)
                for name in tasks
            }
            query = (
                f"SELECT {', '.join(parts)} FROM hub_participation WHERE task = ? ORDER BY number"
            )
            rows = database.execute(query, (key,)).fetchall()
            expected = [tuple(getattr(p, n) for n in parts) for p in task.participants.values()]
            assert rows == expected
    database.close()


def test_nothing_of_a_refused_task_is_stored(
    sqlite_journal: SqliteJournal, history_file: Path
) -> None:
    sqlite_journal.commit(Source(1).done("t"))
    second = Source(2, last_key=1)
    batch = second.init("t") + second.report("t", "update", "7")
    assert sqlite_journal.commit(batch) == frozenset({2})
    with sqlite3.connect(history_file) as database:
        for table in ("hub_task_event", "hub_participation"):
            query = f"SELECT count(*) FROM {table} WHERE task = 2"
            assert database.execute(query).fetchone() == (0,), table
    database.close()
    # The key is given again to the next task, which must find its place empty.
    assert sqlite_journal.commit(Source(3, last_key=sqlite_journal.last_key()).done("u")) == set()
