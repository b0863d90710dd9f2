"""Connections that do not read, or hardly, beside a stream to others (docs/protocol.md §2.6)."""

import time

import pytest

from tests.hub_process import HubProcess
from tests.overload.conftest import NewHub
from tests.overload.process import Load, Memory, once_more_if, sockets

#: The requirement: a connection that never reads is gone after so long, and cost so much.
GONE_S = 15.0
MOST_MB = 16.0
#: The others wait at most this many times longer. Below the floor, in ms, it is not the hub that
#: makes the difference on a machine that does other things as well.
MOST_RATIO = 2.0
FLOOR_MS = 15.0


def check_sleepers(
    hub: HubProcess, *manners: str, size: int = 2_000, rate: int = 1_500, seconds: float = 3.0
) -> None:
    """They are cut in time, they cost little, and the others hardly notice."""
    with Load("stream", hub, manners=manners, size=size, rate=rate, seconds=seconds) as load:
        without = load.expect("measured", 30)
        memory, before = Memory(hub), sockets(hub)
        load.tell("go")
        load.expect("asleep", 10)
        took = _gone(hub, before, memory)
        load.tell("gone")
        beside = load.expect("beside", 10)
        load.tell("stop")
    print(  # noqa: T201  (the figures)
        f"{' and '.join(manners)}: cut after {took:.1f} s, {memory.grown_mb():.1f} MB, "
        f"p99 of the others {without['p99']:.1f} ms before, {beside['p99']:.1f} ms beside"
    )
    most = MOST_RATIO * max(FLOOR_MS, without["p99"])
    assert beside["p99"] <= most, "the others wait longer for its sake"
    assert hub.log_since(0).count("reader_too_slow") == len(manners)
    assert beside["heard"] > 1_000


def _gone(hub: HubProcess, before: int, memory: Memory) -> float:
    """Seconds until the hub holds as many sockets as before."""
    began = time.monotonic()
    while sockets(hub) > before:
        assert memory.grown_mb() <= MOST_MB
        assert time.monotonic() - began < GONE_S, "it is still there"
        time.sleep(0.1)
    return time.monotonic() - began


def test_one_that_never_reads(new_hub: NewHub) -> None:
    once_more_if("for its sake", lambda: check_sleepers(new_hub(), "never_reads", seconds=2))


def test_one_that_hardly_reads_and_one_that_only_publishes(new_hub: NewHub) -> None:
    def check() -> None:
        hub = new_hub(TASKHUB_MAX_OUTBOX_BYTES="2000000")
        check_sleepers(hub, "reads_slowly", "only_publishes", seconds=1.5)

    once_more_if("for its sake", check)


def test_an_unbounded_outbox_is_found(new_hub: NewHub) -> None:
    with pytest.raises(AssertionError):
        check_sleepers(new_hub("unbounded_outbox"), "never_reads", size=10_000, seconds=0.3)


def test_a_hub_that_waits_for_the_slow_is_found(new_hub: NewHub) -> None:
    hub = new_hub("waiting_for_the_slow", TASKHUB_MAX_OUTBOX_BYTES="1000000")
    with pytest.raises(AssertionError, match="the others wait"):
        check_sleepers(hub, "never_reads", seconds=0.5)
