"""Figures over time against plain Python, over made-up histories in a real database."""

import random
from collections import Counter
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import pytest
from django.db import connection

from hub.core.access import PatternSet
from hub.core.facts import Fact
from hub.core.task import Task
from hub.journal.sqlite import SqliteJournal
from hub.journal.sums import HOUR_MS, MINUTE_MS
from hub.models import Rollup
from hub.seeding.history import History
from hub.selectors import stats
from hub.selectors.sql import ALWAYS
from hub.selectors.stats import ActionStats, Bucket, by_action, throughput
from tests.stats.conftest import make_sums, tasks_of
from tests.stats.test_durations import within_a_tenth

pytestmark = pytest.mark.django_db(transaction=True)

#: A minute of its own kind: neither the begin of an hour nor of a day.
NOW = 1_795_532_260_123 // MINUTE_MS * MINUTE_MS + 41_234


@pytest.fixture
def rows() -> Iterator[SqliteJournal]:
    """The journal on the database that Django reads."""
    journal = SqliteJournal(Path(connection.settings_dict["NAME"]))
    yield journal
    journal.close()


def made_up(journal: SqliteJournal, tasks: int, hours: int, seed: int = 1) -> list[Task]:
    """A history up to ``NOW``, stored; its tasks that have ended."""
    facts: list[Fact] = []

    def store(batch: list[Fact]) -> None:
        journal.commit(batch)
        facts.extend(batch)

    begin = NOW - hours * HOUR_MS
    source = random.Random(seed)
    History(tasks=tasks, begin=begin, end=NOW, random=source, last_key=0, store=store).run()
    return [task for task in tasks_of(facts) if task.ended_at is not None]


def ended_at(task: Task) -> int:
    assert task.ended_at is not None
    return task.ended_at


def duration(task: Task) -> int:
    assert task.settled_at is not None
    return task.settled_at - task.created_at


def check_durations(told: Bucket | ActionStats, tasks: list[Task]) -> None:
    """Counts are exact, percentiles within a tenth of those by nearest rank."""
    outcomes = Counter(str(task.outcome) for task in tasks)
    assert (told.succeeded, told.failed) == (outcomes["success"], outcomes["fail"])
    durations = sorted(map(duration, tasks))
    for share, said in ((0.5, told.p50), (0.95, told.p95)):
        if durations:
            assert within_a_tenth(said, durations[ceil(share * len(durations)) - 1])
        else:
            assert said is None


#: Nothing summed, half of it, all but the last moment, everything.
SUMMED = [None, 3 * HOUR_MS, 1_500, 0]


@pytest.mark.parametrize("behind", SUMMED)
@pytest.mark.parametrize("width", [MINUTE_MS, 10 * MINUTE_MS, HOUR_MS])
def test_throughput_is_exact(rows: SqliteJournal, behind: int | None, width: int) -> None:
    tasks = made_up(rows, 1_500, hours=6)
    if behind is not None:
        make_sums(rows, NOW - behind)
    since = NOW - 5 * HOUR_MS - 7 * MINUTE_MS
    found = throughput(since=since, until=NOW + 1, width_ms=width)
    begin = since // width * width
    assert [bucket.at for bucket in found] == list(range(begin, NOW + 1, width))
    assert {bucket.width_ms for bucket in found} == {width}
    for bucket in found:
        within = [t for t in tasks if bucket.at <= ended_at(t) < bucket.at + width]
        check_durations(bucket, within)
    assert sum(bucket.succeeded + bucket.failed for bucket in found) > 1_000


@pytest.mark.parametrize("behind", SUMMED)
@pytest.mark.parametrize("hours", [1, 3, 30])
def test_actions_are_exact(rows: SqliteJournal, behind: int | None, hours: int) -> None:
    tasks = made_up(rows, 1_500, hours=31)
    if behind is not None:
        make_sums(rows, NOW - behind)
    unit = MINUTE_MS if hours <= 3 else HOUR_MS
    since = NOW + 1 - hours * HOUR_MS
    begin = since // unit * unit
    found = by_action(since=since, until=NOW + 1)
    within = [t for t in tasks if ended_at(t) >= begin]
    assert [one.action for one in found] == sorted({task.action for task in within})
    span = -(-(NOW + 1) // unit) * unit - begin  # it lies in the past: its last stretch is over
    for one in found:
        own = [task for task in within if task.action == one.action]
        check_durations(one, own)
        assert one.per_minute == pytest.approx(len(own) * MINUTE_MS / span)
        assert len(one.spark) == 30
        assert sum(one.spark) == len(own)
    whole = by_action(since=since, until=NOW + 1, points=1)
    assert [one.spark for one in whole] == [(sum(one.spark),) for one in found]


def test_a_task_that_ended_just_where_the_sums_stand_counts_once(rows: SqliteJournal) -> None:
    tasks = made_up(rows, 200, hours=2)
    for task in tasks[50:53]:
        rows.rewind_sums(0)
        make_sums(rows, ended_at(task))
        found = throughput(since=NOW - 3 * HOUR_MS, until=NOW + 1, width_ms=HOUR_MS)
        assert sum(bucket.succeeded + bucket.failed for bucket in found) == len(tasks)


def test_the_parts_of_an_hour_are_exact(rows: SqliteJournal) -> None:
    tasks = made_up(rows, 2_000, hours=2)
    make_sums(rows, NOW - 10_000)
    begin = NOW // MINUTE_MS * MINUTE_MS - 59 * MINUTE_MS
    for one in by_action(since=begin, until=NOW, points=30):
        parts = Counter(
            (ended_at(task) - begin) // (2 * MINUTE_MS)
            for task in tasks
            if task.action == one.action and ended_at(task) >= begin
        )
        assert one.spark == tuple(parts[part] for part in range(30))


def test_a_part_that_is_not_over_is_not_drawn_as_a_fall(
    rows: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(rows, 8_000, hours=25)
    monkeypatch.setattr("time.time_ns", lambda: NOW * 1_000_000)
    found = {one.action: one for one in by_action(since=NOW - 24 * HOUR_MS, until=NOW, points=24)}
    spark = found["email:send"].spark
    assert spark[-1] > sum(spark[-4:]) / 8


def test_the_busiest_are_kept(rows: SqliteJournal) -> None:
    made_up(rows, 1_000, hours=2)
    everything = by_action(since=NOW - HOUR_MS, until=NOW)
    busiest = sorted(everything, key=lambda one: (-one.succeeded - one.failed, one.action))[:3]
    limited = by_action(since=NOW - HOUR_MS, until=NOW, limit=3)
    assert limited == sorted(busiest, key=lambda one: one.action)


@pytest.mark.parametrize(
    "patterns",
    [
        (),
        ("*",),
        ("email",),
        ("email:send",),
        ("image", "payment:charge"),
        ("email", "*"),
        ("mail",),
        ("email:",),
        ("report/daily",),
        ("%", "_", "e%", "' OR 1=1 --"),
    ],
    ids=str,
)
def test_patterns_choose_as_the_hub_does(rows: SqliteJournal, patterns: tuple[str, ...]) -> None:
    tasks = made_up(rows, 800, hours=2)
    make_sums(rows, NOW - HOUR_MS)
    asked = PatternSet(patterns or ("*",))
    begin = NOW // MINUTE_MS * MINUTE_MS - HOUR_MS
    wanted = [t for t in tasks if ended_at(t) >= begin and asked.covers(t.action)]
    found = by_action(since=begin, until=NOW + 1, patterns=patterns)
    assert sum(one.succeeded + one.failed for one in found) == len(wanted)
    assert {one.action for one in found} == {task.action for task in wanted}
    buckets = throughput(since=begin, until=NOW + 1, width_ms=MINUTE_MS, patterns=patterns)
    assert sum(one.succeeded + one.failed for one in buckets) == len(wanted)


def test_before_the_minutes_that_are_kept_there_are_hours(rows: SqliteJournal) -> None:
    tasks = made_up(rows, 2_000, hours=80)
    make_sums(rows, NOW, limit=50)
    while rows.prune_sums(None):
        pass
    since = NOW - 75 * HOUR_MS
    found = throughput(since=since, until=since + 2 * HOUR_MS, width_ms=MINUTE_MS)
    assert [bucket.width_ms for bucket in found] == [HOUR_MS] * 3
    for bucket in found:
        check_durations(
            bucket, [t for t in tasks if bucket.at <= ended_at(t) < bucket.at + HOUR_MS]
        )
    (one,) = by_action(since=since, until=since + HOUR_MS, patterns=("email:send",))
    begin = since // HOUR_MS * HOUR_MS
    own = [
        task
        for task in tasks
        if task.action == "email:send" and begin <= ended_at(task) < begin + 2 * HOUR_MS
    ]
    check_durations(one, own)
    last = throughput(since=NOW - 47 * HOUR_MS, until=NOW + 1, width_ms=MINUTE_MS)
    assert {bucket.width_ms for bucket in last} == {MINUTE_MS}
    within = [t for t in tasks if ended_at(t) >= last[0].at]
    assert sum(bucket.succeeded + bucket.failed for bucket in last) == len(within)


def test_nothing_has_ended() -> None:
    assert by_action(since=NOW - HOUR_MS, until=NOW) == []
    (only,) = throughput(since=NOW, until=NOW + 1, width_ms=1)
    assert (only.at, only.width_ms) == (NOW // MINUTE_MS * MINUTE_MS, MINUTE_MS)
    assert (only.succeeded, only.failed, only.p50, only.p95) == (0, 0, None, None)
    assert throughput(since=NOW, until=NOW - HOUR_MS, width_ms=MINUTE_MS) == []
    assert by_action(since=NOW, until=NOW) == []


def test_no_page_walks_over_the_history(rows: SqliteJournal) -> None:
    text = stats._statement(("action", "outcome", "bucket"), ALWAYS)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {text}", (1,) * text.count("%s"))
        details = "; ".join(row[3] for row in cursor.fetchall())
    assert "hub_rollup USING PRIMARY KEY (width_ms=? AND at>? AND at<?)" in details
    assert "task_ended (ended_at>?)" in details
    assert "SCAN hub" not in details


def test_the_table_of_sums_is_the_models(rows: SqliteJournal) -> None:
    made_up(rows, 50, hours=1)
    make_sums(rows, NOW)
    one = Rollup.objects.order_by("-n").first()
    assert one is not None
    assert Rollup.objects.get(pk=one.pk).n == one.n > 0
