"""The system calls of a hub, by strace: what it wrote, synced and sent, in their order.

A call counts as begun and ended where strace saw it begin and end. Threads stop at each,
so an order of two calls that the hub relies on is their order in the trace.
"""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.hub_process import HubProcess

STRACE: Final = shutil.which("strace")
#: Bytes shown of each buffer: more than a page of the WAL.
SHOWN: Final = 65_536
CALLS: Final = "fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg"
_LINE = re.compile(r"(?P<thread>\d+) +(?P<rest>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\(\d+<(?P<file>(?:[^>\\]|->|\\.)*)>(?P<data>.*)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>")
_EVENT_ID = re.compile(r'\\"eventId\\":\\"([^"\\]+)\\"')
_ENDED = re.compile(r"\+\+\+ (exited|killed)")


@dataclass(slots=True)
class Call:
    """One system call on an open file or socket."""

    name: str
    file: str
    data: str
    begun: int
    ended: int = -1

    @property
    def syncs(self) -> bool:
        """Whether it puts on the disk what was written to the WAL before it began."""
        return self.name in ("fdatasync", "fsync") and self.file.endswith("-wal")

    @property
    def stores(self) -> bool:
        """Whether it writes to the WAL."""
        return self.name.startswith("pwrite") and self.file.endswith("-wal")

    @property
    def tells(self) -> frozenset[str]:
        """eventIds in what it sends to a peer."""
        to_peer = self.file.startswith(("socket:", "TCP:"))
        return frozenset(_EVENT_ID.findall(self.data)) if to_peer else frozenset()


class TracedHub(HubProcess):
    """A hub under strace. The tracer is its grandchild, so that signals reach the hub."""

    @property
    def trace(self) -> Path:
        """Where the trace is written."""
        return self.directory / "strace.out"

    def _command(self) -> list[str]:
        assert STRACE is not None
        output = ["-o", str(self.trace), "-s", str(SHOWN), "-e", f"trace={CALLS}"]
        return [STRACE, "-D", "-f", "-y", "--seccomp-bpf", *output, *super()._command()]

    def calls(self) -> list[Call]:
        """All calls of the hub, which has ended, in the order they began."""
        assert self.process is not None
        last = re.compile(rf"^{self.process.pid} +\+\+\+ exited", re.MULTILINE)
        deadline = time.monotonic() + 10
        while not last.search(text := self.trace.read_text(errors="replace")):
            assert time.monotonic() < deadline, "strace does not end its trace"
            time.sleep(0.05)
        return list(_calls(text.splitlines()))


def _calls(lines: list[str]) -> Iterator[Call]:
    unfinished: dict[str, Call] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        assert found is not None, line
        thread, rest = found["thread"], found["rest"]
        if _RESUMED.match(rest):
            unfinished.pop(thread).ended = number
        elif begun := _BEGUN.match(rest):
            call = Call(begun["name"], begun["file"], begun["data"], begun=number)
            if rest.endswith("<unfinished ...>"):
                unfinished[thread] = call
            else:
                call.ended = number
            yield call


def told_too_early(calls: list[Call]) -> Iterator[str]:
    """Events that a peer was sent before they were written to the WAL and that was synced."""
    stored = [call for call in calls if call.stores]
    syncs = [call for call in calls if call.syncs]
    known: set[str] = set()
    for call in calls:
        for event_id in call.tells - known:
            known.add(event_id)
            written = [s.ended for s in stored if event_id in s.data and s.ended >= 0]
            first = min(written, default=None)
            if first is None:
                yield f"{event_id} was told and never stored"
            elif not any(first < sync.begun and 0 <= sync.ended < call.begun for sync in syncs):
                yield f"{event_id} was told at line {call.begun}, stored at {first}, not synced"


def told(calls: list[Call]) -> set[str]:
    """eventIds of all events that any peer was sent."""
    return {event_id for call in calls for event_id in call.tells}
