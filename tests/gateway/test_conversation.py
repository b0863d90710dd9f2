"""What an open connection is told and may say (docs/protocol.md §2.4 to §2.7)."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from hub.router.port import Outgoing
from tests.gateway.harness import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    TEXT,
    TIMEOUT,
    Hub,
    Serving,
    eventually,
    frame,
    grants,
)
from tests.raw_peer import basic


async def until_closed(client: ClientConnection) -> AsyncIterator[str | bytes]:
    """All that is still to come."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await client.recv()


async def test_v1_is_welcomed_before_all_else(hub: Hub) -> None:
    async with await hub.client(v1=True) as client:
        await client.send('"hello"')
        welcome = json.loads(await client.recv())
        (connection,) = hub.pipeline.sinks
        assert (
            welcome.items()
            >= {
                "type": "welcome",
                "connectionId": connection,
                "epoch": "epoch-1",
                "hub": "1.2.3",
                "now": 1_700_000_000_000,
            }.items()
        )
        assert welcome["limits"]["maxFrameBytes"] == 1_048_576
        assert await client.recv() == '"hello"'


async def test_its_frames_are_counted(hub: Hub) -> None:
    async with await hub.client() as client:
        for _ in range(3):
            await client.send('"hello"')
            await client.recv()
        (sink,) = hub.pipeline.sinks.values()
        assert (sink.frames, sink.unsent) == (3, 0)


async def test_legacy_is_not(hub: Hub) -> None:
    async with await hub.client() as client:
        await client.send('"hello"')
        assert await client.recv() == '"hello"'


async def test_messages_keep_their_order_and_leave_together(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hub.accepted() as socket:
        await eventually(lambda: hub.pipeline.sinks)
        (sink,) = hub.pipeline.sinks.values()
        (protocol,) = hub.protocols
        writes: list[bytes] = []
        assert protocol._writer is not None
        monkeypatch.setattr(protocol._writer, "_transport", RecordingTransport(writes))
        for number in range(100):
            sink.send(Outgoing(f"{number:03}"))
        assert writes == []
        await eventually(lambda: writes)
        assert writes == [b"".join(b"\x81\x03%03d" % number for number in range(100))]
        monkeypatch.undo()
        sink.send(Outgoing("end"))
        async with asyncio.timeout(TIMEOUT):
            assert await socket.reader.readexactly(5) == b"\x81\x03end"


class RecordingTransport:
    """Remembers what is written."""

    def __init__(self, writes: list[bytes]) -> None:
        self.write = writes.append

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


async def test_a_thousand_frames_come_back_in_order(hub: Hub) -> None:
    async with await hub.client() as client:
        sent = [str(number) for number in range(1_000)]
        for text in sent:
            await client.send(text)
        assert [await client.recv() for _ in sent] == sent


async def test_a_binary_frame_of_the_same_text(hub: Hub) -> None:
    async with await hub.client() as client:
        await client.send('"ä"'.encode())
        assert await client.recv() == '"ä"'


async def test_a_binary_frame_that_is_no_text(serving: Serving) -> None:
    async with serving(bad_frames_per_minute=2) as hub, await hub.client(v1=True) as client:
        await client.recv()
        for _ in range(3):
            await client.send(b"\xff")
        assert [json.loads(await client.recv())["code"] for _ in range(2)] == ["bad-json"] * 2
        assert "close" in json.loads([message async for message in until_closed(client)][-1])
        assert client.close_code == 1008
        assert hub.pipeline.received == []


@pytest.mark.parametrize("v1", [True, False])
@pytest.mark.parametrize("size", [1_001, 5_000_000])
async def test_a_frame_too_big(serving: Serving, size: int, *, v1: bool) -> None:
    async with serving(max_frame_bytes=1_000) as hub, await hub.client(v1=v1) as client:
        await client.send("x" * 1_000)
        with contextlib.suppress(ConnectionClosed):
            await client.send("x" * size)
        messages = [message async for message in until_closed(client)]
        assert client.close_code == 1009
        assert hub.pipeline.received == ["x" * 1_000]
        assert not v1 or json.loads(messages[-1])["code"] == "too-big"


async def test_what_came_with_a_bad_frame_is_still_taken(hub: Hub) -> None:
    async with hub.accepted() as socket:
        socket.writer.write(frame(TEXT, b"good") + frame(0xB, b"reserved opcode"))
        rest = await socket.rest()
        assert hub.pipeline.received == ["good"]
        assert b"\x03\xea" in rest, "closed with 1002"


@pytest.mark.parametrize(
    "frames",
    [
        frame(TEXT, b"\xff"),
        frame(TEXT, b"ok \xc3"),
        frame(TEXT, b"\xed\xa0\x80"),  # a surrogate
        frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"x"),
    ],
)
async def test_text_that_is_not_utf8_is_closed_without_a_traceback(
    hub: Hub, frames: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub.accepted() as socket:
        socket.writer.write(frame(TEXT, b"good") + frames + frame(TEXT, b"late"))
        assert b"\x03\xef" in await socket.rest(), "closed with 1007"
        assert hub.pipeline.received == ["good"]
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_fragments_are_one_message(hub: Hub) -> None:
    async with hub.accepted() as socket:
        parts = [frame(TEXT, b"\xc3", fin=False), frame(PING, b"p")]
        parts += [frame(CONT, fin=False)] * 1_000
        parts += [frame(CONT, b"\xa4", fin=False), frame(CONT, b"!")]
        socket.writer.write(b"".join(parts))
        await eventually(lambda: hub.pipeline.received)
        assert hub.pipeline.received == ["ä!"]
        socket.writer.write(frame(BINARY, b"a", fin=False) + frame(CONT, b"b"))
        await eventually(lambda: len(hub.pipeline.received) == 2)
        assert hub.pipeline.received[1] == "ab"


async def test_empty_fragments_take_no_memory(hub: Hub) -> None:
    async with hub.accepted() as socket:
        socket.writer.write(frame(TEXT, b"x", fin=False) + frame(CONT, fin=False) * 5_000)
        socket.writer.write(frame(PING))
        async with asyncio.timeout(TIMEOUT):
            await socket.reader.readexactly(2)  # the pong: all is read
        (protocol,) = hub.protocols
        assert len(protocol.frames) == 1


async def test_a_pipeline_that_asks_to_wait_is_given_no_more(hub: Hub) -> None:
    hub.pipeline.hold = asyncio.Event()
    async with hub.accepted() as socket:
        data = frame(TEXT, b"x" * 1_000) * 2_000
        socket.writer.write(data)
        await eventually(lambda: hub.pipeline.received)
        (protocol,) = hub.protocols
        await eventually(lambda: protocol.read_paused)
        assert protocol.queue.qsize() < 500, "TCP holds the rest"
        assert len(hub.pipeline.received) == 1
        hub.pipeline.hold.set()
        await eventually(lambda: len(hub.pipeline.received) == 2_000)


async def test_a_rate_delays_and_loses_nothing(hub: Hub) -> None:
    hub.authentication.known["mailer", "k"] = grants(rate=50)
    async with await hub.client() as first, await hub.client() as second:
        started = asyncio.get_running_loop().time()
        for number in range(35):
            await first.send(f"a{number}")
            await second.send(f"b{number}")
        answers = [await first.recv() for _ in range(35)] + [await second.recv() for _ in range(35)]
        took = asyncio.get_running_loop().time() - started
        assert len(set(answers)) == 70
        assert took >= 0.38, "twenty over the second's worth that is free, for both together"


@pytest.mark.parametrize("behind", [1, 200])
async def test_nothing_behind_a_close_frame_counts(hub: Hub, behind: int) -> None:
    async with hub.accepted() as socket:
        close = frame(CLOSE, b"\x03\xe8")
        late = frame(TEXT, b"late") * behind + frame(TEXT, b"\xff")
        socket.writer.write(frame(TEXT, b"good") + close + late)
        await socket.rest()
        assert hub.pipeline.received == ["good"]
    await eventually(lambda: not hub.pipeline.sinks)


async def test_a_burst_before_a_reset_is_taken_as_long_as_its_sender_is_known(hub: Hub) -> None:
    async with hub.accepted() as socket:
        socket.writer.write(frame(TEXT, b"x") * 600)
        await eventually(lambda: hub.pipeline.received)
        socket.writer.transport.abort()
    await eventually(lambda: not hub.pipeline.sinks)
    assert set(hub.pipeline.received) == {"x"}


@pytest.mark.parametrize("key", ["k", "wrong"])
async def test_text_that_is_not_utf8_before_the_answer_is_no_error(
    hub: Hub, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    hub.authentication.held = asyncio.Event()
    async with hub.raw(Authorization=basic("mailer", key)) as socket:
        await eventually(lambda: hub.authentication.asked)
        socket.writer.write(frame(TEXT, b"\xff"))
        await socket.rest()
        hub.authentication.held.set()
    await eventually(lambda: not hub.protocols)
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.parametrize(
    ("sent", "code", "by"),
    [
        (frame(TEXT, b"\xff"), 1007, "hub"),
        (frame(CLOSE, b"\x03\xe8"), 1000, "peer"),
        (b"", 1006, "peer"),
    ],
)
async def test_the_log_says_who_ended_a_connection_and_how(
    hub: Hub, sent: bytes, code: int, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub.accepted() as socket:
        socket.writer.write(sent)
        if sent:
            await socket.rest()
    await eventually(lambda: "connection_closed" in caplog.text)
    (line,) = [r.msg for r in caplog.records if "connection_closed" in str(r.msg)]
    assert isinstance(line, dict)
    assert (line["code"], line["by"]) == (code, by)
