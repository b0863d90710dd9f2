"""Who is let in, and what those hear who are not (docs/protocol.md §2.1 to §2.3, §7)."""

import asyncio
import base64
import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from hub.counts import traffic
from hub.gateway import silent_sockets
from tests.gateway.harness import Hub, Serving, eventually, grants
from tests.raw_peer import basic


async def refusal(hub: Hub, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, head and body of the answer to a handshake."""
    async with hub.raw(**headers) as socket:
        head = await socket.head()
        body = await socket.rest()
    return int(head.split()[1]), head.lower(), json.loads(body)


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws", "/?a=b"])
async def test_the_hub_is_at(hub: Hub, path: str) -> None:
    async with hub.accepted(path=path):
        assert len(hub.pipeline.presences) == 1


async def test_another_path_is_not_found(hub: Hub) -> None:
    status, _, body = await refusal(hub, path="/wss/")
    assert status == 404
    assert "/ws/" in body["error"]


async def test_another_origin_is_forbidden(hub: Hub) -> None:
    assert (await refusal(hub, Origin="https://evil.test"))[0] == 403
    assert (await refusal(hub, Origin="http://["))[0] == 403
    async with hub.accepted(Origin="http://localhost:8000"):
        pass


@pytest.mark.parametrize(
    "authorization", [basic("mailer", "wrong"), basic("nobody", "k"), basic("hub", "k")]
)
async def test_wrong_keys_get_one_answer(hub: Hub, authorization: str) -> None:
    status, head, body = await refusal(hub, Authorization=authorization)
    assert status == 401
    last = traffic.recent[-1]
    name = {"nobody": "nobody", "mailer": "mailer", "hub": ""}
    said = base64.b64decode(authorization.split()[1]).decode().partition(":")[0]
    assert (last.address, last.name) == ("127.0.0.1", name[said])
    assert (last.reason, last.status) == ("wrong-key", 401)
    assert body == {"error": "Unknown name or wrong key."}
    assert "www-authenticate" not in head, "a browser would keep the key and send it everywhere"


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !!!", "Bearer x"])
async def test_no_key_is_refused_without_looking_or_counting(
    serving: Serving, authorization: str
) -> None:
    async with serving(wrong_keys_per_address=1) as hub:
        for _ in range(3):
            assert (await refusal(hub, Authorization=authorization))[0] == 401
        assert hub.authentication.asked == []


async def test_too_many_wrong_keys_for_a_name(serving: Serving) -> None:
    async with serving(wrong_keys_per_name=3) as hub:
        wrong = basic("mailer", "wrong")
        assert [(await refusal(hub, Authorization=wrong))[0] for _ in range(3)] == [401] * 3
        status, head, body = await refusal(hub, Authorization=basic("mailer", "k"))
        assert status == 429, "also with the right key: the answer must not tell it"
        assert "retry-after: 60" in head
        assert "wrong keys" in body["error"]
        assert (await refusal(hub, Authorization=basic("other", "wrong")))[0] == 401


async def test_a_name_in_another_spelling_is_the_same_name(serving: Serving) -> None:
    async with serving(wrong_keys_per_name=3) as hub:
        for name in ("mailer", "%6dailer", "m%61iler"):
            assert (await refusal(hub, Authorization=basic(name, "wrong")))[0] == 401
        assert (await refusal(hub, Authorization=basic("maile%72", "wrong")))[0] == 429


async def test_right_keys_are_not_counted(serving: Serving) -> None:
    async with serving(wrong_keys_per_name=1, wrong_keys_per_address=1) as hub:
        for _ in range(3):
            async with hub.accepted():
                pass


async def test_names_that_cannot_be_are_not_remembered(hub: Hub) -> None:
    for number in range(3):
        assert (await refusal(hub, Authorization=basic("ü" * 900 + str(number), "k")))[0] == 401
    assert list(hub.door._failures._windows) == [("127.0.0.1", None)]


async def test_max_connections_and_its_end(hub: Hub) -> None:
    hub.authentication.known["mailer", "k"] = grants(max_connections=2)
    async with await hub.client() as first, await hub.client():
        status, head, body = await refusal(hub)
        assert status == 429
        assert "retry-after" in head
        assert "2 connections" in body["error"]
        await first.close()
        await eventually(lambda: len(hub.pipeline.sinks) == 1)
        async with await hub.client():
            pass


async def test_dead_connections_do_not_count(hub: Hub) -> None:
    hub.authentication.known["mailer", "k"] = grants(max_connections=1)
    hub.pipeline.hold = asyncio.Event()
    async with hub.accepted() as socket:
        socket.writer.write(b"\x81\x81\x00\x00\x00\x00x")
        await eventually(lambda: hub.pipeline.received)
    # It is gone, and the pipeline still holds its consumer.
    await eventually(lambda: not hub.protocols)
    assert len(hub.pipeline.sinks) == 1
    async with await hub.client():
        pass
    hub.pipeline.hold.set()


async def test_draining_refuses(hub: Hub) -> None:
    hub.runtime.draining = True
    status, head, _ = await refusal(hub)
    assert status == 503
    assert "retry-after: 1" in head


async def test_draining_that_begins_during_a_handshake_refuses(hub: Hub) -> None:
    hub.authentication.held = asyncio.Event()
    async with hub.raw() as socket:
        await eventually(lambda: hub.authentication.asked)
        hub.runtime.draining = True
        hub.authentication.held.set()
        assert " 503 " in await socket.head()
    assert not hub.pipeline.presences


async def test_a_broken_database_refuses_for_now(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.authentication.broken = True
    status, _, body = await refusal(hub)
    assert status == 503
    assert "disk" not in body["error"]
    assert "disk I/O error" in caplog.text


async def test_a_burst_of_one_address_is_let_in(serving: Serving) -> None:
    async with serving(unauthenticated_per_address=3) as hub:
        hub.authentication.held = asyncio.Event()
        arriving = [asyncio.create_task(hub.client()) for _ in range(30)]
        await eventually(lambda: len(hub.authentication.asked) == 3)
        hub.authentication.held.set()
        clients = await asyncio.gather(*arriving)
        assert len(hub.pipeline.sinks) == 30
        await asyncio.gather(*(client.close() for client in clients))


async def test_a_crowd_of_one_address_is_refused(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.gateway.door.TURN_S", 0.05)
    async with serving(unauthenticated_per_address=2) as hub:
        hub.authentication.held = asyncio.Event()
        async with hub.raw(), hub.raw():
            await eventually(lambda: len(hub.authentication.asked) == 2)
            with pytest.raises(InvalidStatus) as refused:
                await hub.client()
            assert refused.value.response.status_code == 429
            hub.authentication.held.set()


async def test_a_peer_that_leaves_during_its_handshake_leaves_nothing(hub: Hub) -> None:
    hub.authentication.held = asyncio.Event()
    async with hub.raw():
        await eventually(lambda: hub.authentication.asked)
    await eventually(lambda: not hub.protocols)
    hub.authentication.held.set()
    await eventually(lambda: not hub.server.server_state.tasks)
    assert not hub.pipeline.sinks
    assert not hub.door.sessions()


async def test_silent_sockets_are_given_up(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silent_sockets, "CROWDED_TIMEOUT_S", 0.05)
    async with (
        serving(unauthenticated_per_address=1) as hub,
        hub.silent() as first,
        hub.silent() as second,
    ):
        await eventually(lambda: len(hub.server.server_state.connections) == 2)
        second.writer.write(b"GET / HTTP/1.1\r\nHost: ")
        assert (await second.rest()).startswith(b"HTTP/1.1 408 ")
        assert not first.reader.at_eof(), "one may be slow"
        async with await hub.client():
            pass


async def test_a_request_with_a_header_too_long_is_answered(hub: Hub) -> None:
    async with hub.raw(X_Long="x" * 9_000) as socket:
        assert (await socket.rest()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["taskhub.v1"], "taskhub.v1"), (["ws"], "ws"), (["mqtt"], None), (None, None)],
)
async def test_known_subprotocols_are_echoed(
    hub: Hub, offered: list[str] | None, chosen: str | None
) -> None:
    subprotocols = None if offered is None else [Subprotocol(one) for one in offered]
    async with await hub.client(subprotocols=subprotocols) as client:
        assert client.subprotocol == chosen
        await eventually(lambda: hub.pipeline.presences)
        presence = hub.pipeline.presences[0]
        assert presence.protocol == ("taskhub.v1" if chosen == "taskhub.v1" else "legacy")
        assert presence.client == "mailer"
        assert presence.address == "127.0.0.1"
