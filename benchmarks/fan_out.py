"""One action, many services: what it costs to tell all of them of one event."""

import asyncio
import itertools
import time
from collections.abc import Callable

from benchmarks.servers import Server
from benchmarks.wire import LoadClient, connect

_ids = itertools.count(1)
#: Deliveries under way at a time.
_IN_FLIGHT = 4_000
_ROUNDS = 200


class Listener(LoadClient):
    """Counts the events it is told, and does nothing else with them."""

    def __init__(self, crowd: "Crowd") -> None:
        super().__init__(self._on_first)
        self._crowd = crowd
        self.subscribed = asyncio.get_running_loop().create_future()
        self.counting = False

    def _on_first(self, message: bytes) -> None:
        if b'"id":"s"' in message:
            self.subscribed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if self.counting:
            self._crowd.heard(data.count(b'"event":"'))
        else:
            super().data_received(data)


class Crowd:
    """The services of one action, and how much they have heard together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.listeners: list[Listener] = []
        self._awaited = 0
        self._done: asyncio.Future[None] | None = None

    async def gather(self, port: int, key: str, action: bytes) -> None:
        """Connect and subscribe all of them."""
        for _ in range(self.size):
            listener = await connect(
                port, lambda _: None, name="bench", key=key, make=lambda _: Listener(self)
            )
            assert isinstance(listener, Listener)
            listener.send(b'{"cmd":"sub","id":"s","action":"' + action + b'"}')
            await listener.subscribed
            self.listeners.append(listener)

    def heard(self, events: int) -> None:
        """Some of them were told of events."""
        self._awaited -= events
        if not self._awaited and self._done is not None:
            self._done.set_result(None)

    async def hears(self, events: int) -> None:
        """Wait until each has heard so many more."""
        self._awaited += events * self.size
        if self._awaited:
            self._done = asyncio.get_running_loop().create_future()
            await self._done
            self._done = None


async def fan_out(server: Server, key: str, size: int, deliveries: int) -> dict[str, float]:
    """Updates of one open task to ``size`` services.

    Deliveries a second and server CPU for each, with many under way. With one update under way:
    server CPU for each delivery (nothing is there to be joined with), and the milliseconds until
    the last service has heard of it.
    """
    action = b"bench/fan%d:out" % next(_ids)
    task = b"fan%012d" % next(_ids)
    crowd = Crowd(size)
    await crowd.gather(server.port, key, action)
    for listener in crowd.listeners:
        listener.counting = True
    publisher = await connect(server.port, lambda _: None, name="bench", key=key)
    publisher.send(
        b'{"cmd":"pub","event":"init","eventId":"i%b","taskId":"%b","action":"%b","payload":0}'
        % (task, task, action)
    )
    await crowd.hears(1)

    def update() -> None:
        publisher.send(
            b'{"cmd":"pub","event":"update","eventId":"u%012d","taskId":"%b","update":"%b"}'
            % (next(_ids), task, b"x" * 50)
        )

    update()
    await crowd.hears(2)  # the publisher's part in its task begins with a start
    burst = max(1, _IN_FLIGHT // size)
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    for _ in range(deliveries // (burst * size)):
        for _ in range(burst):
            update()
        await crowd.hears(burst)
    told = deliveries // (burst * size) * burst * size
    wall, cpu = time.perf_counter() - wall, server.cpu_seconds() - cpu
    lone_cpu = server.cpu_seconds()
    latencies = sorted([await _until_heard(crowd, update) for _ in range(_ROUNDS)])
    lone_cpu = server.cpu_seconds() - lone_cpu
    publisher.send(b'{"cmd":"cancel","taskId":"%b"}' % task)
    await crowd.hears(2)
    for client in (publisher, *crowd.listeners):
        client.transport.close()
    return {
        "deliveries_per_s": told / wall,
        "cpu_us_per_delivery": cpu / told * 1e6,
        "lone_cpu_us_per_delivery": lone_cpu / (_ROUNDS * size) * 1e6,
        "last_p50_ms": latencies[_ROUNDS // 2],
        "last_p99_ms": latencies[_ROUNDS * 99 // 100],
    }


async def _until_heard(crowd: Crowd, update: Callable[[], None]) -> float:
    start = time.perf_counter()
    update()
    await crowd.hears(1)
    return (time.perf_counter() - start) * 1e3
