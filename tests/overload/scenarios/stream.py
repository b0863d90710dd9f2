"""A steady stream to several readers, before and beside a connection that does not read."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

from tests.overload.load import Options, say, told
from tests.overload.peer import Client, handshake, percentile

READERS = 4
#: A slow reader takes so much in each so many seconds.
SIP, SIP_S = 2_048, 0.1
RECEIVE_BUFFER = 4_096
#: The stream is sent in bursts, so many a second.
BURSTS_A_SECOND = 100


class Stream:
    """A publisher that works on a task of its own, and those who hear of it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._filler = b"x" * options["size"]
        self._number = 0
        self.latencies: list[float] = []
        self._publisher: Client

    async def open(self) -> None:
        options = self._options
        self._publisher = await self._client("publisher", lambda _: None)
        for _ in range(READERS):
            reader = await self._client("reader", self._hear)
            reader.send(b'{"cmd":"watch","action":"stream"}')
        self._publisher.send(init(b"stream:do", b"stream"))
        self._filler = b"x" * options["size"]

    async def _client(self, name: str, hear: Callable[[bytes], None]) -> Client:
        options = self._options
        return await Client.connect(options["port"], hear, name=name, key=options["keys"][name])

    def _hear(self, message: bytes) -> None:
        at = message.find(b'"update":"')
        if at >= 0:
            self.latencies.append(time.perf_counter() - float(message[at + 10 : at + 30]))

    async def run(self) -> None:
        """Send at a steady rate, for much longer than anybody looks."""
        each = self._options["rate"] // BURSTS_A_SECOND
        due = time.perf_counter()
        for _ in range(1_000_000):
            for _ in range(each):
                self._number += 1
                text = b"%020.9f%b" % (time.perf_counter(), self._filler)
                self._publisher.send(update(b"stream", self._number, text))
            due += 1 / BURSTS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def measured(self, work: Coroutine[Any, Any, Any]) -> dict[str, float]:
        """How long messages take while this work is done, in ms."""
        self.latencies.clear()
        await work
        taken = list(self.latencies)
        return {"p50": percentile(taken, 50) * 1e3, "p99": percentile(taken, 99) * 1e3}


class Sleeper:
    """A connection that does not read, or hardly."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._socket = socket.socket()
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        plain, options = self._socket, self._options
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        await self._loop.sock_connect(plain, ("127.0.0.1", options["port"]))
        await self._send(handshake("sleeper", options["keys"]["sleeper"]))
        assert b" 101 " in await self._loop.sock_recv(plain, RECEIVE_BUFFER)

    async def _send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    async def never_reads(self) -> None:
        """Ask for the stream and take none of it."""
        await self._send(text_frame(b'{"cmd":"watch","action":"stream"}'))
        await asyncio.Event().wait()

    async def reads_slowly(self) -> None:
        """Ask for the stream and take a small part of it."""
        await self._send(text_frame(b'{"cmd":"watch","action":"stream"}'))
        while await self._loop.sock_recv(self._socket, SIP):  # noqa: ASYNC110  (it is slow)
            await asyncio.sleep(SIP_S)

    async def only_publishes(self) -> None:
        """Send events of its own, and never look at their echo."""
        await self._send(text_frame(init(b"own:do", b"own")))
        filler = b"y" * self._options["size"]
        for number in range(1_000_000):
            await self._send(text_frame(update(b"own", number, filler)))
            if not number % 10:
                await asyncio.sleep(0.005)


def init(action: bytes, task: bytes) -> bytes:
    """Publish a task that stays open."""
    return (
        b'{"cmd":"pub","event":"init","eventId":"%b-i","taskId":"%b","action":"%b",'
        b'"payload":null,"startTimeout":60000,"endTimeout":600000}' % (task, task, action)
    )


def update(task: bytes, number: int, text: bytes) -> bytes:
    """Something to tell of it."""
    return b'{"cmd":"pub","event":"update","eventId":"%b-%d","taskId":"%b","update":"%b"}' % (
        task,
        number,
        task,
        text,
    )


def text_frame(text: bytes) -> bytes:
    """A text frame of a client, masked with zeros."""
    size = len(text)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65_536:
        head = b"\x81\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x81\xff" + size.to_bytes(8, "big")
    return head + bytes(4) + text


async def run(options: Options) -> None:
    """Measure without the sleeper, then with it until the test says that it is gone."""
    stream = Stream(options)
    await stream.open()
    running = asyncio.create_task(stream.run())
    await asyncio.sleep(options["seconds"] / 3)  # warm
    without = await stream.measured(asyncio.sleep(options["seconds"]))
    say("measured", **without)
    await told("go")
    sleeping = []
    for manner in options["manners"]:
        sleeper = Sleeper(options)
        await sleeper.open()
        sleeping.append(asyncio.create_task(getattr(sleeper, manner)()))
    say("asleep")
    beside = await stream.measured(told("gone"))
    say("beside", heard=len(stream.latencies), **beside)
    await told("stop")
    for task in (running, *sleeping):
        task.cancel()
