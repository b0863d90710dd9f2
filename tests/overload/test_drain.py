"""The end of a hub under load (docs/protocol.md §2.7)."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub_process import HubProcess
from tests.overload.conftest import NewHub
from tests.overload.process import Load, column, missing

CLIENTS = 1_000
#: The requirements, in seconds from the signal on.
TOLD_S = 2.0
EXIT_S = 10.0
#: So that work is under way when the signal comes.
TASKS_BEFORE = 500
#: Messages of 2 KB that a sleeper has not read: more than the system's buffers hold.
UNREAD_BEFORE = 4_000


def check_drain(
    hub: HubProcess,
    acknowledged: Path,
    *,
    by: signal.Signals = signal.SIGTERM,
    sleeper: bool = False,
    clients: int = CLIENTS,
) -> None:
    """All are told 1012, all that was acknowledged is stored, no lease is left, and it exits."""
    with Load(
        "drain", hub, clients=clients, sleeper=sleeper, size=2_000, acknowledged=str(acknowledged)
    ) as load:
        began = _signal_at_work(hub, load, by, sleeper=sleeper)
        assert hub.process is not None
        code = hub.process.wait(EXIT_S)
        took = time.monotonic() - began
        end = load.expect("closed", 5)
        load.tell("stop")
    told = end["last"] - began
    print(  # noqa: T201  (the figures)
        f"{by.name}{' beside a sleeper' if sleeper else ''}: all closed after {told:.2f} s, "
        f"exit {code} after {took:.2f} s, {end['acknowledged']} acknowledged"
    )
    assert end["codes"] == {"1012": clients}
    assert end["told"] == clients, "each heard why (§2.7)"
    assert told <= TOLD_S
    assert code == 0
    assert not missing(hub, acknowledged)
    assert took > 1.5 or not sleeper, "it was no sleeper: nobody waited for it"
    assert column(hub, "SELECT connection FROM hub_connection") == [], "a lease is left"


def _signal_at_work(
    hub: HubProcess, load: Load, by: signal.Signals, *, sleeper: bool = False
) -> float:
    """Send the signal once tasks go through, and much is unsent to the sleeper; when that was."""
    load.expect("working", 60)
    _until(lambda: column(hub, "SELECT max(id) FROM hub_task")[0] or 0, TASKS_BEFORE)
    if sleeper:
        own = "SELECT seq FROM hub_task WHERE task_id = 'own'"
        _until(lambda: sum(column(hub, own)), UNREAD_BEFORE)
    assert hub.process is not None
    began = time.monotonic()
    hub.process.send_signal(by)
    return began


def _until(figure: Callable[[], int], reached: int) -> None:
    deadline = time.monotonic() + 20
    while figure() < reached:
        assert time.monotonic() < deadline, f"{figure()} of {reached} in time"
        time.sleep(0.02)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_under_load(new_hub: NewHub, tmp_path: Path, by: signal.Signals) -> None:
    check_drain(new_hub(), tmp_path / "acknowledged", by=by)


def test_a_drain_beside_one_that_never_reads(new_hub: NewHub, tmp_path: Path) -> None:
    hub = new_hub(TASKHUB_MAX_OUTBOX_BYTES="100000000")
    check_drain(hub, tmp_path / "acknowledged", sleeper=True, clients=100)


def test_a_second_signal_ends_it_at_once(new_hub: NewHub, tmp_path: Path) -> None:
    """With 128 + its number, as if it had not been handled; what was acknowledged is stored."""
    hub, acknowledged = new_hub(TASKHUB_MAX_OUTBOX_BYTES="100000000"), tmp_path / "acknowledged"
    with Load(
        "drain", hub, clients=100, sleeper=True, size=2_000, acknowledged=str(acknowledged)
    ) as load:
        _signal_at_work(hub, load, signal.SIGTERM, sleeper=True)
        load.expect("closed", 5)  # the drain has begun, and waits for the sleeper
        assert hub.process is not None
        assert hub.process.poll() is None
        began = time.monotonic()
        assert hub.terminate() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 1.0
    assert not missing(hub, acknowledged)
    assert column(hub, "PRAGMA integrity_check") == ["ok"]
    hub.start()
    # Swept at the next start. It is a figure below 0 so that the wait is for it to rise.
    _until(lambda: -len(column(hub, "SELECT connection FROM hub_connection")), 0)


def test_a_drain_beside_a_stuck_disk(new_hub: NewHub, tmp_path: Path) -> None:
    """It gives the disk its time, and no more; nobody was told of what is not stored."""
    hub = new_hub("stuck_disk", TASKHUB_DRAIN_TIMEOUT_MS="700")
    acknowledged = tmp_path / "acknowledged"
    with Load("drain", hub, clients=100, acknowledged=str(acknowledged)) as load:
        load.expect("working", 20)
        _until((hub.directory / "stuck").exists, 1)
        began = time.monotonic()
        assert hub.terminate() == 0
        took = time.monotonic() - began
        end = load.expect("closed", 5)
    assert end["codes"] == {"1012": 100}
    assert 0.7 <= end["last"] - began <= 0.7 + TOLD_S
    assert took <= 0.7 + EXIT_S / 2
    assert end["acknowledged"] > 0
    assert not missing(hub, acknowledged)
    assert "drain_timed_out" in hub.log_since(0)


@pytest.mark.parametrize(
    ("sabotage", "found"),
    [
        ("drain_without_1012", "1012"),
        ("drain_without_a_word", "each heard why"),
        ("acknowledging_at_the_drain", "missing"),
        ("leases_left_behind", "a lease is left"),
    ],
)
def test_a_bad_end_is_found(new_hub: NewHub, tmp_path: Path, sabotage: str, found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        check_drain(new_hub(sabotage), tmp_path / "acknowledged", clients=50)
