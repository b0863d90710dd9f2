"""What the Python client costs whoever uses it, beside a bare loop that does the same frames."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.servers import ROOT, Process, Server

CLIENT, BARE = "client", "bare"


class Worker(Process):
    """A running worker program."""

    def tell(self, line: str) -> None:
        """Have it do something; returns when it has. Raises RuntimeError when it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        self.expect("done")

    def expect(self, line: str) -> None:
        """Wait for a line. Raises RuntimeError for another, or none."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().decode().strip()
        if said != line:
            raise RuntimeError(f"a worker said {said!r} instead of {line!r}")


@contextlib.contextmanager
def _working(server: Server, key: str, kind: str, role: str, action: str) -> Iterator[Worker]:
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "client" / "src"),
        "TASKHUB_URL": f"ws://127.0.0.1:{server.port}/",
        "TASKHUB_NAME": "bench",
        "TASKHUB_KEY": key,
    }
    command = [sys.executable, "-m", f"benchmarks.{kind}_worker", role, action]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdin=pipe, stdout=pipe)
    with process:
        worker = Worker(process)
        try:
            worker.expect("ready")
            yield worker
        except BaseException:
            process.kill()
            raise


def _pair(
    server: Server, key: str, publisher: str, service: str, count: int
) -> tuple[float, float]:
    """CPU microseconds a task of the publisher and of the service, of these kinds."""
    action = f"bench:{publisher}-{service}"
    with (
        _working(server, key, service, "service", action) as serving,
        _working(server, key, publisher, "publisher", action) as publishing,
    ):
        publishing.tell(f"run {count // 10}")  # warm up
        both = (publishing, serving)
        before = [worker.cpu_seconds() for worker in both]
        publishing.tell(f"run {count}")
        used = [worker.cpu_seconds() - begun for worker, begun in zip(both, before, strict=True)]
    return used[0] / count * 1e6, used[1] / count * 1e6


def cost(server: Server, key: str, count: int) -> dict[str, dict[str, float]]:
    """CPU of the process of a publisher and of a service for each task, and the ratio of the two.

    The other side of the client is a bare loop in each case.
    """
    bare = _pair(server, key, BARE, BARE, count)
    client = (
        _pair(server, key, CLIENT, BARE, count)[0],
        _pair(server, key, BARE, CLIENT, count)[1],
    )
    figures: dict[str, dict[str, float]] = {}
    for role, least, price in zip(("publisher", "service"), bare, client, strict=True):
        figures[f"bare websockets {role}"] = {"cpu_us_per_task": least}
        figures[f"client {role}"] = {"cpu_us_per_task": price, "times_bare": price / least}
    return figures


def memory(server: Server, key: str, handles: int, count: int) -> dict[str, float]:
    """What a client keeps: KiB for each open handle, MiB grown over so many ended tasks beside."""
    action = "bench:memory"
    with (
        _working(server, key, BARE, "service", action),
        _working(server, key, CLIENT, "publisher", action) as publishing,
    ):
        publishing.tell(f"run {count}")  # warm up
        begun = publishing.rss_bytes()
        publishing.tell(f"hold {handles}")
        held = publishing.rss_bytes()
        publishing.tell(f"run {count}")
        grown = publishing.rss_bytes() - held
    return {"kib_each": (held - begun) / 1024 / handles, "mib_grown": grown / 2**20}
