"""The same consumer under daphne, which needs help with its close codes and its bounds."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.raw_peer import basic

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A hub under daphne."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.daphne_hub", str(number)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "taskhub_site.settings"},
    )
    yield number
    process.kill()
    process.wait()


async def client(port: int, key: str = "k", *, v1: bool = True) -> ClientConnection:
    """A connected client; the first one waits until daphne listens."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return await connect(
                    f"ws://127.0.0.1:{port}/",
                    additional_headers={"Authorization": basic("mailer", key)},
                    subprotocols=[Subprotocol("taskhub.v1")] if v1 else None,
                    compression=None,
                    max_size=None,
                    proxy=None,
                )
            await asyncio.sleep(0.02)


async def rest(peer: ClientConnection) -> list[str | bytes]:
    """All that comes until the hub closes the connection."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            while True:
                messages.append(await peer.recv())
    return messages


async def test_it_is_welcomed_and_answered(port: int) -> None:
    async with await client(port) as peer:
        assert peer.subprotocol == "taskhub.v1"
        assert json.loads(await peer.recv())["type"] == "welcome"
        for number in range(100):
            await peer.send(str(number))
        assert [await peer.recv() for _ in range(100)] == [str(number) for number in range(100)]


async def test_a_refusal_is_403_there(port: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await client(port, "wrong")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("code", [1008, 1012, 4401])
async def test_every_close_code_is_sent(port: int, code: int) -> None:
    async with await client(port) as peer:
        await peer.send(f"close {code}")
        messages = await rest(peer)
        assert json.loads(messages[-1])["close"] == code
        assert peer.close_code == code


@pytest.mark.parametrize("v1", [True, False])
async def test_a_frame_too_big(port: int, *, v1: bool) -> None:
    async with await client(port, v1=v1) as peer:
        await peer.send("x" * 5_001)
        await rest(peer)
        assert peer.close_code == 1009


async def test_what_daphne_has_not_sent_counts(port: int) -> None:
    async with await client(port) as peer:
        peer.transport.pause_reading()
        for _ in range(3):  # what the sockets hold comes first
            await peer.send("fill 20")
        peer.transport.resume_reading()
        await rest(peer)
        assert peer.close_code == 4408


async def test_a_held_connection_is_not_read(port: int) -> None:
    async with await client(port) as peer:
        await peer.send("hold")
        flood = asyncio.create_task(send_all(peer, ["x" * 4_000] * 5_000))
        await asyncio.sleep(0.4)
        assert not flood.done(), "TCP holds it back"
        async with asyncio.timeout(5):
            await flood
        await peer.send("done")
        await peer.recv()
        assert await peer.recv() == "done"


async def send_all(peer: ClientConnection, texts: list[str]) -> None:
    """One after another."""
    for text in texts:
        await peer.send(text)
