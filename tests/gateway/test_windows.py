"""Counting and limiting on a clock that the test moves."""

from hub.windows import Failures, MinuteWindow, TokenBucket


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_is_full_at_its_limit_and_slides() -> None:
    clock = Clock()
    window = MinuteWindow(3, clock)
    for _ in range(2):
        assert not window.full
        window.add()
        clock.now += 10
    window.add()
    full = [window.full]
    for seconds in (39.9, 0.1):  # then the first is a minute old
        clock.now += seconds
        full.append(window.full)
    assert full == [True, True, False]


def test_wrong_keys_count_by_name_and_by_address() -> None:
    clock = Clock()
    failures = Failures(2, 3, clock)
    failures.add("a", "10.0.0.1")
    failures.add("a", "10.0.0.1")
    assert failures.too_many("a", "10.0.0.1")
    assert not failures.too_many("b", "10.0.0.1")
    assert not failures.too_many("a", "10.0.0.2")
    failures.add("b", "10.0.0.1")
    assert failures.too_many("b", "10.0.0.1"), "the address has had its three"
    clock.now += 60
    assert not failures.too_many("a", "10.0.0.1")


def test_names_that_cannot_be_count_for_the_address_only() -> None:
    failures = Failures(1, 2, Clock())
    failures.add(None, "10.0.0.1")
    assert not failures.too_many(None, "10.0.0.1")
    failures.add(None, "10.0.0.1")
    assert failures.too_many(None, "10.0.0.1")


def test_failures_remember_a_bounded_number() -> None:
    failures = Failures(1, 1, Clock())
    for number in range(2 * Failures.CAPACITY):
        failures.add("a", f"10.{number}")
    assert len(failures._windows) == Failures.CAPACITY
    assert not failures.too_many("a", "10.0")
    assert failures.too_many("a", f"10.{2 * Failures.CAPACITY - 1}")


def test_a_bucket_gives_a_second_at_once_and_then_makes_wait() -> None:
    clock = Clock()
    bucket = TokenBucket(4, clock)
    delays = [bucket.delay() for _ in range(6)]
    assert delays == [0.0, 0.0, 0.0, 0.0, 0.25, 0.5]


def test_a_bucket_lets_through_its_rate_and_no_more() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock)
    taken = 0
    until = clock.now + 60
    while clock.now < until:
        clock.now += bucket.delay() + 0.001
        taken += 1
    assert 600 <= taken <= 612


def test_an_idle_bucket_saves_up_one_second_only() -> None:
    clock = Clock()
    bucket = TokenBucket(2, clock)
    clock.now += 3_600
    assert [bucket.delay() for _ in range(3)] == [0.0, 0.0, 0.5]
