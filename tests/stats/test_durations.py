"""Buckets of durations: every border, and percentiles against plain Python."""

import math
import random
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from hub.durations import BORDERS, bucket_of, bucket_sql, percentile

#: Thirty days, the longest that a task takes by default, and two years.
LONG = (30 * 86_400_000, 2 * 365 * 86_400_000)


def within_a_tenth(said: int | None, truth: int) -> bool:
    return said is not None and 10 * abs(said - truth) <= truth


@pytest.mark.parametrize("border", [*BORDERS[1:], *LONG])
def test_what_a_bucket_says_is_within_a_tenth_of_all_it_holds(border: int) -> None:
    for duration in (border - 1, border, border + 1):
        assert within_a_tenth(percentile({bucket_of(duration): 1}, 0.5), duration)


def test_sql_and_python_agree_about_every_border() -> None:
    durations = sorted({near for b in BORDERS for near in (b - 1, b, b + 1)} | {-5_000, 10**15})
    with closing(sqlite3.connect(":memory:")) as database:
        expression = bucket_sql("ended - begun")
        for begun in (0, 1_795_000_000_000):
            query = f"SELECT {expression} FROM (SELECT ? AS begun, ? AS ended)"
            said = [
                database.execute(query, (begun, begun + duration)).fetchone()[0]
                for duration in durations
            ]
            assert said == [bucket_of(duration) for duration in durations]


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    assert bucket_of(-1) == bucket_of(0) == 0
    assert percentile({0: 1}, 0.5) == 0


def test_the_buckets_are_few() -> None:
    assert len(BORDERS) == 123
    assert sorted(BORDERS) == list(BORDERS)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_percentiles_of_random_durations(seed: int, share: float) -> None:
    source = random.Random(seed)
    count = source.choice([1, 2, 3, 10, 1_000])
    durations = sorted(int(source.lognormvariate(5, 3)) for _ in range(count))
    nearest_rank = durations[max(math.ceil(share * count), 1) - 1]
    said = percentile(Counter(map(bucket_of, durations)), share)
    assert said == 0 if nearest_rank == 0 else within_a_tenth(said, nearest_rank)


def test_no_durations_have_no_percentile() -> None:
    assert percentile({}, 0.5) is None
