"""A task's events as server-sent events: what is stored, then what happens.

The feed only says that something has happened; each event is read from the journal, so a stream
tells every event once and in order, wherever it began. It ends after the task's end, when the hub
is about to stop, and when its reader may no longer see the task.
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from hub import runtime as hub_runtime
from hub.api.bodies import with_bodies
from hub.api.callers import Caller
from hub.api.events import read_events, sees_bodies
from hub.api.problems import Refused
from hub.api.rights import Rights
from hub.api.serializers import EventSerializer
from hub.api.threads import threaded
from hub.conf import hub_settings
from hub.core.errors import Code
from hub.core.values import EventKind, TaskState
from hub.router.feed import Observer
from hub.runtime import Runtime
from hub.selectors.tasks import tasks_by_key

#: A comment is sent after so long without an event: proxies close what is silent.
HEARTBEAT_S: Final = 15.0
#: Events read at a time.
BATCH: Final = 50
#: How often rights are looked at: a change reaches open streams within a second (§2.8).
RIGHTS_INTERVAL_S: Final = 0.5

_HEARTBEAT: Final = b": still here\n\n"
_RETRY: Final = b"retry: 1000\n\n"


class Places:
    """How many streams are open, in all and of each caller. Used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def take(self, identity: str) -> Callable[[], None]:
        """Take one; what gives it back, which may be called twice. Raises Refused."""
        limits = hub_settings().limits
        with self._lock:
            if self._open.total() >= limits.api_streams:
                raise Refused(503, Code.UNAVAILABLE, "Too many streams are open; come back.", 5)
            if self._open[identity] >= limits.api_streams_per_client:
                raise Refused(
                    429,
                    Code.LIMIT,
                    f"At most {limits.api_streams_per_client} streams are open for one client; "
                    "close one.",
                    5,
                )
            self._open[identity] += 1
        held = [identity]

        def give_back() -> None:
            with self._lock:
                if held:
                    self._open[held.pop()] -= 1
                    self._open += Counter()  # forgets those at 0

        return give_back


places = Places()


class _Part(NamedTuple):
    """Some events as messages."""

    messages: list[bytes]
    #: more are stored
    more: bool
    #: nothing will follow
    last: bool


@dataclass(kw_only=True)
class Stream:
    """One reader of one task."""

    caller: Caller
    task_id: str
    #: key of the task
    key: int
    #: the first seq that is wanted
    from_seq: int
    give_back: Callable[[], None] = field(repr=False)

    async def messages(self) -> AsyncIterator[bytes]:
        """The bytes of the stream, until its end."""
        try:
            yield _RETRY
            hub = await _hub()
            if hub is None:
                return
            observer = hub.pipeline.router.feed.observe(task=self.key, limit=1)
            try:
                async for message in self._follow(observer):
                    yield message
            finally:
                observer.close()
        finally:
            self.give_back()

    async def _follow(self, observer: Observer) -> AsyncIterator[bytes]:
        rights = Rights(self.caller, self.task_id)
        told_at, more = time.monotonic(), True
        # Looked at before each part: who reads slowly may take long to hear what is stored.
        while not observer.ended and await threaded(rights.hold):
            if more:
                observer.take()  # before it is read: what is stored later wakes it again
                part = await threaded(self._read)
                for message in part.messages:
                    yield message
                    told_at = time.monotonic()
                if part.last:
                    return
                more = part.more
            elif time.monotonic() - told_at >= HEARTBEAT_S:
                yield _HEARTBEAT
                told_at = time.monotonic()
            more = more or await _changed(observer)

    def _read(self) -> _Part:
        """What is stored and not told yet, or a part of it; it counts as told from now on."""
        events, bodies, more = read_events(
            self.key, self.from_seq, BATCH, bodies=sees_bodies(self.caller)
        )
        if not events:
            return _Part([], more=False, last=self._is_over())
        self.from_seq = events[-1].seq + 1
        told: Any = EventSerializer(events, many=True).data
        told = with_bodies(told, [event.seq for event in events], bodies)
        last = events[-1].kind == EventKind.END
        return _Part([_message(one) for one in told], more=more, last=last)

    def _is_over(self) -> bool:
        """Whether the task has ended before what is wanted, or is gone."""
        row = tasks_by_key([self.key]).get(self.key)
        return row is None or (row.state is TaskState.END and row.seq < self.from_seq)


def _message(event: dict[str, Any]) -> bytes:
    data = msgspec.json.encode(event)
    # A body may be JSON over several lines; the reader joins them again by line feeds.
    lines = b"".join(b"data: %s\n" % line for line in data.splitlines())
    head = f"event: {event['event']}\nid: {event['seq']}\n"
    return head.encode() + lines + b"\n"


async def _changed(observer: Observer) -> bool:
    """Whether something has happened within a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RIGHTS_INTERVAL_S):
            await observer.changed()
        return True
    return False


async def _hub() -> Runtime | None:
    """The hub of this process; under daphne it starts when it is first needed."""
    found = hub_runtime.current()
    if found is not None or not hub_runtime.may_start():
        return found
    return await hub_runtime.running()
