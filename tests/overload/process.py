"""Starts scenarios of load beside a hub, and looks at the hub's process."""

import contextlib
import json
import os
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.hub_process import ROOT, HubProcess


class Load:
    """A scenario under way in a process of its own."""

    def __init__(self, scenario: str, hub: HubProcess, **options: Any) -> None:
        known = {"port": hub.port, "keys": hub.keys}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.overload.load",
                scenario,
                json.dumps({**known, **options}),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._scenario = scenario
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, what: str) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(what.encode() + b"\n")
        self._process.stdin.flush()

    def expect(self, at: str, timeout: float) -> dict[str, Any]:
        """What it says next, which has to be this."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            self._read(deadline, at)
        line, _, self._buffer = self._buffer.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        assert said["at"] == at, f"{self._scenario}: waited for {at!r}, it said {said}"
        return said

    def _read(self, deadline: float, at: str) -> None:
        assert self._process.stdout is not None
        left = deadline - time.monotonic()
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, left))
        assert ready, f"{self._scenario}: no {at!r} in time"
        more = os.read(self._process.stdout.fileno(), 65_536)
        assert more, f"{self._scenario} ended before {at!r}: {self._process.wait()}"
        self._buffer += more


class Memory:
    """The resident memory of a hub since this was made."""

    def __init__(self, hub: HubProcess) -> None:
        assert hub.process is not None
        self._status = Path(f"/proc/{hub.process.pid}/status")
        (self._status.parent / "clear_refs").write_text("5")  # the peak counts from now on
        self._before = self._kib("VmRSS")

    def grown_mb(self) -> float:
        """By how much it was higher at its peak, in MB."""
        return (self._kib("VmHWM") - self._before) * 1024 / 1e6

    def _kib(self, name: str) -> int:
        lines = self._status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def once_more_if(symptom: str, check: Callable[[], None]) -> None:
    """Run a check, and again on a fresh hub if it fails by this figure of time.

    What else the machine does may spoil a percentile once; what the hub does spoils it again.
    """
    try:
        check()
    except AssertionError as error:
        if symptom not in str(error):
            raise
        check()


def sockets(hub: HubProcess) -> int:
    """How many sockets the hub's process holds."""
    assert hub.process is not None
    count = 0
    for entry in Path(f"/proc/{hub.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += str(entry.readlink()).startswith("socket:")
    return count


def column(hub: HubProcess, select: str) -> list[Any]:
    """The first column of what a query finds in the hub's database."""
    path = hub.directory / "taskhub.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
        return [row[0] for row in database.execute(select)]


def missing(hub: HubProcess, acknowledged: Path) -> set[str]:
    """Events that a scenario was told of and that are not stored."""
    told = set(acknowledged.read_text().split())
    return told - set(column(hub, "SELECT event_id FROM hub_task_event"))


def rows(hub: HubProcess, select: str) -> list[tuple[Any, ...]]:
    """What a query finds in the hub's database."""
    path = hub.directory / "taskhub.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
        return database.execute(select).fetchall()


def table(hub: HubProcess) -> list[list[tuple[Any, ...]]]:
    """All of the history."""
    names = ("hub_task", "hub_task_event", "hub_participation")
    return [rows(hub, f"SELECT * FROM {name} ORDER BY 1, 2") for name in names]
