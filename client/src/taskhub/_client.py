"""What a program holds in its hand."""

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from taskhub._address import address_find
from taskhub._errors import ConnectionLost
from taskhub._service import Subscription
from taskhub._session import Session
from taskhub._signals import signals_told
from taskhub._task import UNSET, Task
from taskhub._watch import Watch
from taskhub._wire import READABLE, command, event_command, new_id

#: Commands that may wait for the hub's answer.
MAX_PENDING: Final = 10_000
#: Seconds that running jobs get to finish once `serve` is told to stop.
DRAIN_TIMEOUT: Final = 30.0


class Client:
    """A client of a hub; `async with` connects it and subscribes its handlers.

    Without arguments the address comes from TASKHUB_URL, TASKHUB_NAME and TASKHUB_KEY; name and
    key may also stand in the URL. `max_pending` bounds the commands that wait for the hub's answer,
    `dashboard` is where operators look, should that be another address than the hub's. Raises
    ConfigurationError when a part of the address is missing.

    A connection that is lost is made again, for as long as the hub accepts the key: what is not
    answered is sent again, and everything that waits goes on waiting.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str | None = None,
        key: str | None = None,
        max_pending: int = MAX_PENDING,
        dashboard: str | None = None,
    ) -> None:
        if max_pending < 1:
            raise ValueError(f"max_pending is {max_pending}; at least 1 command must have room.")
        self._address = address_find(url, name, key)
        self._max_pending = max_pending
        self._dashboard = (dashboard or _dashboard(self._address.url)).rstrip("/")
        self._subscriptions: list[Subscription] = []
        self._session: Session | None = None
        self._stops: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"Client({self._address.url!r}, name={self._address.name!r})"

    async def __aenter__(self) -> "Client":
        """Connect. Raises ConnectionFailed, AuthenticationError, and Refused for a handler."""
        if self._session is not None:
            raise RuntimeError(f"{self!r} is connected already.")
        self._session = Session(
            address=self._address,
            subscriptions=self._subscriptions,
            max_pending=self._max_pending,
        )
        try:
            await self._session.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel the handlers, whose jobs become drops, and close the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- publishing

    def pub(
        self,
        action: str,
        payload: Any = None,
        *,
        start_timeout: float | None = None,
        end_timeout: float | None = None,
        expect: Literal["result", "delivery"] | None = None,
        settle: Literal["any", "first", "all"] | None = None,
        claim: bool | None = None,
        task_id: str | None = None,
    ) -> Task:
        """Publish a task; its handle is there at once, and sent when there is a connection.

        Timeouts are seconds; options left None are the hub's to choose (docs/protocol.md §4.2).
        Raises QueueFull, PayloadTooLarge, ConnectionLost, and TypeError for a payload that JSON
        cannot express. What the hub refuses is raised where the handle is awaited.
        """
        session = self._connected()
        options = {
            "startTimeout": _milliseconds(start_timeout),
            "endTimeout": _milliseconds(end_timeout),
            "expect": expect,
            "settle": settle,
            "claim": claim,
        }
        given = {name: value for name, value in options.items() if value is not None}
        task = self._handle(task_id or new_id(), action, session)
        init = event_command("init", task.task_id, action=action, payload=payload, **given)
        session.publish(task, init)
        return task

    async def do(
        self,
        action: str,
        payload: Any = None,
        *,
        default: Any = UNSET,
        timeout: float | None = None,  # noqa: ASYNC109 (the name a caller expects)
        **options: Any,
    ) -> Any:
        """Publish a task and return its result: `pub` with its options, then `Task.result`."""
        return await self.pub(action, payload, **options).result(default=default, timeout=timeout)

    def task(self, task_id: str) -> Task:
        """The handle of a task of an earlier life: all its events, then the live ones.

        Whoever may watch the task may have it. What the hub refuses is raised where the handle
        is awaited. A connection can follow as many tasks as the hub lets it watch (200).
        """
        session = self._connected()
        if (known := session.tasks.get(task_id)) is not None:
            return known
        task = self._handle(task_id, "", session)
        session.attach(task)
        return task

    def _handle(self, task_id: str, action: str, session: Session) -> Task:
        url = f"{self._dashboard}/tasks/{task_id}/"
        return Task(task_id=task_id, action=action, request=session.request, url=url)

    # -- serving

    def sub(
        self,
        action: str,
        *,
        group: bool = False,
        concurrency: int = 1,
        auto_start: bool = True,
        lazy_payload: int | None = None,
        auto_cancel: bool = False,
    ) -> Subscription:
        """Subscribe to an action or a pattern: a decorator of async handlers, or an iterator.

        ``@client.sub("email:send")`` declares a handler; one declared while connected is
        subscribed by `serve`. ``async for job in client.sub("email:send")`` hands the jobs out
        instead, at the pace of the loop.

        `group`: each task goes to one connection of this client only. `concurrency`: handlers that
        run at a time. `auto_start`: say `start` before the handler runs. `lazy_payload`: payloads
        of more bytes stay in the hub until `job.get_payload()`. A handler is cancelled when its
        task fails, ends, or passes its deadline; with `auto_cancel` also when another's success
        settles it.
        """
        return Subscription(
            pattern=action,
            group=group,
            concurrency=concurrency,
            auto_start=auto_start,
            lazy_payload=lazy_payload,
            auto_cancel=auto_cancel,
            declare=self._declare,
            subscribe=self._subscribe,
            unsubscribe=self._unsubscribe,
        )

    def _declare(self, subscription: Subscription) -> None:
        if subscription not in self._subscriptions:
            self._subscriptions.append(subscription)

    async def _subscribe(self) -> None:
        await self._connected().subscribe()

    async def _unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        if self._session is not None:
            await self._session.unsubscribe(subscription)

    async def serve(
        self, *, drain_timeout: float = DRAIN_TIMEOUT, handle_signals: bool = True
    ) -> None:
        """Serve until SIGINT or SIGTERM, or until closed; connects by itself if need be.

        At a signal it takes no new jobs and waits `drain_timeout` seconds for those at work; a
        second signal cuts that short. What still runs then is cancelled, and dropped. A program
        with signal handlers of its own turns `handle_signals` off and cancels this instead. Raises
        AuthenticationError when the hub does not accept the key any more, and PermissionDenied
        when a subscription is not allowed any more.
        """
        if self._session is None:
            async with self:
                await self.serve(drain_timeout=drain_timeout, handle_signals=handle_signals)
            return
        session = self._session
        await session.subscribe()
        asked, hurried = asyncio.Event(), asyncio.Event()

        def stop() -> None:
            (hurried if asked.is_set() else asked).set()

        self._stops.append(stop)
        with (
            contextlib.ExitStack() as stack,
            signals_told(stop) if handle_signals else contextlib.nullcontext(),
        ):
            stack.callback(self._stops.remove, stop)
            if await _first(session.wait_over(), asked.wait()):
                return
            await _first(session.drain(drain_timeout), hurried.wait())

    def stop(self) -> None:
        """Do to `serve` what a signal does: drain; a second time: cut that short."""
        for stop in list(self._stops):
            stop()

    # -- watching

    async def watch(self, pattern: str) -> Watch:
        """The events, from now on, of all tasks whose action the pattern names. Raises Refused."""
        watch = Watch(pattern)
        await self._connected().watch(watch)
        return watch

    async def unwatch(self, pattern: str) -> None:
        """End a watch: its iterator stops after what has arrived."""
        await self._connected().unwatch(pattern)

    async def get(
        self, task_id: str, what: Literal["payload", "result", "task", "events"] = "task"
    ) -> Any:
        """What the hub has stored of a task; `events` are `Event`s. Raises Refused."""
        if what not in READABLE:
            raise ValueError(f"what is {what!r}; accepted are {', '.join(READABLE)}.")
        reply = await self._connected().request(command("get", taskId=task_id, what=what))
        if what == "events":
            events = reply.events or []
            action = events[0].action if events else None
            return [event.as_event(action) for event in events]
        return getattr(reply, what)

    def _connected(self) -> Session:
        if self._session is None:
            raise ConnectionLost(f"{self!r} is not connected: use it inside `async with`.")
        return self._session


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _dashboard(url: str) -> str:
    """The hub speaks HTTP where it speaks WebSocket."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urlunsplit((scheme, parts.netloc, "", "", ""))


async def _first(one: Any, other: Any) -> bool:
    """Whether `one` ended first; the other is cancelled. Raises what the first one raised."""
    both = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
    for task in done:
        task.result()
    return both[0] in done
