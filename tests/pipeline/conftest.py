"""A pipeline over the memory journal, with recording sinks and a clock that tests move."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from hub.core.access import Access, access
from hub.core.engine import Engine
from hub.core.facts import Event, Fact
from hub.core.limits import Limits
from hub.core.presence import Presence
from hub.core.values import Token
from hub.journal.memory import MemoryJournal
from hub.journal.port import JournalFailed
from hub.pipeline import Pipeline
from hub.protocol.frames import Rules
from hub.router.local import LocalRouter
from hub.router.port import Outgoing
from hub.router.presence import Roll

RULES = Rules(strict_actions=True, max_nesting=64, max_start_timeout=10**9, max_end_timeout=10**9)


class RecordingSink:
    """A connection that remembers what it was sent."""

    def __init__(self, connection: str, *, v1: bool = True) -> None:
        self.connection = connection
        self.v1 = v1
        self.token = Token(f"session of {connection}")
        self.lazy_payload: int | None = None
        self.frames = 0
        self.unsent = 0
        self.closed: int | None = None
        self.messages: list[dict[str, Any]] = []
        self.bad_frames = 0

    def send(self, messages: Outgoing) -> None:
        self.messages += map(json.loads, messages.texts)

    def bad_frame(self) -> None:
        self.bad_frames += 1

    def close(self, code: int) -> None:
        self.closed = code

    async def room(self) -> None:
        return

    def events(self, task_id: str | None = None) -> list[str]:
        """Names of the events it was told, of one task or of all."""
        return [
            m["event"]
            for m in self.messages
            if "event" in m and m["status"] == "ok" and task_id in (None, m["taskId"])
        ]

    def codes(self) -> list[str]:
        """Codes of the errors it was told."""
        return [m["code"] for m in self.messages if m["status"] == "error"]


class ScriptedJournal(MemoryJournal):
    """The memory journal, told to wait or to fail at its next commits."""

    def __init__(self) -> None:
        super().__init__()
        self.fail_next = 0
        self.hold: asyncio.Event | None = None
        #: what the commit under way waits for
        self.held_by: asyncio.Event | None = None
        self.loop = asyncio.get_running_loop()
        self.commits = 0
        self.on_read: Callable[[], None] | None = None

    def commit(self, facts: Sequence[Fact]) -> frozenset[int]:
        self.held_by = self.hold
        if self.held_by is not None:
            asyncio.run_coroutine_threadsafe(self.held_by.wait(), self.loop).result(10)
        self.commits += 1
        if self.fail_next:
            self.fail_next -= 1
            raise JournalFailed("no room")
        return super().commit(facts)

    def events(self, task: int, from_seq: int, limit: int) -> list[Event]:
        found = super().events(task, from_seq, limit)
        if self.on_read is not None:
            self.on_read()
        return found


class World:
    """One hub process without sockets."""

    def __init__(self, limits: Limits, journal: ScriptedJournal | None = None) -> None:
        self.now = 1_000_000
        self.journal = journal or ScriptedJournal()
        ids = itertools.count(1)

        def new_id() -> str:
            return f"hub-{id(self):x}-{next(ids)}"

        self.engine = Engine(limits, new_id, self.journal.last_key(), self.journal.epoch())
        self.pipeline = Pipeline(
            engine=self.engine,
            journal=self.journal,
            router=LocalRouter(Roll()),
            rules=RULES,
            max_watches=limits.max_watches,
            clock=lambda: self.now,
            new_id=new_id,
        )

    def connect(
        self, connection: str, rights: Access | None = None, *, v1: bool = True
    ) -> RecordingSink:
        """A connection of a client of the same name, allowed everything unless told."""
        sink = RecordingSink(connection, v1=v1)
        everything = access(connection, sub=["*"], pub=["*"], watch=["*"])
        presence = Presence(
            connection=connection, client=connection, address="", protocol="", since=0
        )
        self.pipeline.connect(sink, rights or everything, presence)
        return sink

    async def send(self, sink: RecordingSink, **frame: object) -> None:
        """Send a frame and wait until all it led to has been done."""
        pending = self.pipeline.receive(sink, json.dumps(frame))
        if pending is not None:
            await pending
        await self.settle()

    async def settle(self) -> None:
        """Wait until the journal is idle and background steps are done."""
        while True:
            await self.pipeline.commit.drained()
            if not self.pipeline._tasks:
                return
            await asyncio.wait(self.pipeline._tasks)

    async def advance(self, ms: int) -> None:
        """Let time pass, and what is due happen."""
        self.now += ms
        self.pipeline._tick()
        await self.settle()

    async def publish(self, sink: RecordingSink, task_id: str, **more: object) -> None:
        """Publish a task of the action ``a:b``."""
        frame = {"event": "init", "eventId": f"i-{task_id}", "action": "a:b", "payload": 1}
        await self.send(sink, cmd="pub", taskId=task_id, **{**frame, **more})

    async def report(self, sink: RecordingSink, task_id: str, event: str, **more: object) -> None:
        """Report an event of a task, with an id made of both."""
        event_id = more.pop("eventId", f"{event}-{task_id}-{sink.connection}")
        await self.send(sink, cmd="pub", event=event, eventId=event_id, taskId=task_id, **more)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(Limits())
    yield made
    await made.pipeline.stop()


#: The rights of the client that is resumed, whatever the name of its connection.
EVERYTHING = access("s", sub=["*"], pub=["*"], watch=["*"])
#: Timeouts of tasks for tests that are about something else.
LONG = {"startTimeout": 100_000, "endTimeout": 1_000_000}


def resume_frame(lost: RecordingSink, **tasks: int) -> dict[str, Any]:
    """A ``resume`` of this connection, with the last seq seen of each task."""
    return {
        "cmd": "resume",
        "id": "r",
        "session": str(lost.token),
        "epoch": "memory",
        "tasks": tasks,
    }


def seqs(messages: list[dict[str, Any]], task_id: str) -> list[int]:
    """The seqs of a task as they were told."""
    return [m["seq"] for m in messages if m.get("taskId") == task_id and "seq" in m]
