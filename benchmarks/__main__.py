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
import sqlite3
import tempfile
import time
from pathlib import Path

from benchmarks import servers, tasks

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
        "system": f"{platform.system()} {platform.release()}",
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


async def run(directory: Path, count: int) -> None:
    """All figures; ``count`` tasks for each throughput."""
    report = Report()
    report.put(machine())
    with servers.echo() as server:
        report.add("echo 1x64", await tasks.echo_cost(server, count * 4, 64))
    report.add("two commits", {"p50_ms": two_commits_ms(directory)})
    with servers.hub(directory) as (server, key):
        for pairs, in_flight in ((1, 64), (8, 32)):
            values = await tasks.throughput(server, key, pairs, in_flight, count)
            report.add(f"tasks {pairs}x{in_flight}", values)
        report.add("round trip", await tasks.round_trip(server, key, min(count, 2000)))
    report.save()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=50_000, help="tasks for each throughput")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)))
    with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as directory:
        asyncio.run(run(Path(directory), arguments.tasks))


if __name__ == "__main__":
    main()
