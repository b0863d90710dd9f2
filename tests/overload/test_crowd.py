"""Everybody comes back at once after the hub was killed."""

import resource

import pytest

from tests.hub_process import HubProcess
from tests.overload.conftest import NewHub
from tests.overload.process import Load

CLIENTS = 2_000
#: The requirement: all of them are back after so long, each at its first try.
BACK_S = 10.0


def check_return(hub: HubProcess, *, clients: int = CLIENTS, within: float = BACK_S) -> None:
    """All are authenticated and subscribed again in time, and no handshake times out."""
    with Load("crowd", hub, clients=clients, names=["crowd"]) as load:
        load.expect("here", 60)
        hub.restart()
        load.expect("lost", 10)
        back = load.expect("back", within)  # the hub listens: the time counts from here
        load.tell("stop")
    print(  # noqa: T201  (the figures)
        f"{clients} clients back {back['seconds']:.1f} s after the hub was killed; "
        f"handshakes p50 {back['handshake_p50_s']:.1f} s, at most {back['handshake_max_s']:.1f} s"
    )
    assert back["failures"] == {}


def test_two_thousand_return_at_once(new_hub: NewHub) -> None:
    check_return(new_hub())


def test_keys_hashed_in_the_event_loop_are_found(new_hub: NewHub) -> None:
    hub = new_hub()
    hub.sabotage = "tests.overload.sabotage:slow_keys_in_the_loop"
    with pytest.raises(AssertionError, match="in time"):
        check_return(hub, clients=CLIENTS // 10, within=BACK_S / 10)


def test_more_connections_than_the_shells_limit_of_open_files(new_hub: NewHub) -> None:
    """systemd and most shells give a program 1,024, and let it ask for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        hub = new_hub()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with Load("crowd", hub, clients=400, names=["crowd"]) as load:
        assert load.expect("here", 20)["failures"] == {}
