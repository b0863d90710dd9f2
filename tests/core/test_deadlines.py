"""Deadlines fire in time, never early, and leave nothing behind (ARCHITECTURE.md, invariant 8)."""

import random

import pytest

from hub.core.deadlines import GRAIN_MS, Deadlines


@pytest.mark.parametrize("at", range(1_000, 1_000 + 2 * GRAIN_MS))
def test_never_early_and_at_most_a_grain_late(at: int) -> None:
    deadlines = Deadlines()
    deadlines.arm(1, at)
    fired = next(now for now in range(at - 20, at + 20) if deadlines.due(now))
    assert at <= fired < at + GRAIN_MS
    assert len(deadlines) == 0


def test_the_earliest_first() -> None:
    deadlines = Deadlines()
    for key, at in ((1, 300), (2, 100), ("a", 200)):
        deadlines.arm(key, at)
    assert deadlines.next_at() == 104
    assert deadlines.due(1_000) == [2, "a", 1]
    assert deadlines.next_at() is None
    assert deadlines.due(1_000) == []


def test_a_fixed_order_within_a_grain() -> None:
    deadlines = Deadlines()
    for key in (3, "b", 1, "a", 2):
        deadlines.arm(key, 8)
    assert deadlines.due(8) == [1, 2, 3, "a", "b"]


def test_one_deadline_for_each_key() -> None:
    deadlines = Deadlines()
    deadlines.arm(1, 100)
    deadlines.arm(1, 101)
    deadlines.arm(1, 300)
    assert len(deadlines) == 1
    assert deadlines.due(200) == []
    assert deadlines.due(304) == [1]


def test_an_earlier_deadline_takes_the_place_of_a_later_one() -> None:
    deadlines = Deadlines()
    deadlines.arm(1, 300)
    deadlines.arm(1, 100)
    assert deadlines.due(104) == [1]
    assert deadlines.due(400) == []


def test_disarmed_is_forgotten() -> None:
    deadlines = Deadlines()
    deadlines.arm(1, 100)
    deadlines.arm(2, 100)
    deadlines.disarm(1)
    deadlines.disarm(1)
    deadlines.disarm("never armed")
    assert deadlines.due(104) == [2]


def test_a_bucket_used_again_fires_once() -> None:
    deadlines = Deadlines()
    deadlines.arm(1, 100)
    deadlines.disarm(1)
    deadlines.arm(2, 100)
    assert deadlines.due(104) == [2]
    assert deadlines.due(104) == []


def test_the_heap_does_not_fill_with_the_dead() -> None:
    """Ten thousand short tasks a second arm a minute ahead, and end at once."""
    deadlines = Deadlines()
    deadlines.arm("kept", 1_000_000)
    for n in range(5_000):
        deadlines.arm(n, n * GRAIN_MS)
        deadlines.disarm(n)
    assert len(deadlines) == 1
    assert len(deadlines._heap) < 200
    assert deadlines.due(1_000_000) == ["kept"]


def test_as_a_plain_table_would() -> None:
    chance = random.Random(1)
    deadlines = Deadlines()
    table: dict[int, int] = {}
    now = 0
    for _ in range(3_000):
        now += chance.randrange(20)
        key = chance.randrange(40)
        if chance.random() < 0.6:
            table[key] = now + chance.randrange(1, 400)
            deadlines.arm(key, table[key])
        elif chance.random() < 0.5:
            table.pop(key, None)
            deadlines.disarm(key)
        else:
            due = deadlines.due(now)
            expected = {k for k, at in table.items() if -(-at // GRAIN_MS) <= now // GRAIN_MS}
            assert len(due) == len(expected)
            assert set(due) == expected
            for found in expected:
                del table[found]
        assert len(deadlines) == len(table)
