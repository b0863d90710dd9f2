"""The direct reader hands over what `websockets` would have read, however it is cut."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from hub.gateway.direct_reader import MAX_MESSAGES_A_TURN, DirectReader
from tests.gateway.harness import BINARY, CONT, PING, TEXT, frame

LIMIT = 300


class Judge:
    """`websockets` itself, and the messages it reads: whole, in order."""

    def __init__(self) -> None:
        self.conn = ServerProtocol(state=OPEN, max_size=LIMIT)
        self.pings = 0
        self._parts: list[bytes] = []
        self._text = True

    def read(self, data: bytes) -> list[str | bytes]:
        """The messages that these bytes complete."""
        self.conn.receive_data(data)
        found: list[str | bytes] = []
        for event in self.conn.events_received():
            assert isinstance(event, Frame)
            self.pings += event.opcode is Opcode.PING
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._parts, self._text = [], event.opcode is Opcode.TEXT
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    data = b"".join(self._parts)
                    found.append(data.decode(errors="replace") if self._text else data)
        return found

    @property
    def verdict(self) -> int | None:
        """The code it closes with, if it does."""
        return None if self.conn.close_sent is None else int(self.conn.close_sent.code)


class FakeProtocol:
    """As much of the server's protocol as the reader needs."""

    max_frame_bytes = LIMIT

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.close_sent = False
        self.paused = False
        self.refused: int | None = None
        self.judged = Judge()
        self.reader = DirectReader(self)

    def judge(self, data: bytes) -> None:
        for message in self.judged.read(data):
            if not self.close_sent:
                self.reader.message(message)
        self.close_sent = self.close_sent or self.judged.verdict is not None

    def refuse_message(self, code: int) -> None:
        self.refused, self.close_sent = code, True

    def enqueue_message(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        self.queue.put_nowait({"type": "websocket.receive", kind: message})

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class Taker:
    """Takes messages, and holds those that come back when told to."""

    def __init__(self) -> None:
        self.taken: list[str | bytes] = []
        self.hold: asyncio.Event | None = None

    def take(self, message: str | bytes) -> Awaitable[None] | None:
        self.taken.append(message)
        return self._wait(self.hold) if self.hold is not None else None

    async def _wait(self, hold: asyncio.Event) -> None:
        await hold.wait()


async def reading(protocol: FakeProtocol, taker: Taker) -> "asyncio.Task[int]":
    task = asyncio.create_task(protocol.reader.read(taker.take))
    await turns()
    return task


async def turns(count: int = 5) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def end(protocol: FakeProtocol, task: "asyncio.Task[int]") -> None:
    protocol.queue.put_nowait({"type": "websocket.disconnect"})
    await task


frames = st.builds(
    frame,
    st.sampled_from([TEXT, TEXT, TEXT, BINARY, PING, CONT]),
    st.sampled_from([b"", b"x", "ä".encode(), b"y" * 125, b"z" * 126, b"w" * LIMIT, b"v" * 301]),
    fin=st.sampled_from([True, True, True, False]),
)


@given(
    sent=st.lists(frames, max_size=12),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=20),
    flip=st.none() | st.tuples(st.integers(0, 2_000), st.integers(1, 255)),
)
def test_it_reads_what_websockets_reads(
    sent: list[bytes], cuts: list[int], flip: tuple[int, int] | None
) -> None:
    data = bytearray(b"".join(sent))
    if flip is not None and data:
        data[flip[0] % len(data)] ^= flip[1]

    async def check() -> None:
        oracle, protocol, taker = Judge(), FakeProtocol(), Taker()
        task = await reading(protocol, taker)
        expected = oracle.read(bytes(data))
        at, cut = 0, 0
        while at < len(data):
            size = cuts[cut % len(cuts)]
            protocol.reader.feed(bytes(data[at : at + size]))
            at, cut = at + size, cut + 1
            await turns(1)
        if protocol.refused is None:
            assert protocol.judged.verdict == oracle.verdict
            assert taker.taken == expected
        else:  # not UTF-8, which is for the reader to find out
            assert taker.taken == expected[: len(taker.taken)]
            assert "\N{REPLACEMENT CHARACTER}" in str(expected[len(taker.taken)])
        await end(protocol, task)

    asyncio.run(check())


async def test_what_came_before_the_application_was_there_is_taken_first() -> None:
    protocol, taker = FakeProtocol(), Taker()
    protocol.reader.feed(frame(TEXT, b"1") + frame(BINARY, b"2"))
    assert protocol.queue.qsize() == 1, "the other one waits in its bytes"
    task = await reading(protocol, taker)
    protocol.reader.feed(frame(TEXT, b"3"))
    assert taker.taken == ["1", b"2", "3"]
    await end(protocol, task)


async def test_one_message_waits_for_the_application_and_the_peer_is_read_no_further() -> None:
    protocol, taker = FakeProtocol(), Taker()
    for _ in range(5):
        protocol.reader.feed(frame(TEXT, b"x") * 200)
        await turns()
    assert protocol.queue.qsize() == 1
    assert bool(protocol.paused)
    task = await reading(protocol, taker)
    while len(taker.taken) < 1_000:
        await turns()
    assert not protocol.paused
    await end(protocol, task)


async def test_an_application_that_reads_by_asgi_gets_one_message_at_a_time() -> None:
    protocol = FakeProtocol()
    protocol.reader.feed(frame(TEXT, b"1") + frame(TEXT, b"2"))
    for number in ("1", "2"):
        assert (await protocol.queue.get())["text"] == number
        assert protocol.queue.empty()
        protocol.reader.next()
    assert not protocol.paused


async def test_what_a_lost_peer_had_sent_is_taken_before_the_end() -> None:
    protocol, taker = FakeProtocol(), Taker()
    task = await reading(protocol, taker)
    taker.hold = asyncio.Event()
    protocol.reader.feed(frame(TEXT, b"x") * 300)
    protocol.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await turns()
    assert len(taker.taken) == 1
    taker.hold.set()
    assert await task == 1006
    assert len(taker.taken) == 300


async def test_nothing_is_taken_once_the_connection_has_ended() -> None:
    protocol, taker = FakeProtocol(), Taker()
    task = await reading(protocol, taker)
    protocol.reader.feed(frame(TEXT, b"x") * (MAX_MESSAGES_A_TURN + 1))
    task.cancel()  # the server gives up its application
    await turns()
    assert task.cancelled()
    protocol.reader.feed(frame(TEXT, b"late"))
    await turns()
    assert len(taker.taken) <= MAX_MESSAGES_A_TURN + 1
    assert "late" not in taker.taken


async def test_nothing_is_taken_while_one_message_is_waited_for() -> None:
    protocol, taker = FakeProtocol(), Taker()
    task = await reading(protocol, taker)
    taker.hold = asyncio.Event()
    protocol.reader.feed(frame(TEXT, b"1") + frame(TEXT, b"2"))
    assert not protocol.paused, "or the end of the connection would not be heard"
    protocol.reader.feed(frame(TEXT, b"3"))
    assert bool(protocol.paused)
    await turns()
    assert taker.taken == ["1"]
    hold, taker.hold = taker.hold, None
    hold.set()
    await turns()
    assert taker.taken == ["1", "2", "3"]
    assert not protocol.paused
    await end(protocol, task)


async def test_many_messages_leave_a_turn_to_others() -> None:
    protocol, taker = FakeProtocol(), Taker()
    task = await reading(protocol, taker)
    protocol.reader.feed(frame(TEXT, b"x") * (2 * MAX_MESSAGES_A_TURN + 1))
    assert len(taker.taken) == MAX_MESSAGES_A_TURN
    await turns(1)
    assert len(taker.taken) == 2 * MAX_MESSAGES_A_TURN
    await turns(2)
    assert len(taker.taken) == 2 * MAX_MESSAGES_A_TURN + 1
    await end(protocol, task)


async def test_after_the_close_nothing_is_taken_and_all_is_read() -> None:
    protocol, taker = FakeProtocol(), Taker()
    task = await reading(protocol, taker)
    taker.hold = asyncio.Event()
    protocol.reader.feed(frame(TEXT, b"1"))
    protocol.reader.feed(frame(TEXT, b"2") + frame(PING))
    protocol.close_sent = True
    protocol.reader.discard()
    assert taker.taken == ["1"]
    assert protocol.judged.pings == 1
    assert not protocol.paused
    taker.hold.set()
    await end(protocol, task)
