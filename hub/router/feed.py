"""Committed events for observers: pages of the dashboard, streams of the API.

An observer is told which tasks have changed, not how: it reads the truth itself. What it has not
taken yet is merged, so a slow one costs no more than a fast one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.facts import Event
from hub.core.values import EventKind

_INIT, _END = EventKind.INIT, EventKind.END


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has happened since an observer last took."""

    #: key of a task → its last seq
    tasks: dict[int, int]
    #: actions of tasks that were published or ended
    actions: frozenset[str]
    #: more tasks than are kept for one observer: read everything anew
    overflowed: bool


class Observer:
    """Someone who watches. Made by ``Feed.observe``; lives on the hub's loop."""

    def __init__(self, feed: "Feed", task: int | None, limit: int) -> None:
        #: the key of the one task it watches; None: all
        self.task = task
        self._feed = feed
        self._limit = limit
        self._tasks: dict[int, int] = {}
        self._actions: set[str] = set()
        self._overflowed = False
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing will be told any more: the hub is about to stop."""
        return self._ended.is_set()

    async def changed(self) -> None:
        """Wait until there is something to take, or the feed has ended."""
        await self._changed.wait()

    async def end(self) -> None:
        """Wait until the feed ends."""
        await self._ended.wait()

    def wake(self) -> None:
        """Have ``changed`` return, whether anything has changed or not."""
        self._changed.set()

    def take(self) -> Changes:
        """Everything since the last time."""
        changes = Changes(
            tasks=self._tasks, actions=frozenset(self._actions), overflowed=self._overflowed
        )
        self._tasks, self._actions, self._overflowed = {}, set(), False
        if not self.ended:
            self._changed.clear()
        return changes

    def close(self) -> None:
        """Watch no more."""
        self._feed.forget(self)

    def tell(self, action: str, events: Sequence[Event]) -> None:
        """Merge events of one task. Called by the feed."""
        self._changed.set()
        if self._overflowed:
            return
        last = events[-1]
        if last.task not in self._tasks and len(self._tasks) >= self._limit:
            # Whoever reads everything anew needs no list of what has changed.
            self._tasks, self._actions, self._overflowed = {}, set(), True
            return
        # Across processes a later event may be heard of first.
        self._tasks[last.task] = max(last.seq, self._tasks.get(last.task, 0))
        if events[0].kind is _INIT or last.kind is _END:
            self._actions.add(action)  # of tasks in the list: bounded as it is

    def tell_end(self) -> None:
        """Wake it for the last time. Called by the feed."""
        self._ended.set()
        self._changed.set()


class Feed:
    """All observers of this process. With none, an event costs one look at a flag."""

    def __init__(self) -> None:
        #: whether anybody watches: who tells asks this first, and spares the call
        self.observed = False
        self._ended = False
        #: in the order in which they began; None: those who watch all tasks
        self._watching: dict[int | None, dict[Observer, None]] = {}

    def observe(self, *, task: int | None = None, limit: int = 1_000) -> Observer:
        """Watch one task by its key, or all; ``limit`` tasks are kept between two takes."""
        observer = Observer(self, task, limit)
        if self._ended:
            observer.tell_end()
            return observer
        self._watching.setdefault(task, {})[observer] = None
        self.observed = True
        return observer

    def forget(self, observer: Observer) -> None:
        """An observer is closed; nothing happens when it was before."""
        watching = self._watching.get(observer.task, {})
        watching.pop(observer, None)
        if not watching:
            self._watching.pop(observer.task, None)
        self.observed = bool(self._watching)

    def tell(self, action: str, events: Sequence[Event]) -> None:
        """Events of one task are committed. Called by the router for each ``Deliver``."""
        for watching in (self._watching.get(None), self._watching.get(events[0].task)):
            for observer in watching or ():
                observer.tell(action, events)

    def end(self) -> None:
        """The hub is about to stop: every observer hears that nothing more will come."""
        self._ended = True
        for watching in list(self._watching.values()):
            for observer in list(watching):
                observer.tell_end()
