"""``make bench``: runs every figure, one JSON line each, and writes them down.

The server is pinned to one core, the load to the other. Results go to
``benchmarks/results/latest.jsonl``; the table in benchmarks/README.md is made from
such a file by ``python -m benchmarks.table``.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import sqlite3
import tempfile
import time
from pathlib import Path

from benchmarks import clients, connections, fan_out, servers, tasks

RESULTS = Path(__file__).parent / "results"


def two_commits_ms(directory: Path, rounds: int = 200) -> float:
    """Median time of two SQLite commits with synchronous=FULL: what a lone task waits for."""
    connection = sqlite3.connect(directory / "probe.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE probe (body TEXT)")
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(2):
            connection.execute("INSERT INTO probe VALUES (?)", ("x" * 500,))
        took.append((time.perf_counter() - start) * 1e3)
    connection.close()
    return sorted(took)[rounds // 2]


def machine() -> dict[str, object]:
    """Where the figures were taken."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((x.split(":")[1].strip() for x in cpuinfo.splitlines() if "model name" in x), "?")
    return {
        "figure": "machine",
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


class Report:
    """Prints each figure as it is known and keeps it for the file."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, values: dict[str, float]) -> None:
        """One figure."""
        self.put({"figure": name, **{key: round(value, 2) for key, value in values.items()}})

    def put(self, line: dict[str, object]) -> None:
        """One line."""
        self.lines.append(json.dumps(line))
        print(self.lines[-1], flush=True)

    def save(self) -> None:
        """Write what was reported."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "latest.jsonl").write_text("\n".join(self.lines) + "\n")


async def limits(report: Report, directory: Path, count: int) -> None:
    """What the hub is measured against."""
    with servers.echo() as server:
        report.add("echo 1x64", await tasks.echo_cost(server, count * 4, 64))
    with servers.stock() as server:
        values = await tasks.throughput(server, "", 1, 64, max(1_000, count // 20))
        report.add("stock consumer 1x64, nothing stored", values)
    with servers.hub(directory / "memory", in_memory=True) as (server, key):
        values = await tasks.throughput(server, key, 1, 64, count)
        report.add("hub 1x64, journal in memory", values)
        lone = await tasks.round_trip(server, key, min(count, 2_000))
        report.add("round trip, journal in memory", lone)
    report.add("two commits", {"p50_ms": two_commits_ms(directory)})


async def whole_tasks(report: Report, directory: Path, count: int) -> None:
    """Durable tasks: how many, at what price, and whether memory and price stay what they are."""
    with servers.hub(directory / "tasks") as (server, key):
        for pairs, in_flight in ((1, 64), (8, 32)):
            values = await tasks.throughput(server, key, pairs, in_flight, count)
            report.add(f"tasks {pairs}x{in_flight}", values)
        report.add("round trip", await tasks.round_trip(server, key, min(count, 2_000)))
        before = server.rss_bytes()
        await tasks.throughput(server, key, 1, 64, count * 4)
        grown = (server.rss_bytes() - before) / 2**20
        report.add(f"memory over {count * 4} tasks", {"mib_grown": grown})
    with servers.hub(directory / "open") as (server, key):
        for waiting in (10, 10_000):
            await tasks.leave_open(server, key, waiting)
            values = await tasks.throughput(server, key, 1, 64, count)
            report.add(f"tasks 1x64 beside {waiting} open", values)


def stations(report: Report, directory: Path) -> None:
    """Where the microseconds of a task go."""
    for station, cost in servers.parts(directory / "parts").items():
        report.add(f"of a task: {station}", {"cpu_us_per_task": cost})


def python_client(report: Report, directory: Path, count: int) -> None:
    """What the client costs whoever uses it."""
    # The load shares a core: a service that waits for its turn must not fail the task.
    with servers.hub(directory / "client", TASKHUB_START_TIMEOUT_MS="60000") as (server, key):
        for name, values in clients.cost(server, key, count).items():
            report.add(name, values)
        report.add("client, 1000 open handles", clients.memory(server, key, 1_000, count))


async def many(report: Report, directory: Path, deliveries: int) -> None:
    """Many connections: told all at once, or idle."""
    with servers.hub(directory / "fan-out", TASKHUB_MAX_EVENTS_PER_TASK="10000000") as (
        server,
        key,
    ):
        for size in (1, 10, 100, 1_000):
            report.add(f"fan-out to {size}", await fan_out.fan_out(server, key, size, deliveries))
    with servers.hub(directory / "idle") as (server, key):
        for name, values in (await connections.idle(server, key, (1_000, 5_000))).items():
            report.add(name, values)


async def run(directory: Path, count: int) -> None:
    """All figures; ``count`` tasks for each throughput."""
    report = Report()
    report.put(machine())
    await limits(report, directory, count)
    await whole_tasks(report, directory, count)
    stations(report, directory)
    python_client(report, directory, count)
    await many(report, directory, count * 20)
    report.save()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=50_000, help="tasks for each throughput")
    arguments = parser.parse_args()
    servers.leave_the_first_core()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as directory:
        asyncio.run(run(Path(directory), arguments.tasks))


if __name__ == "__main__":
    main()
