"""The gateway's counting, on a clock that tests move."""

import pytest

from hub.gateway.windows import Failures, MinuteWindow, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def is_full(window: MinuteWindow) -> bool:
    return window.full


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_window_is_full_at_its_limit_and_empties_with_time(clock: Clock) -> None:
    window = MinuteWindow(3, clock)
    for _ in range(3):
        assert not is_full(window)
        window.add()
        clock.now += 10
    assert is_full(window)
    clock.now += 29.9
    assert is_full(window)
    clock.now += 0.2
    assert not is_full(window)
    window.add()
    assert is_full(window)


def test_wrong_keys_by_name_and_by_address(clock: Clock) -> None:
    failures = Failures(per_name=2, per_address=4, clock=clock)
    for _ in range(2):
        failures.add("web", "10.0.0.1")
    assert failures.too_many("web", "10.0.0.1")
    assert not failures.too_many("web", "10.0.0.2")
    assert not failures.too_many("other", "10.0.0.1")
    for _ in range(2):
        failures.add("other", "10.0.0.1")
    assert failures.too_many("third", "10.0.0.1")
    clock.now += 60
    assert not failures.too_many("web", "10.0.0.1")


def test_failures_are_remembered_of_so_many_only(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failures, "CAPACITY", 100)
    failures = Failures(per_name=1, per_address=10, clock=clock)
    for number in range(10_000):
        failures.add(f"name-{number}", "10.0.0.1")
        assert len(failures._windows) <= 100
    assert failures.too_many("anyone", "10.0.0.1")


def test_a_bucket_delays_what_is_over_its_rate(clock: Clock) -> None:
    bucket = TokenBucket(10, clock)
    delays = [bucket.delay() for _ in range(20)]
    assert delays[:10] == pytest.approx([0.0] * 10, abs=1e-9)
    assert delays[10:] == pytest.approx([0.1 * n for n in range(1, 11)])
    clock.now += 100
    assert [bucket.delay() for _ in range(10)] == pytest.approx([0.0] * 10, abs=1e-9)
    assert bucket.delay() == pytest.approx(0.1)
