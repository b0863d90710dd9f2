"""A published task, as its publisher sees it."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, Final

import msgspec

from taskhub._errors import Overflow, Refused, TaskHubError, failure
from taskhub._wire import EVENT_KINDS, Event, Message, command

log = logging.getLogger("taskhub")

Request = Callable[[dict[str, Any]], Coroutine[Any, Any, Message]]
Callback = Callable[[Event], Any]

#: Events kept for readers; the hub takes no more for one task unless it is told to.
UNREAD_EVENTS: Final = 10_000
#: Events kept back while earlier ones are asked for.
_HELD_EVENTS: Final = 1_000


#: What an event makes of the participant it is from.
_STATES: Final = {"start": "started", "success": "succeeded", "fail": "failed", "drop": "dropped"}


class _Unset:
    """The default of `default`: any value of the caller's may be one."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How far one participant is with a task, as its publisher has heard."""

    #: started, succeeded, failed or dropped.
    state: str
    #: The result, or the reason of a fail or a drop; None while it works.
    value: Any = None
    #: Milliseconds since 1970; None if its start was not told.
    started_at: int | None = None
    done_at: int | None = None

    @property
    def seconds(self) -> float | None:
        """From its start to its last word."""
        if self.started_at is None or self.done_at is None:
            return None
        return (self.done_at - self.started_at) / 1000


class Task:
    """Handle of a task. `await task` is its result; `async for event in task` its events.

    Everything also tells what has already happened, so nothing is missed by asking late.
    """

    def __init__(self, *, task_id: str, action: str, request: Request, url: str) -> None:
        self.task_id: str = task_id
        #: Empty for a task of an earlier life until its first event has come.
        self.action: str = action
        #: Where an operator sees it.
        self.url: str = url
        #: The last result or reason of each participant by its client name.
        self.outcomes: dict[str, Outcome] = {}
        self._request = request
        self._events: list[Event] = []
        self._overflowed = False
        self._held: dict[int, Event] = {}
        self._last_seq = 0
        self._heard: dict[str, Event] = {}
        self._error: TaskHubError | None = None
        self._callbacks: list[tuple[str, Callback, bool]] = []
        self._calls: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        #: Has the error of an init nobody asked about: asyncio tells of it when it is let go.
        self._accepted: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<Task {self.action or '?'} {self.task_id} {self.state}>"

    @property
    def state(self) -> str:
        """The last of these that has happened: new, init, start, success, fail, end."""
        for kind in ("end", "success", "fail", "start", "init"):
            if kind in self._heard:
                return kind
        return "new"

    @property
    def done(self) -> bool:
        """Whether it is settled: success or fail."""
        return "success" in self._heard or "fail" in self._heard

    # -- waiting

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()

    async def result(self, *, default: Any = UNSET, timeout: float | None = None) -> Any:  # noqa: ASYNC109 (the name a caller expects)
        """The result, as soon as there is one.

        Raises TaskFailed and its kinds; TaskTimeout also after `timeout` seconds, when the task
        itself goes on. With a `default` that is returned instead of these. Refused and
        ConnectionLost are raised in any case.
        """
        try:
            async with asyncio.timeout(timeout):
                event = await self._wait("success", "fail", "end")
        except TimeoutError:
            if default is not UNSET:
                return default
            message = f"no outcome within {timeout:g} s"
            raise self._failure({"code": "wait-timeout", "message": message}) from None
        if event.kind == "success":
            return event.value
        if event.kind == "fail":
            if default is not UNSET:
                return default
            raise self._failure(event.value)
        raise TaskHubError(f"{self!r} ended, and its outcome was never told.")

    async def accepted(self) -> Event:
        """The init, once the hub has stored it. Raises Refused and ConnectionLost."""
        return await asyncio.shield(self._accepted)

    async def started(self) -> Event | None:
        """The first start; None if the task succeeded without one. Raises TaskFailed."""
        event = await self._wait("start", "success", "fail", "end")
        if event.kind == "fail":
            raise self._failure(event.value)
        return event if event.kind == "start" else None

    async def ended(self) -> Event:
        """The end: nothing more can happen. A fail is not raised. Raises ConnectionLost."""
        return await self._wait("end")

    async def cancel(self, reason: Any = None) -> None:
        """Cancel the task: it fails with the code `cancelled`. Raises Refused if it has ended."""
        await self.accepted()
        try:
            await self._request(command("cancel", taskId=self.task_id, reason=reason))
        except Refused as refused:
            # Sent again after a lost connection, and done the first time.
            fail = self._heard.get("fail")
            was_cancelled = fail is not None and _code(fail.value) == "cancelled"
            if refused.code not in {"illegal-transition", "task-ended"} or not was_cancelled:
                raise

    # -- reading

    async def __aiter__(self) -> AsyncIterator[Event]:
        """All events from the first to the end. Each reader has them all."""
        position = 0
        while True:
            while position < len(self._events):
                position += 1
                yield self._events[position - 1]
            if self._overflowed:
                raise Overflow(
                    f"Events of {self.task_id} beyond the first {len(self._events)} are not kept."
                )
            if "end" in self._heard:
                return
            if self._error is not None:
                raise self._error
            await self._changed.wait()

    async def updates(self) -> AsyncIterator[Any]:
        """The values of its updates, from the first on, until it is settled."""
        async for event in self:
            if event.kind == "update":
                yield event.value
            elif event.kind in {"success", "fail"}:
                return

    def on(self, event: str, callback: Callback) -> Callback:
        """Call back with each event of this kind, `"*"` for all; what has happened comes first.

        The callback may be a coroutine function. What it raises is logged. Returns the callback.
        """
        return self._register(event, callback, once=False)

    def once(self, event: str, callback: Callback) -> Callback:
        """As `on`, for the first such event only, also if it has happened already."""
        return self._register(event, callback, once=True)

    def off(self, event: str, callback: Callback | None = None) -> None:
        """Take back this callback, or all for the event."""
        self._callbacks = [
            (kind, known, once)
            for kind, known, once in self._callbacks
            if kind != event or callback not in {None, known}
        ]

    def _register(self, event: str, callback: Callback, *, once: bool) -> Callback:
        if event not in {*EVENT_KINDS, "*"}:
            raise ValueError(f"No event is called {event!r}: {', '.join(EVENT_KINDS)}, or *.")
        happened = [one for one in self._events if event in {one.kind, "*"}]
        for one in happened[:1] if once else happened:
            self._call(callback, one)
        if not (once and happened):
            self._callbacks.append((event, callback, once))
        return callback

    def _call(self, callback: Callback, event: Event) -> None:
        # Not from here: it might call back into this very handle, or take its time.
        call = asyncio.create_task(_called(callback, event), name=f"{event.kind} of {self!r}")
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    # -- from the read loop

    @property
    def last_seq(self) -> int:
        """The seq up to which all events are known."""
        return self._last_seq

    @property
    def over(self) -> bool:
        """Nothing more will be told."""
        return "end" in self._heard or self._error is not None

    @property
    def was_accepted(self) -> bool:
        """Whether the hub has stored it."""
        return "init" in self._heard

    def receive(self, event: Event) -> bool:
        """Take one event; False when earlier ones are missing, which have to be asked for."""
        if event.seq <= self._last_seq or self.over:
            return True
        self._held[event.seq] = event
        while (following := self._held.pop(self._last_seq + 1, None)) is not None:
            self._last_seq = following.seq
            self._apply(following)
        if len(self._held) > _HELD_EVENTS:
            del self._held[max(self._held)]
        return not self._held

    def _apply(self, event: Event) -> None:
        self.action = self.action or event.action or ""
        self._heard.setdefault(event.kind, event)
        if len(self._events) < UNREAD_EVENTS:
            self._events.append(event)
        else:
            self._overflowed = True
        if event.kind == "init" and not self._accepted.done():
            self._accepted.set_result(event)
        self._note_outcome(event)
        for kind, callback, once in list(self._callbacks):
            if kind in {event.kind, "*"}:
                self._call(callback, event)
                if once:
                    self._callbacks.remove((kind, callback, once))
        self._wake()

    def _note_outcome(self, event: Event) -> None:
        state = _STATES.get(event.kind)
        if state is None or event.by == "hub":
            return
        if event.kind == "drop":
            state = _STATES.get(event.outcome or "", state)
        known = self.outcomes.get(event.by, Outcome(state="started"))
        self.outcomes[event.by] = Outcome(
            state=state,
            value=event.value,
            started_at=event.at if state == "started" else known.started_at,
            done_at=None if state == "started" else event.at,
        )

    def lose(self, error: TaskHubError) -> None:
        """Nothing more will be told: the init was refused, or there is no connection."""
        if self.over:
            return
        self._error = error
        if not self._accepted.done():
            self._accepted.set_exception(error)
            if not isinstance(error, Refused):
                self._accepted.exception()  # every waiter is told, and the log has it
        self._wake()

    def _wake(self) -> None:
        # Who waits is woken, and nobody who comes later.
        self._changed.set()
        self._changed.clear()

    async def _wait(self, *kinds: str) -> Event:
        while True:
            for kind in kinds:
                if (event := self._heard.get(kind)) is not None:
                    return event
            if self._error is not None:
                if self._accepted.done():
                    self._accepted.exception()  # it is told here
                raise self._error
            await self._changed.wait()

    def _failure(self, reason: Any) -> TaskHubError:
        return failure(reason, action=self.action, task_id=self.task_id)


def _code(reason: Any) -> Any:
    return reason.get("code") if isinstance(reason, dict) else None


async def _called(callback: Callback, event: Event) -> None:
    try:
        done = callback(event)
        if inspect.isawaitable(done):
            await done
    except Exception:
        log.exception("A callback for %s of %s broke", event.kind, event.task_id)
