"""The servers under load, each a process of its own, and what the system says they used."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30


class Process:
    """A running process, and what it uses."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        # clock_getcpuclockid(3), which Python does not offer.
        self._clock = (~process.pid << 3) | 2

    def cpu_seconds(self) -> float:
        """CPU time used so far, user and system, all threads, also those that have ended."""
        return time.clock_gettime(self._clock)

    def rss_bytes(self) -> int:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Server(Process):
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        super().__init__(process)
        self.port = port


def leave_the_first_core() -> None:
    """This process, which is the load, keeps off the core that servers run on."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def manage(*words: str, env: dict[str, str]) -> str:
    """Run a management command; its output."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    done = subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def parts(data_dir: Path) -> dict[str, float]:
    """What each station of the hub costs a task, in a process of its own on the server's core."""
    env = {**os.environ, "TASKHUB_DATA_DIR": str(data_dir)}
    data_dir.mkdir(exist_ok=True)
    manage("migrate", "--verbosity=0", env=env)
    database = str(data_dir / "taskhub.sqlite3")
    command = ["taskset", "-c", "0", sys.executable, "-m", "benchmarks.parts", database]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@contextlib.contextmanager
def hub(
    data_dir: Path, *, in_memory: bool = False, **settings: str
) -> Iterator[tuple[Server, str]]:
    """A hub with one client that may do everything; yields it and the client's key."""
    data_dir.mkdir(exist_ok=True)
    env = {**os.environ, "TASKHUB_DATA_DIR": str(data_dir), "TASKHUB_LOG_LEVEL": "WARNING"}
    env |= {
        "TASKHUB_SECRET_KEY": secrets.token_hex(32),
        "TASKHUB_MAX_OPEN_TASKS_PER_CLIENT": "100000",
        # all the load comes from one address
        "TASKHUB_UNAUTHENTICATED_PER_ADDRESS": "1000",
        "DJANGO_SETTINGS_MODULE": "taskhub_site.settings",
        **settings,
    }
    manage("migrate", "--verbosity=0", env=env)
    every = ("--sub=*", "--pub=*", "--watch=*", "--max-connections=10000")
    key = manage("createclient", "bench", *every, env=env)
    port = free_port()
    program = ["-m", "benchmarks.memory_hub"] if in_memory else [str(ROOT / "manage.py")]
    command = [sys.executable, *program, "runhub", f"--port={port}"]
    with _running(command, port, env) as server:
        yield server, key


@contextlib.contextmanager
def stock() -> Iterator[Server]:
    """A stock Channels consumer with a group for each action: nothing stored, nobody asked."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.stock", str(port)]
    with _running(command, port, dict(os.environ)) as server:
        yield server


@contextlib.contextmanager
def echo() -> Iterator[Server]:
    """A bare uvicorn WebSocket echo: the least a Python server pays for a message."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.echo", str(port)]
    with _running(command, port, dict(os.environ)) as server:
        yield server


@contextlib.contextmanager
def _running(command: list[str], port: int, env: dict[str, str]) -> Iterator[Server]:
    pinned = ["taskset", "-c", "0", *command]
    process = subprocess.Popen(pinned, env=env, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        _wait_for(process, port)
        yield Server(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise RuntimeError(f"the server ended: {process.stderr.read().decode()[-2000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError("the server did not listen in time")
