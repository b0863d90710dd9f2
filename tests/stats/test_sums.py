"""The sums of ended tasks, in both drivers: each task once, whatever happens between."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.core.facts import Fact
from hub.durations import bucket_sql
from hub.journal.port import Journal
from hub.journal.sqlite import SqliteJournal
from hub.journal.statements import statements
from hub.journal.sums import HOUR_MS, MINUTE_MS, MINUTES_KEPT_MS
from tests.contracts.conftest import ROOT
from tests.contracts.test_journal import Source
from tests.stats.conftest import Sums, expected_sums, make_sums, tasks_of

Read = Callable[[Journal], Sums]


@pytest.mark.parametrize("seed", range(4))
def test_each_task_counts_once_however_the_steps_are_cut(
    journal: Journal, stored_sums: Read, seed: int
) -> None:
    source, cut = Source(seed), random.Random(seed)
    facts: list[Fact] = []
    for _ in range(400):
        step = source.step()
        journal.commit(step)
        facts += step
        if cut.random() < 0.2:
            journal.add_sums(journal.tally(source.now, cut.choice([1, 2, 1_000])))
    make_sums(journal, source.now + 1, limit=3)
    ended = [task for task in tasks_of(facts) if task.ended_at is not None]
    assert len(ended) > 5, f"seed {seed} made too little"
    assert stored_sums(journal) == expected_sums(ended)


def test_what_ends_at_the_end_of_a_step_is_in_the_next(journal: Journal, stored_sums: Read) -> None:
    source = Source()
    source.now = 5 * HOUR_MS
    facts = source.done("t")
    journal.commit(facts)
    make_sums(journal, source.now)
    assert not stored_sums(journal)
    make_sums(journal, source.now + 1)
    assert stored_sums(journal) == expected_sums(tasks_of(facts))
    make_sums(journal, source.now + HOUR_MS)
    assert stored_sums(journal) == expected_sums(tasks_of(facts))


def test_a_thousand_tasks_of_one_millisecond_are_one_step(
    journal: Journal, stored_sums: Read
) -> None:
    source = Source()
    facts = [fact for number in range(1_000) for fact in source.done(f"t{number}")]
    journal.commit(facts)
    assert make_sums(journal, source.now + 1, limit=10) == 2  # nothing yet; all of them
    assert stored_sums(journal) == expected_sums(tasks_of(facts))


def test_a_step_that_others_have_overtaken_adds_nothing(
    journal: Journal, stored_sums: Read
) -> None:
    source = Source()
    facts = source.done("t")
    journal.commit(facts)
    made = journal.tally(source.now + 1, 10)
    assert journal.add_sums(made)
    assert not journal.add_sums(made)
    assert stored_sums(journal) == expected_sums(tasks_of(facts))


def test_an_old_history_gets_hours_and_minutes_of_its_last_days(
    journal: Journal, stored_sums: Read
) -> None:
    source = Source()
    facts: list[Fact] = []
    for number in range(40):
        source.now = number * 5 * HOUR_MS + number * 7 * MINUTE_MS
        facts += source.done(f"t{number}")
    journal.commit(facts)
    until = source.now + 1
    make_sums(journal, until, limit=1)
    tasks = tasks_of(facts)
    found = stored_sums(journal)
    hours = {key: n for key, n in found.items() if key[0] == HOUR_MS}
    assert hours == expected_sums(tasks, [HOUR_MS])
    recent = [task for task in tasks if (task.ended_at or 0) >= until - MINUTES_KEPT_MS]
    expected = expected_sums(recent, [MINUTE_MS])
    assert len(expected) == 10
    minutes = {key: n for key, n in found.items() if key[0] == MINUTE_MS}
    # At their edge the step that leads into the days that are kept may bring one more.
    assert expected.items() <= minutes.items()
    assert len(minutes) <= len(expected) + 1


def test_sums_ahead_of_a_clock_that_was_set_back_are_made_anew(
    journal: Journal, stored_sums: Read
) -> None:
    source = Source()
    facts: list[Fact] = []
    for hour in (100, 102, 104):
        source.now = hour * HOUR_MS + 30 * MINUTE_MS
        facts += source.done(f"before-{hour}")
    journal.commit(facts)
    make_sums(journal, 105 * HOUR_MS)
    journal.rewind_sums(105 * HOUR_MS)
    assert stored_sums(journal) == expected_sums(tasks_of(facts)), "the clock is ahead: nothing"
    # A hub starts with its clock two hours and a half back, and works.
    source.now = 102 * HOUR_MS + 10 * MINUTE_MS
    journal.rewind_sums(source.now)
    more = source.done("after")
    journal.commit(more)
    make_sums(journal, 110 * HOUR_MS)
    assert stored_sums(journal) == expected_sums(tasks_of(facts + more))


def test_old_sums_are_pruned_in_small_steps(journal: Journal, stored_sums: Read) -> None:
    source = Source()
    facts: list[Fact] = []
    for hour in range(120):
        source.now = hour * HOUR_MS
        facts += source.done(f"t{hour}")
    journal.commit(facts)
    for until in range(0, 120 * HOUR_MS, HOUR_MS):  # as a hub that never stopped
        make_sums(journal, until + 1)
    everything = stored_sums(journal)
    assert everything == expected_sums(tasks_of(facts))
    while journal.prune_sums(None):
        pass
    first = 119 * HOUR_MS - MINUTES_KEPT_MS - HOUR_MS
    kept = {k: n for k, n in everything.items() if k[0] == HOUR_MS or k[1] >= first}
    assert stored_sums(journal) == kept
    while journal.prune_sums(60 * HOUR_MS + 5):
        pass
    kept = {k: n for k, n in kept.items() if k[1] >= 60 * HOUR_MS}
    assert stored_sums(journal) == kept


def test_one_pruning_deletes_little(sqlite_journal: SqliteJournal, stored_sums: Read) -> None:
    source = Source()
    for hour in range(50):
        source.now = hour * HOUR_MS
        sqlite_journal.commit(source.done(f"t{hour}"))
    make_sums(sqlite_journal, 200 * HOUR_MS)
    before = stored_sums(sqlite_journal)
    assert sqlite_journal.prune_sums(40 * HOUR_MS)
    gone = before - stored_sums(sqlite_journal)
    assert [at // HOUR_MS for width, at, *_ in sorted(gone) if width == HOUR_MS] == list(range(10))
    # Ten minutes, in which one task ended.
    assert [at for width, at, *_ in gone if width == MINUTE_MS] == [0]


@pytest.mark.parametrize("name", ["step_end", "tally"])
def test_no_step_walks_over_the_history(sqlite_journal: SqliteJournal, name: str) -> None:
    text = statements("sums.sql")[name].replace("{bucket}", bucket_sql("settled_at - created_at"))
    query = f"EXPLAIN QUERY PLAN {text}"
    plan = sqlite_journal._reading.execute(query, (1,) * text.count("?")).fetchall()
    details = "; ".join(row[3] for row in plan)
    assert "task_ended (ended_at>? AND ended_at<?)" in details


def test_kill_9_loses_no_task_and_counts_none_twice(history_file: Path, stored_sums: Read) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from hub.journal.sqlite import SqliteJournal\n"
        "from tests.contracts.test_journal import Source\n"
        "journal = SqliteJournal(Path(sys.argv[1]))\n"
        "source = Source(int(sys.argv[2]), last_key=journal.last_key())\n"
        "source.now = 1_000_000 * int(sys.argv[2])\n"
        "for number in range(100_000):\n"
        "    source.now += 700\n"
        "    journal.commit(source.done(f'{sys.argv[2]}-{number}'))\n"
        "    if number % 3 == 0: journal.add_sums(journal.tally(source.now, 100))\n"
        "    print(number, flush=True)\n"
    )
    for life in (1, 2, 3):
        command = [sys.executable, "-c", program, str(history_file), str(life)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(25 + life):
            process.stdout.readline()
        process.kill()
        process.communicate()
    journal = SqliteJournal(history_file)
    make_sums(journal, 10**12)
    ids = journal._reading.execute("SELECT task_id FROM hub_task").fetchall()
    tasks = [task for (task_id,) in ids if (task := journal.load(task_id)) is not None]
    hours = {key: n for key, n in stored_sums(journal).items() if key[0] == HOUR_MS}
    assert sum(hours.values()) == len(tasks) > 75
    assert hours == expected_sums(tasks, [HOUR_MS])
    journal.close()
