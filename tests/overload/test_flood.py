"""Publishers that send much more than the hub can take (docs/protocol.md §7, ARCHITECTURE.md 5)."""

import os
from pathlib import Path

import pytest

from tests.hub_process import HubProcess
from tests.overload.conftest import NewHub
from tests.overload.process import Load, Memory, missing, once_more_if

#: OVERLOAD_SECONDS=60 is the full minute.
SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "10"))
PUBLISHERS = 8
#: The requirement for one who sends a frame now and then.
QUIET_P99_MS = 250.0
#: What the hub may grow by: the line of decisions, what one read of each socket holds, what it
#: remembers of ended tasks, and outboxes; none of it grows with time.
MOST_MB = 64.0


def check_flood(
    hub: HubProcess,
    acknowledged: Path,
    *,
    seconds: float = SECONDS,
    body: int = 100,
    quiet_ms: float = QUIET_P99_MS,
    patience: float = 60.0,
) -> None:
    """Nothing is lost, nothing piles up, and a quiet client is served all the while."""
    options = {"publishers": PUBLISHERS, "seconds": seconds, "body": body, "patience": patience}
    with Load("flood", hub, acknowledged=str(acknowledged), **options) as load:
        load.expect("ready", 10)
        memory = Memory(hub)
        load.tell("go")
        sent = load.expect("sent", seconds + 30)
        end = load.expect("answered", patience + 10)
    grown, held = memory.grown_mb(), sent["sent"] - sent["answered"]
    print(  # noqa: T201  (the figures)
        f"{sent['sent']} frames sent in {seconds:g} s, {sent['answered'] / seconds:.0f} answered "
        f"a second, {held} held back at the end; {end['acknowledged']} acknowledged, "
        f"{end['refused']} refused, {end['unread']} unread; {grown:.1f} MB; quiet p50 "
        f"{end['p50_ms']:.0f}, p99 {end['p99_ms']:.0f}, worst {end['max_ms']:.0f} ms "
        f"of {end['trips']}"
    )
    assert grown <= MOST_MB
    assert end["p99_ms"] <= quiet_ms, "a quiet client has to wait"
    assert not missing(hub, acknowledged)
    assert end["sent"] == end["acknowledged"] + end["refused"] + end["unread"]
    assert end["unread"] == 0, "every frame is answered once the hub has come to it"
    assert end["refused"] == 0
    assert end["codes"] == [None] * PUBLISHERS, "nobody is thrown out for sending fast"


@pytest.mark.timeout(120 + 20 * SECONDS)
def test_a_flood_is_held_back(new_hub: NewHub, tmp_path: Path) -> None:
    once_more_if(
        "a quiet client has to wait",
        lambda: check_flood(_hub(new_hub), tmp_path / "acknowledged"),
    )


def test_a_flood_of_large_frames_is_held_back(new_hub: NewHub, tmp_path: Path) -> None:
    """The line is bounded in bytes too: a thousand frames of a megabyte would be a gigabyte."""
    hub = _hub(new_hub, TASKHUB_MAX_FRAME_BYTES="1048576")
    # Not about time: the disk takes these.
    check_flood(hub, tmp_path / "acknowledged", seconds=2, body=500_000, quiet_ms=5_000)


def test_no_holding_back_is_found(new_hub: NewHub, tmp_path: Path) -> None:
    hub = _hub(new_hub, "no_holding_back")
    with pytest.raises(AssertionError, match=r"64\.0|quiet client"):
        check_flood(hub, tmp_path / "acknowledged", seconds=1, patience=2)


@pytest.mark.parametrize(
    ("sabotage", "found"),
    [("losing_frames", "every frame is answered"), ("forgetting_batches", "missing")],
)
def test_what_is_lost_is_found(new_hub: NewHub, tmp_path: Path, sabotage: str, found: str) -> None:
    hub = _hub(new_hub, sabotage)
    with pytest.raises(AssertionError, match=found):
        check_flood(hub, tmp_path / "acknowledged", seconds=0.5, patience=4, quiet_ms=5_000)


def _hub(new_hub: NewHub, sabotage: str | None = None, **env: str) -> HubProcess:
    return new_hub(sabotage, TASKHUB_MAX_OPEN_TASKS_PER_CLIENT="100000", **env)
