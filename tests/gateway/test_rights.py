"""Rights that change while a connection is open (docs/protocol.md §2.8)."""

import asyncio
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from hub.gateway import websocket
from tests.gateway.harness import TEXT, Hub, eventually, frame, grants


async def test_other_rights_reach_an_open_connection(hub: Hub) -> None:
    async with await hub.client():
        await eventually(lambda: hub.pipeline.sinks)
        await hub.door.refresh()
        hub.authentication.known["mailer", "k"] = grants(pub=("email",))
        await hub.door.refresh()
        (rights,) = hub.pipeline.access.values()
        assert set(rights.pub) == {"*"}, "nothing says that something has changed"
        hub.authentication.number += 1
        await hub.door.refresh()
        (rights,) = hub.pipeline.access.values()
        assert set(rights.pub) == {"email"}


async def test_a_revoked_key_closes_its_connections(hub: Hub) -> None:
    hub.authentication.known["other", "k"] = grants("other", client_id=2, key_id=2)
    async with await hub.client(v1=True) as client, await hub.client("other"):
        await client.recv()
        del hub.authentication.known["mailer", "k"]
        hub.authentication.number += 1
        await hub.door.refresh()
        assert json.loads(await client.recv())["code"] == "forbidden"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 4401
        await eventually(lambda: len(hub.pipeline.sinks) == 1)


async def test_a_key_that_expires_closes_its_connections(hub: Hub) -> None:
    hub.authentication.known["mailer", "k"] = grants(
        key_expires_at=timezone.now() + timedelta(milliseconds=30)
    )
    async with await hub.client() as client:
        await hub.door.refresh()
        await asyncio.sleep(0.04)
        del hub.authentication.known["mailer", "k"]
        await hub.door.refresh()
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 4401


async def test_a_right_withdrawn_during_the_handshake(hub: Hub) -> None:
    async with await hub.client():
        hub.authentication.held = asyncio.Event()
        arriving = asyncio.create_task(hub.client())
        await eventually(lambda: len(hub.authentication.asked) == 2)
        # Its key has been found good; now it is revoked, and the others are looked at.
        del hub.authentication.known["mailer", "k"]
        hub.authentication.number += 1
        await hub.door.refresh()
        hub.authentication.held.set()
        late = await arriving
        await hub.door.refresh()
        with pytest.raises(ConnectionClosed):
            await late.recv()
        assert late.close_code == 4401


async def test_nothing_of_a_revoked_connection_is_taken_any_more(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.1)
    hub.pipeline.hold = asyncio.Event()
    async with hub.accepted() as socket:
        socket.writer.write(frame(TEXT, b"x") * 10)
        await eventually(lambda: hub.pipeline.received)
        del hub.authentication.known["mailer", "k"]
        hub.authentication.number += 1
        await hub.door.refresh()
        hub.pipeline.hold.set()
        assert b"\x11\x31" in await socket.rest(), "closed with 4401"
    assert len(hub.pipeline.received) == 1


async def test_last_seen_tells_of_short_visits_too(hub: Hub) -> None:
    async with await hub.client():
        pass
    await eventually(lambda: not hub.pipeline.sinks)
    await hub.door.refresh()
    assert hub.authentication.seen == [{1}]
    await hub.door.refresh()
    assert len(hub.authentication.seen) == 1, "not each time"


async def test_rights_do_not_wait_for_last_seen(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: object) -> None:
        raise OSError("no room")

    async with await hub.client():
        await eventually(lambda: hub.pipeline.sinks)
        monkeypatch.setattr(hub.authentication, "note_seen", full)
        with pytest.raises(OSError, match="no room"):
            await hub.door.refresh()
        await hub.door.refresh()


async def test_a_rate_taken_away_ends_the_waiting(hub: Hub) -> None:
    hub.authentication.known["mailer", "k"] = grants(rate=1)
    async with await hub.client() as client:
        hub.authentication.known["mailer", "k"] = grants(rate=None)
        hub.authentication.number += 1
        await hub.door.refresh()
        for _ in range(5):
            await client.send("x")
        async with asyncio.timeout(1):
            for _ in range(5):
                await client.recv()


async def test_a_revoked_key_does_not_wait_for_the_rate(hub: Hub) -> None:
    hub.authentication.known["mailer", "k"] = grants(rate=1)
    async with await hub.client() as client:
        for _ in range(3):
            await client.send("x")
        await client.recv()
        del hub.authentication.known["mailer", "k"]
        hub.authentication.number += 1
        await hub.door.refresh()
        await eventually(lambda: not hub.pipeline.sinks, timeout=0.9)
    assert len(hub.pipeline.received) == 1
