"""Whole tasks through a hub: publish, deliver, succeed, end, all of it stored."""

import asyncio
import itertools
import time

from benchmarks.servers import Server
from benchmarks.wire import LoadClient, connect

_PAYLOAD = b'{"to":"someone@example.org","subject":"hello","n":12345}'
_ids = itertools.count(1)


class Pair:
    """One publisher and one service on an action of their own, a window of tasks in flight."""

    def __init__(self, number: int, in_flight: int) -> None:
        self._action = f"bench/p{number}:work".encode()
        self._in_flight = in_flight
        self._left = 0
        self._pending = 0
        self._started: dict[bytes, float] = {}
        self.latencies: list[float] = []
        self._done: asyncio.Future[None]
        self._publisher: LoadClient
        self._service: LoadClient

    async def connect(self, port: int, key: str) -> None:
        """Open both connections and subscribe."""
        loop = asyncio.get_running_loop()
        subscribed = loop.create_future()

        def on_service(message: bytes) -> None:
            if b'"event":"init"' in message:
                self._work(message)
            elif b'"id":"s"' in message:
                subscribed.set_result(None)

        self._publisher = await connect(port, self._on_publisher, name="bench", key=key)
        self._service = await connect(port, on_service, name="bench", key=key)
        for client in (self._publisher, self._service):
            client.closed.add_done_callback(self._lost)
        self._service.send(b'{"cmd":"sub","id":"s","action":"' + self._action + b'"}')
        await subscribed

    async def run(self, tasks: int) -> None:
        """Put this many tasks through."""
        self._done = asyncio.get_running_loop().create_future()
        self._left = self._pending = tasks
        for _ in range(min(self._in_flight, tasks)):
            self._publish()
        await self._done

    def close(self) -> None:
        """Close both connections."""
        self._publisher.transport.close()
        self._service.transport.close()

    def _lost(self, _: asyncio.Future[None]) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError("the hub closed a connection"))

    def _publish(self) -> None:
        self._left -= 1
        task = b"%012d" % next(_ids)
        self._started[task] = time.perf_counter()
        self._publisher.send(
            b'{"cmd":"pub","event":"init","eventId":"i%b","taskId":"%b","action":"%b","payload":%b}'
            % (task, task, self._action, _PAYLOAD)
        )

    def _work(self, message: bytes) -> None:
        task = _task_id(message)
        self._service.send(
            b'{"cmd":"pub","event":"success","eventId":"s%b","taskId":"%b","result":{"ok":true}}'
            % (task, task)
        )

    def _on_publisher(self, message: bytes) -> None:
        if b'"status":"error"' in message:
            if not self._done.done():
                self._done.set_exception(RuntimeError(message.decode()))
            return
        if b'"event":"end"' not in message:
            return
        self.latencies.append(time.perf_counter() - self._started.pop(_task_id(message)))
        self._pending -= 1
        if self._left:
            self._publish()
        elif not self._pending:
            self._done.set_result(None)


def _task_id(message: bytes) -> bytes:
    at = message.index(b'"taskId":"') + 10
    return message[at : at + 12]


async def throughput(
    server: Server, key: str, pairs: int, in_flight: int, tasks: int
) -> dict[str, float]:
    """Tasks a second and server CPU for each, with ``pairs`` × ``in_flight`` tasks in flight."""
    runners = [Pair(next(_ids), in_flight) for _ in range(pairs)]
    for pair in runners:
        await pair.connect(server.port, key)
    each = tasks // pairs
    await asyncio.gather(*(pair.run(each // 10) for pair in runners))  # warm up
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(pair.run(each) for pair in runners))
    wall, cpu = time.perf_counter() - wall, server.cpu_seconds() - cpu
    for pair in runners:
        pair.close()
    return {"tasks_per_s": each * pairs / wall, "cpu_us_per_task": cpu / (each * pairs) * 1e6}


async def leave_open(server: Server, key: str, count: int) -> None:
    """Tasks that nobody takes and that stay open, on a connection of their own."""
    opened = asyncio.get_running_loop().create_future()
    left = count

    def on_message(message: bytes) -> None:
        nonlocal left
        left -= b'"event":"init"' in message
        if not left and not opened.done():
            opened.set_result(None)

    publisher = await connect(server.port, on_message, name="bench", key=key)
    for _ in range(count):
        number = next(_ids)
        publisher.send(
            b'{"cmd":"pub","event":"init","eventId":"o%d","taskId":"o%d","action":"bench:open",'
            b'"startTimeout":600000,"endTimeout":600000,"payload":%b}' % (number, number, _PAYLOAD)
        )
    await opened


async def round_trip(server: Server, key: str, tasks: int) -> dict[str, float]:
    """Milliseconds from init sent to end received, one task at a time."""
    pair = Pair(next(_ids), 1)
    await pair.connect(server.port, key)
    await pair.run(tasks // 10)
    pair.latencies.clear()
    await pair.run(tasks)
    pair.close()
    ordered = sorted(pair.latencies)
    return {
        f"p{percent}_ms": ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1e3
        for percent in (50, 95, 99)
    }


async def echo_cost(server: Server, messages: int, in_flight: int) -> dict[str, float]:
    """Messages a second and server CPU for each of a bare echo of 150 bytes."""
    done = asyncio.get_running_loop().create_future()
    left = pending = 0
    body = b'{"n":"' + b"x" * 142 + b'"}'

    def on_message(message: bytes) -> None:
        nonlocal left, pending
        pending -= 1
        if left:
            left -= 1
            client.send(message)
        elif not pending:
            done.set_result(None)

    client = await connect(server.port, on_message, subprotocol=None)
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    left, pending = messages - in_flight, messages
    for _ in range(in_flight):
        client.send(body)
    await done
    wall, cpu = time.perf_counter() - wall, server.cpu_seconds() - cpu
    client.transport.close()
    return {"messages_per_s": messages / wall, "cpu_us_per_message": cpu / messages * 1e6}
