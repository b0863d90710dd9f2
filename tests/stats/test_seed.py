"""Made-up histories: what was stored is what happened, and it happened by the rules."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hub.core.facts import Event, Fact
from hub.core.task import fold
from hub.core.values import EventKind, ParticipantState, Settle
from hub.journal.memory import MemoryJournal
from hub.journal.port import Journal
from hub.journal.sqlite import SqliteJournal
from hub.journal.sums import HOUR_MS, MINUTE_MS, MINUTES_KEPT_MS
from hub.lock import FileLock
from hub.seeding.fill import Seeded, seed
from hub.seeding.mix import DAY, WORKS
from tests.contracts.conftest import ROOT
from tests.contracts.test_journal import Source
from tests.stats.conftest import Sums, expected_sums, make_sums, tasks_of

NOW = 1_795_532_260_123
Read = Callable[[Journal], Sums]


class Listening(SqliteJournal):
    """The real driver, which remembers what it stored."""

    facts: list[Fact]

    def commit(self, facts: Sequence[Fact]) -> frozenset[int]:
        refused = super().commit(facts)
        self.facts += facts
        return refused


def listening(path: Path) -> Listening:
    made = Listening(path)
    made.facts = []
    return made


def fill(journal: Journal, tasks: int, days: int = 2, number: int = 1) -> Seeded:
    return seed(journal, tasks=tasks, days=days, seed=number, now=NOW, progress=lambda stored: None)


def test_what_is_stored_is_the_fold_of_what_happened(history_file: Path, stored_sums: Read) -> None:
    journal = listening(history_file)
    told: list[int] = []
    made = seed(journal, tasks=4_000, days=2, seed=1, now=NOW, progress=told.append)
    tasks = tasks_of(journal.facts)
    assert len(tasks) == made.tasks == told[-1] == 4_000
    assert told == sorted(told)
    for task in tasks:
        assert journal.load(task.task_id) == task
    still_open = [task for task in tasks if task.ended_at is None]
    assert journal.load_open() == still_open
    assert len(still_open) == made.open >= 8
    at = [fact.at for fact in journal.facts]
    assert at == sorted(at)
    assert at[0] >= NOW - 2 * DAY
    assert at[-1] <= NOW
    ended = [task for task in tasks if (task.ended_at or NOW) < NOW]
    assert stored_sums(journal) == expected_sums(ended)
    journal.close()


def test_much_of_what_happens_in_life_happens() -> None:
    journal = MemoryJournal()
    fill(journal, 20_000)
    events = [f for facts in journal.facts.values() for f in facts if isinstance(f, Event)]
    assert {event.kind for event in events} == set(EventKind)
    reasons = {
        json.loads(event.body)["code"]
        for event in events
        if event.kind is EventKind.FAIL and event.body is not None
    }
    hubs = {"cancelled", "no-subscriber", "start-timeout", "end-timeout"}
    assert hubs | {"card-declined", "http-502", "no-mx"} <= reasons
    drops = {e.body for e in events if e.kind is EventKind.DROP and e.by == "hub"}
    assert any(body is not None and "service-lost" in body for body in drops)
    updates = [json.loads(e.body or "") for e in events if e.kind is EventKind.UPDATE]
    assert all(0 < update["done"] < update["total"] for update in updates)
    payloads = [event.body or "" for event in events if event.kind is EventKind.INIT]
    assert any("<script>" in body for body in payloads)
    assert any("李" in body for body in payloads)
    assert min(map(len, payloads)) < 20
    assert max(map(len, payloads)) > 60_000
    tasks = [fold(facts) for facts in journal.facts.values()]
    assert {task.action for task in tasks} == {work.action for work in WORKS}
    assert any(task.claim for task in tasks)
    assert {task.settle for task in tasks} == {Settle.ANY, Settle.ALL}
    assert max(len(task.participants) for task in tasks) >= 3
    people = [person for task in tasks for person in task.participants.values()]
    # Whoever is offered a task answers within milliseconds, if at all.
    states = {person.state for person in people} | {ParticipantState.OFFERED}
    assert states == set(ParticipantState)
    assert any(person.group for person in people)


def test_the_day_has_its_rhythm(history_file: Path) -> None:
    journal = listening(history_file)
    fill(journal, 5_000)
    hours = [task.created_at // HOUR_MS % 24 for task in tasks_of(journal.facts)]
    assert hours.count(20) > 5 * hours.count(3)
    journal.close()


def test_adding_to_a_history_leaves_it_and_its_sums_right(
    history_file: Path, stored_sums: Read
) -> None:
    journal = listening(history_file)
    source = Source()
    source.now = NOW - DAY
    facts = source.done("before")
    journal.commit(facts)
    make_sums(journal, NOW)
    fill(journal, 500, days=3)
    fill(journal, 500, days=2)
    tasks = tasks_of(journal.facts)
    assert len(tasks) == 1_001
    assert len({task.task_id for task in tasks}) == 1_001
    ended = [task for task in tasks if (task.ended_at or NOW) < NOW]
    hours = {key: n for key, n in stored_sums(journal).items() if key[0] == HOUR_MS}
    assert hours == expected_sums(ended, [HOUR_MS])
    recent = [t for t in ended if (t.ended_at or 0) >= NOW - MINUTES_KEPT_MS]
    assert expected_sums(recent, [MINUTE_MS]).items() <= stored_sums(journal).items()
    journal.close()


PROGRAM = """
import hashlib, sys
from pathlib import Path
from hub.journal.memory import MemoryJournal
from hub.seeding.fill import seed
journal = MemoryJournal()
seed(journal, tasks=1_500, days=1, seed=int(sys.argv[1]), now=1_795_532_260_123,
     progress=lambda stored: None)
print(hashlib.sha256(repr(journal.facts).encode()).hexdigest())
"""


def test_the_same_seed_makes_the_same_history() -> None:
    def digest(number: int, hash_seed: int) -> str:
        env = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
        command = [sys.executable, "-c", PROGRAM, str(number)]
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    first = digest(1, 1)
    assert first == digest(1, 2)
    assert first != digest(2, 1)


# The command


def run(path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "seed", *arguments]
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{path}", **env}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_command_fills_an_empty_history_and_no_other(history_file: Path) -> None:
    done = run(history_file, "--tasks", "300", "--days", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Stored 300 tasks of 1 days in ")
    assert "manage.py runhub" in done.stdout
    assert done.stderr == ""

    again = run(history_file, "--tasks", "300")
    assert again.returncode == 1
    assert "--add" in again.stderr
    assert "TASKHUB_DATA_DIR" in again.stderr

    added = run(history_file, "--tasks", "200", "--days", "40", "--add")
    assert added.returncode == 0, added.stderr
    assert "TASKHUB_RETENTION_DAYS=41" in added.stderr
    journal = SqliteJournal(history_file)
    assert journal.last_key() == 500
    journal.close()


def test_it_waits_for_no_hub_that_runs(history_file: Path) -> None:
    lock = FileLock(history_file)
    lock.acquire()
    refused = run(history_file, "--tasks", "10")
    lock.release()
    assert refused.returncode == 1
    assert f"Another hub (process {os.getpid()})" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_errors_name_the_next_step(tmp_path: Path) -> None:
    missing = run(tmp_path / "none.sqlite3")
    assert missing.returncode == 1
    assert "manage.py migrate" in missing.stderr
    assert "Traceback" not in missing.stderr
    assert "at least 1" in run(tmp_path / "none.sqlite3", "--tasks", "0").stderr
