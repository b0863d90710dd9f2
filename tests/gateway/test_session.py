"""A session: bounded, and closed with the right word (§2.6, §2.7)."""

import asyncio
import json
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from hub.core.limits import Limits
from hub.gateway.asgi_writer import AsgiWriter
from hub.gateway.session import Session
from hub.router.port import Outgoing, websocket_frame


class FakeWriter:
    """Takes everything and sends nothing."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.code: int | None = None
        self.unsent = 0
        self.closing = False

    def write(self, messages: Outgoing) -> int:
        self.texts += messages.texts
        self.unsent += len(messages.frames)
        return self.unsent

    def close(self, code: int) -> None:
        self.code = code
        self.closing = True

    async def room(self, below: int) -> None:
        return


def session(writer: Any, *, v1: bool = True, **limits: int) -> Session:
    return Session(writer=writer, client="c", key_id=1, v1=v1, limits=Limits(**limits))


def test_a_reader_that_does_not_read_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    writer = FakeWriter()
    slow = session(writer, max_outbox_bytes=1_000)
    for _ in range(100):
        slow.send(Outgoing("x" * 98))
    assert writer.code == 4408
    assert len(writer.texts) == 12  # eleven messages, and why
    assert json.loads(writer.texts[-1])["close"] == 4408
    assert not slow.open
    assert "reader_too_slow" in caplog.text


def test_legacy_is_closed_without_a_word() -> None:
    writer = FakeWriter()
    session(writer, v1=False).close(4401)
    assert (writer.texts, writer.code) == ([], 4401)


def test_it_is_closed_once() -> None:
    writer = FakeWriter()
    closing = session(writer)
    closing.close(1012)
    closing.close(4401)
    assert writer.code == 1012
    assert len(writer.texts) == 1


def test_unreadable_frames_over_the_limit_close_it() -> None:
    writer = FakeWriter()
    rude = session(writer, bad_frames_per_minute=20)
    for _ in range(20):
        rude.bad_frame()
    assert writer.code is None
    rude.bad_frame()
    assert writer.code == 1008


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_frames_are_as_rfc_6455_has_them(size: int) -> None:
    expected = Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
    assert websocket_frame("x" * size) == expected


async def test_the_asgi_writer_keeps_order_and_counts() -> None:
    sent: list[dict[str, Any]] = []
    gate = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        await gate.wait()
        sent.append(message)

    writer = AsgiWriter(send)
    for number in range(3):
        writer.write(Outgoing(str(number)))
    assert writer.unsent == 3
    waiting = asyncio.create_task(writer.room(below=1))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    await waiting
    assert writer.unsent == 0
    writer.write(Outgoing("last"))
    writer.close(1012)
    writer.write(Outgoing("too late"))
    await writer._task
    assert [m.get("text", m.get("code")) for m in sent] == ["0", "1", "2", "last", 1012]


async def test_the_asgi_writer_survives_a_peer_that_is_gone() -> None:
    async def send(message: dict[str, Any]) -> None:
        raise OSError("gone")

    writer = AsgiWriter(send)
    writer.write(Outgoing("x"))
    await writer._task
    assert writer.closing
    await writer.room(below=1)
    writer.stop()
