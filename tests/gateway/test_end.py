"""How a server ends (docs/protocol.md §2.7)."""

import asyncio
import contextlib
import json
import signal
import socket

import pytest
from django.core.management.base import CommandError
from websockets.exceptions import ConnectionClosed

from hub.gateway import server
from hub.management.commands import runhub
from tests.gateway.harness import TIMEOUT, Serving, eventually


async def test_everyone_is_told_to_come_back(serving: Serving) -> None:
    async with serving() as hub:
        v1, legacy = await hub.client(v1=True), await hub.client()
        await v1.recv()
        ending = asyncio.create_task(hub.end())
        assert json.loads(await v1.recv())["code"] == "unavailable"
        for client in (v1, legacy):
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1012
        await ending


async def test_also_those_who_are_talking(serving: Serving) -> None:
    async def talk(number: int) -> int | None:
        client = await hub.client()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await client.send(str(number) * 1_000)
                await client.recv()
        return client.close_code

    async with serving() as hub:
        talkers = [asyncio.create_task(talk(number)) for number in range(20)]
        await eventually(lambda: len(hub.pipeline.received) > 500)
        ending = asyncio.create_task(hub.end())
        async with asyncio.timeout(TIMEOUT):
            assert await asyncio.gather(*talkers) == [1012] * 20
        await ending


async def test_a_peer_that_does_not_answer_holds_nobody_up(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FAREWELL_S", 0.1)
    async with serving() as hub, hub.accepted() as mute:
        ending = asyncio.create_task(hub.end())
        assert b"\x03\xf4" in await mute.rest()
        await ending


async def test_a_second_signal_ends_at_once(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    async with serving() as hub:
        hub.server.handle_exit(signal.SIGTERM, None)
        assert codes == []
        hub.server.handle_exit(signal.SIGTERM, None)
        assert codes == [128 + signal.SIGTERM]


def test_a_port_in_use_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} of 127.0.0.1 is in use"):
            runhub._listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on 192\.0\.2\.1"):
        runhub._listen("192.0.2.1", 0)
