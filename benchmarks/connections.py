"""What connections cost: opening them, and keeping them while nothing happens."""

import asyncio
import time

from benchmarks.servers import Server
from benchmarks.wire import LoadClient, connect

#: Handshakes under way at a time.
_AT_ONCE = 16


async def open_many(server: Server, key: str, count: int) -> list[LoadClient]:
    """So many connections, a few handshakes at a time."""
    opened: list[LoadClient] = []

    async def one_after_the_other() -> None:
        while len(opened) + waiting < count:
            await one()

    waiting = 0

    async def one() -> None:
        nonlocal waiting
        waiting += 1
        client = await connect(server.port, lambda _: None, name="bench", key=key)
        waiting -= 1
        opened.append(client)

    await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))
    return opened


async def idle(server: Server, key: str, counts: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """KiB for each idle connection, and connections opened a second, up to each count."""
    figures: dict[str, dict[str, float]] = {}
    clients = await open_many(server, key, _AT_ONCE)  # threads and caches are there
    before, already = server.rss_bytes(), len(clients)
    for count in counts:
        cpu, wall, begin = server.cpu_seconds(), time.perf_counter(), len(clients)
        clients += await open_many(server, key, count - begin)
        wall, cpu = time.perf_counter() - wall, server.cpu_seconds() - cpu
        grown = server.rss_bytes() - before
        made = len(clients) - begin
        figures[f"idle connections {count}"] = {
            "kib_each": grown / 1024 / (len(clients) - already),
            "connects_per_s": made / wall,
            "cpu_us_per_connect": cpu / made * 1e6,
        }
    for client in clients:
        client.transport.close()
    return figures
