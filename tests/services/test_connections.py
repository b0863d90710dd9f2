"""Who is connected: leases in the database, and what the memory of this process adds."""

import pytest

from hub import runtime as hub_runtime
from hub.connected import SAMPLE_S
from hub.core.access import access
from hub.core.presence import Presence
from hub.counts import RECENT, RefusedHandshake, Traffic
from hub.models import Connection
from hub.selectors import connections as selectors
from tests.services.conftest import HubHere


def test_a_connection_is_seen_at_once_with_what_it_does(hub: HubHere) -> None:
    service = hub.service("mail", event="start")
    service.unsent = 7
    publisher = hub.connect("web")
    publisher.say(cmd="pub", event="init", eventId="e", taskId="t", action="mail:a", payload=1)
    publisher.hears(event="start")
    for written in (False, True):
        if written:
            hub.run(hub.runtime.house.write_presence)
        first, second = selectors.connections()
        assert (first.client, first.connection) == ("service", service.connection)
        assert (first.address, first.protocol) == ("192.0.2.1", "taskhub.v1")
        assert first.agent == "a peer/1"
        assert (first.subscriptions, first.busy, first.unsent) == (("mail",), 1, 7)
        assert (second.client, second.subscriptions, second.busy) == ("web", (), 0)
    assert selectors.connections(client="web") == [second]
    assert selectors.connections_by_client() == {"service": 1, "web": 1}
    hub.do(hub.runtime.pipeline.disconnect, service.connection)
    assert [row.client for row in selectors.connections()] == ["web"], "before it is written"
    assert selectors.connections(client="service") == []


def test_a_lease_that_is_over_is_believed_no_more(hub: HubHere) -> None:
    common = {"client": "x", "address": "::1", "protocol": "legacy", "since": 1}
    until = hub.runtime.clock() + 60_000
    Connection.objects.create(connection="elsewhere", lease_until=until, **common)
    Connection.objects.create(connection="gone", lease_until=until - 120_000, **common)
    assert [row.connection for row in selectors.connections()] == ["elsewhere"]


def test_without_a_hub_in_this_process_the_database_tells(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_runtime._process, "current", None)
    assert selectors.connections() == []
    assert selectors.subscribers("a:b") == 0


def test_frames_a_second_are_of_the_last_seconds(hub: HubHere) -> None:
    now = [1_000.0]
    looking = hub.runtime.looking
    looking._clock = lambda: now[0]
    hub.do(looking.sample)
    hub.do(looking.sample)
    peer = hub.connect("web")
    rates = []
    for frames in (50, 50, 0, 0):
        peer.frames += frames
        now[0] += SAMPLE_S
        rates.append(selectors.connections()[0].rate)
        hub.do(looking.sample)
    assert rates == [10.0, 10.0, 5.0, 0.0]


def test_subscribers_are_who_would_be_offered_a_task(hub: HubHere) -> None:
    hub.service("mail")
    for number in (1, 2):
        peer = hub.connect(f"team-{number}", access("team", sub=["*"], group=True))
        peer.say(cmd="sub", action="*")
        peer.hears(action="*")
    assert selectors.subscribers("mail:send") == 2, "a group counts once"
    assert selectors.subscribers_of(["mail:send", "sms:send"]) == {"mail:send": 2, "sms:send": 1}


def test_refused_handshakes_are_remembered_in_a_bounded_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traffic = Traffic()
    monkeypatch.setattr(selectors, "traffic", traffic)
    for number in range(RECENT + 5):
        traffic.refuse(RefusedHandshake(number, "192.0.2.1", "web", "wrong-key", 401))
    rows = selectors.refusals()
    assert [row.at for row in rows] == list(range(RECENT + 4, 4, -1))
    assert (rows[0].name, rows[0].reason, rows[0].status) == ("web", "wrong-key", 401)
    assert traffic.refused["wrong-key"] == RECENT + 5


def test_thousands_of_connections_do_not_hold_up_the_loop(hub: HubHere) -> None:
    """Others have their turns while it is answered."""

    def crowd() -> None:
        for number in range(1_000):
            peer = type("Quiet", (), {"v1": True, "frames": 0, "unsent": 0, "token": "t"})()
            peer.connection = peer.token = f"c-{number}"
            presence = Presence(
                connection=peer.connection, client="x", address="", protocol="legacy", since=number
            )
            hub.runtime.pipeline.connect(peer, access("x", connections=5_000), presence)

    hub.do(crowd)
    turns = [0]

    def turn() -> None:
        turns[0] += 1
        hub.loop.call_soon(turn)

    hub.do(turn)
    before = turns[0]
    assert len(selectors.connections()) == 1_000
    assert turns[0] - before >= 5
