"""Publishers that send as fast as their sockets take it, and one quiet client among them."""

import asyncio
import itertools
import time
from pathlib import Path

from tests.overload.load import Options, say, told
from tests.overload.peer import Client, percentile

#: Frames that a publisher makes at a time.
BURST = 32
#: Between two round trips of the quiet client.
PAUSE_S = 0.02


class Publisher:
    """Sends without looking at answers, and counts those that come."""

    def __init__(self, number: int, body: bytes) -> None:
        self._mark = b"f%d-" % number
        self._body = body
        self._ids = itertools.count()
        self.sent = 0
        self.refused = 0
        self.acknowledged: list[bytes] = []
        self._client: Client

    async def open(self, options: Options) -> None:
        self._client = await Client.connect(
            options["port"],
            self._hear,
            name="flood",
            key=options["keys"]["flood"],
            send_buffer=65_536,
        )

    @property
    def pending(self) -> int:
        """Sent, and not answered yet."""
        return self.sent - self.refused - len(self.acknowledged)

    @property
    def code(self) -> int | None:
        return self._client.code

    def _hear(self, message: bytes) -> None:
        # Only what answers one of our own frames has an id of ours.
        at = message.find(b'"eventId":"' + self._mark)
        if at < 0:
            return
        if message.startswith(b'{"status":"error"'):
            self.refused += 1
        else:
            self.acknowledged.append(message[at + 11 : message.index(b'"', at + 11)])

    async def send(self, until: float) -> None:
        client = self._client
        while time.monotonic() < until and not client.closed.done():
            for _ in range(BURST):
                self._task()
            await asyncio.sleep(0)  # now they have gone to the socket
            await client.takes.wait()

    def _task(self) -> None:
        mark, number = self._mark, next(self._ids)
        client = self._client
        client.send(
            b'{"cmd":"pub","event":"init","eventId":"%b%di","taskId":"%b%d",'
            b'"action":"flood:do","payload":"%b"}' % (mark, number, mark, number, self._body)
        )
        client.send(
            b'{"cmd":"pub","event":"success","eventId":"%b%ds","taskId":"%b%d","result":1}'
            % (mark, number, mark, number)
        )
        self.sent += 2

    async def answered(self, within: float) -> None:
        """Wait until everything sent is answered, or the connection is gone."""
        until = time.monotonic() + within
        while self.pending and not self._client.closed.done():
            if time.monotonic() > until:
                return
            await asyncio.sleep(0.01)


class Quiet:
    """Sends one task at a time, and measures how long the hub takes to tell it back."""

    def __init__(self) -> None:
        self.trips: list[float] = []
        self._heard = asyncio.Event()
        self._waits_for = b"-"
        self._client: Client

    async def open(self, options: Options) -> None:
        self._client = await Client.connect(
            options["port"], self._hear, name="quiet", key=options["keys"]["quiet"]
        )

    def _hear(self, message: bytes) -> None:
        if self._waits_for in message:
            self._heard.set()

    async def ask(self) -> None:
        for number in itertools.count():
            task = b"q%d-%d" % (id(self), number)
            self._waits_for = b'"eventId":"%bi"' % task
            self._heard.clear()
            began = time.perf_counter()
            self._client.send(
                b'{"cmd":"pub","event":"init","eventId":"%bi","taskId":"%b",'
                b'"action":"quiet:do","payload":1}' % (task, task)
            )
            await self._heard.wait()
            self.trips.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_S)


async def run(options: Options) -> None:
    """Flood for so many seconds, then wait until all is answered."""
    body = b"x" * options.get("body", 100)
    publishers = [Publisher(number, body) for number in range(options["publishers"])]
    quiet = Quiet()
    for publisher in publishers:
        await publisher.open(options)
    await quiet.open(options)
    asking = asyncio.create_task(quiet.ask())
    say("ready")
    await told("go")
    quiet.trips.clear()
    until = time.monotonic() + options["seconds"]
    await asyncio.gather(*(publisher.send(until) for publisher in publishers))
    trips = list(quiet.trips)
    say(
        "sent",
        sent=sum(p.sent for p in publishers),
        answered=sum(p.sent - p.pending for p in publishers),
    )
    await asyncio.gather(*(publisher.answered(options["patience"]) for publisher in publishers))
    asking.cancel()
    names = [name for publisher in publishers for name in publisher.acknowledged]
    Path(options["acknowledged"]).write_bytes(b"\n".join(names))  # noqa: ASYNC240  (all is over)
    say(
        "answered",
        sent=sum(p.sent for p in publishers),
        acknowledged=len(names),
        refused=sum(p.refused for p in publishers),
        unread=sum(p.pending for p in publishers),
        codes=[p.code for p in publishers],
        trips=len(trips),
        p50_ms=percentile(trips, 50) * 1e3,
        p99_ms=percentile(trips, 99) * 1e3,
        max_ms=max(trips, default=0.0) * 1e3,
    )
