"""Peers that do not read, do not answer, or are not there any more (docs/protocol.md §2.6)."""

import asyncio
import json

import pytest

from hub.core.limits import MIB
from hub.gateway import websocket
from hub.router.port import Outgoing, Sink
from tests.gateway.harness import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    TIMEOUT,
    Hub,
    RawSocket,
    Serving,
    eventually,
    frame,
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.2)


async def sink_of(hub: Hub) -> Sink:
    """The only connection, as the router sees it."""
    await eventually(lambda: hub.pipeline.sinks)
    (sink,) = hub.pipeline.sinks.values()
    return sink


async def fill(sink: Sink, size: int) -> None:
    """Send so many bytes."""
    for _ in range(size // 100_000):
        sink.send(Outgoing("x" * 100_000))
        await asyncio.sleep(0)


async def test_a_reader_that_never_reads_is_closed_and_others_are_served(
    serving: Serving,
) -> None:
    async with (
        serving(max_outbox_bytes=MIB) as hub,
        hub.accepted() as slow,
        await hub.client() as other,
    ):
        slow.stop_reading()
        await eventually(lambda: len(hub.pipeline.sinks) == 2)
        sink = next(iter(hub.pipeline.sinks.values()))
        await fill(sink, 8 * MIB)
        (protocol,) = (one for one in hub.protocols if one.close_sent)
        assert protocol.conn.close_sent is not None
        assert protocol.conn.close_sent.code == 4408
        assert protocol.transport.get_write_buffer_size() < 1.3 * MIB
        await other.send("still here")
        async with asyncio.timeout(TIMEOUT):
            assert await other.recv() == "still here"
        await eventually(lambda: len(hub.pipeline.sinks) == 1)
        await eventually(lambda: len(hub.protocols) == 1)


async def test_a_slow_reader_that_reads_on_is_told_why(serving: Serving) -> None:
    async with (
        serving(max_outbox_bytes=MIB) as hub,
        hub.accepted(Sec_WebSocket_Protocol="taskhub.v1") as slow,
    ):
        slow.stop_reading()
        await fill(await sink_of(hub), 8 * MIB)
        slow.resume_reading()
        rest = await slow.rest()
    why = rest[rest.rindex(b'{"status":"error"') : rest.rindex(b"}") + 1]
    assert json.loads(why)["close"] == 4408
    assert rest.endswith(b"\x88\x02\x11\x38"), "4408, last of all"


async def test_room_waits_for_a_slow_reader(serving: Serving) -> None:
    async with serving(max_outbox_bytes=20_000_000) as hub, hub.accepted() as slow:
        slow.stop_reading()
        sink = await sink_of(hub)
        await fill(sink, 18_000_000)
        waiting = asyncio.create_task(sink.room())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        slow.resume_reading()
        reading = asyncio.create_task(slow.reader.read())
        async with asyncio.timeout(TIMEOUT):
            while not waiting.done():
                await asyncio.sleep(0)
                slow.reader._buffer.clear()  # type: ignore[attr-defined]
                slow.resume_reading()
        reading.cancel()


async def test_room_does_not_spin_below_the_transports_own_limit(serving: Serving) -> None:
    async with serving(max_outbox_bytes=5_000_000) as hub, hub.accepted() as slow:
        slow.stop_reading()
        sink = await sink_of(hub)
        await fill(sink, 4_000_000)
        (protocol,) = hub.protocols
        assert protocol._writer is not None
        waiting = asyncio.create_task(protocol._writer.room(below=1))
        await asyncio.sleep(0.01)
        slow.writer.transport.abort()
        async with asyncio.timeout(TIMEOUT):
            await waiting


async def test_pings_of_a_peer_that_does_not_read_take_no_memory(hub: Hub) -> None:
    async with hub.accepted() as slow:
        slow.stop_reading()
        await fill(await sink_of(hub), 6 * MIB)
        (protocol,) = hub.protocols
        before = protocol.transport.get_write_buffer_size()
        assert before > MIB
        slow.writer.write(
            frame(PING, b"p" * 100) * 5_000 + frame(PING, b"last") + frame(TEXT, b"x")
        )
        await eventually(lambda: hub.pipeline.received)
        assert protocol.transport.get_write_buffer_size() < before + 10_000
        slow.resume_reading()
        found = await until(slow, b"\x8a\x04last")
        assert found.count(b"\x8a\x64") == 0, "the last one is answered, the others are not"


async def until(socket: RawSocket, end: bytes) -> bytes:
    """What comes up to these bytes."""
    received = bytearray()
    async with asyncio.timeout(TIMEOUT):
        while end not in received[-len(end) - 200_000 :]:
            received += await socket.reader.read(1 << 20)
    return bytes(received[-300_000:])


async def test_a_peer_that_closes_and_does_not_read_is_cut(hub: Hub) -> None:
    async with hub.accepted() as slow:
        slow.stop_reading()
        await fill(await sink_of(hub), 7 * MIB)
        slow.writer.write(frame(CLOSE, b"\x03\xe8"))
        await eventually(lambda: not hub.pipeline.sinks)
        await eventually(lambda: not hub.protocols)


async def test_frames_sent_before_a_close_are_taken(hub: Hub) -> None:
    async with hub.accepted() as socket:
        socket.writer.write(frame(TEXT, b"x") * 50 + frame(CLOSE, b"\x03\xe8"))
        assert (await socket.rest()).endswith(b"\x88\x02\x03\xe8")
    await eventually(lambda: not hub.pipeline.sinks)
    assert len(hub.pipeline.received) == 50


async def test_a_silent_peer_is_pinged_and_then_dropped(serving: Serving) -> None:
    async with (
        serving(ping_interval_ms=40, pong_timeout_ms=60) as hub,
        hub.accepted() as dead,
        await hub.client() as alive,
    ):
        head = await asyncio.wait_for(dead.reader.readexactly(2), TIMEOUT)
        assert head == b"\x89\x04", "a ping"
        await eventually(lambda: len(hub.protocols) == 1)
        await eventually(lambda: len(hub.pipeline.sinks) == 1)
        await alive.send("x")
        assert await alive.recv() == "x"


async def test_who_talks_is_not_pinged(serving: Serving) -> None:
    async with (
        serving(ping_interval_ms=100, pong_timeout_ms=100) as hub,
        hub.accepted() as socket,
    ):
        until = asyncio.get_running_loop().time() + 0.4
        while asyncio.get_running_loop().time() < until:
            socket.writer.write(frame(PONG))
            await asyncio.sleep(0.01)
        assert len(hub.protocols) == 1
        assert not socket.reader._buffer  # type: ignore[attr-defined]


async def test_who_is_not_read_is_not_taken_for_dead(serving: Serving) -> None:
    async with (
        serving(ping_interval_ms=30, pong_timeout_ms=30) as hub,
        hub.accepted() as socket,
    ):
        hub.pipeline.hold = asyncio.Event()
        socket.writer.write(frame(TEXT, b"x" * 1_000) * 2_000)
        await eventually(lambda: hub.protocols[0].read_paused)
        await asyncio.sleep(0.2)  # many times what a dead one is given
        assert len(hub.protocols) == 1
        hub.pipeline.hold.set()
        await eventually(lambda: len(hub.pipeline.received) == 2_000)
