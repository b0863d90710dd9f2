"""The same names without await: for Django views, scripts and notebooks.

    with taskhub.sync.Client() as client:
        print(client.do("email:send", {"to": "ada@example.org"}, default=None))

One client may be used from many threads. Its connection lives on a thread of its own, on which
callbacks run too. Inside a running event loop every call raises RuntimeError: there
`taskhub.Client` is meant, as a call that blocks would stop the loop.
"""

import asyncio
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

import taskhub
from taskhub._client import DRAIN_TIMEOUT, MAX_PENDING
from taskhub._loop_thread import LoopThread, refuse_in_a_loop
from taskhub._task import UNSET, Callback

__all__ = ["Client", "Job", "Task", "Watch"]

Handler = Callable[["Job"], Any]
H = TypeVar("H", bound=Handler)

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Task:
    """Handle of a task: `taskhub.Task` without await. `for event in task` gives its events."""

    def __init__(self, task: taskhub.Task, thread: LoopThread) -> None:
        self._task = task
        self._thread = thread
        self.task_id: str = task.task_id
        self.url: str = task.url

    def __repr__(self) -> str:
        return repr(self._task)

    @property
    def action(self) -> str:
        """See `taskhub.Task`."""
        return self._task.action

    @property
    def state(self) -> str:
        """See `taskhub.Task.state`."""
        return self._task.state

    @property
    def done(self) -> bool:
        """See `taskhub.Task.done`."""
        return self._task.done

    @property
    def outcomes(self) -> dict[str, taskhub.Outcome]:
        """See `taskhub.Task`."""
        return dict(self._task.outcomes)

    def __iter__(self) -> Iterator[taskhub.Event]:
        """All events from the first to the end."""
        return self._thread.iterate(aiter(self._task))

    def result(self, *, default: Any = UNSET, timeout: float | None = None) -> Any:
        """See `taskhub.Task.result`."""
        return self._thread.call(lambda: self._task.result(default=default, timeout=timeout))

    def accepted(self) -> taskhub.Event:
        """See `taskhub.Task.accepted`."""
        return self._thread.call(self._task.accepted)

    def started(self) -> taskhub.Event | None:
        """See `taskhub.Task.started`."""
        return self._thread.call(self._task.started)

    def ended(self) -> taskhub.Event:
        """See `taskhub.Task.ended`."""
        return self._thread.call(self._task.ended)

    def cancel(self, reason: Any = None) -> None:
        """See `taskhub.Task.cancel`."""
        self._thread.call(lambda: self._task.cancel(reason))

    def updates(self) -> Iterator[Any]:
        """See `taskhub.Task.updates`."""
        return self._thread.iterate(self._task.updates())

    def on(self, event: str, callback: Callback) -> Callback:
        """See `taskhub.Task.on`; the callback runs on the client's thread."""
        self._register(functools.partial(self._task.on, event, callback))
        return callback

    def once(self, event: str, callback: Callback) -> Callback:
        """See `taskhub.Task.once`; the callback runs on the client's thread."""
        self._register(functools.partial(self._task.once, event, callback))
        return callback

    def off(self, event: str, callback: Callback | None = None) -> None:
        """See `taskhub.Task.off`."""
        self._register(functools.partial(self._task.off, event, callback))

    def _register(self, register: Callable[[], Any]) -> None:
        async def there() -> None:
            register()

        self._thread.call(there)


class Watch:
    """See `taskhub.Watch`; an iterator."""

    def __init__(self, watch: taskhub.Watch, thread: LoopThread) -> None:
        self.pattern: str = watch.pattern
        self._events = thread.iterate(watch)

    def __iter__(self) -> Iterator[taskhub.Event]:
        return self

    def __next__(self) -> taskhub.Event:
        return next(self._events)


class Cancelled:
    """Whether a job is cancelled, as `threading.Event` would say it."""

    def __init__(self, event: asyncio.Event, thread: LoopThread) -> None:
        self._event = event
        self._thread = thread

    def is_set(self) -> bool:
        """Whether it is."""
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is, or for so many seconds; whether it is."""

        async def there() -> bool:
            try:
                async with asyncio.timeout(timeout):
                    return await self._event.wait()
            except TimeoutError:
                return False

        return self._thread.call(there)


class Job:
    """See `taskhub.Job`. A thread cannot be cancelled: look at `cancelled`."""

    def __init__(self, job: taskhub.Job, thread: LoopThread) -> None:
        self._job = job
        self._thread = thread
        self.task_id: str = job.task_id
        self.action: str = job.action
        self.by: str = job.by
        self.deadline: int | None = job.deadline
        self.cancelled: Cancelled = Cancelled(job.cancelled, thread)

    def __repr__(self) -> str:
        return repr(self._job)

    @property
    def payload(self) -> Any:
        """See `taskhub.Job.payload`."""
        return self._job.payload

    def get_payload(self) -> Any:
        """See `taskhub.Job.get_payload`."""
        return self._thread.call(self._job.get_payload)

    def start(self) -> None:
        """See `taskhub.Job.start`."""
        self._thread.call(self._job.start)

    def update(self, value: Any) -> None:
        """See `taskhub.Job.update`."""
        self._thread.call(lambda: self._job.update(value))

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """See `taskhub.Job.progress`."""
        self._thread.call(lambda: self._job.progress(done, total, message))

    def success(self, value: Any = None) -> None:
        """See `taskhub.Job.success`."""
        self._thread.call(lambda: self._job.success(value))

    def fail(self, reason: Any) -> None:
        """See `taskhub.Job.fail`."""
        self._thread.call(lambda: self._job.fail(reason))

    def drop(self, reason: Any = None) -> None:
        """See `taskhub.Job.drop`."""
        self._thread.call(lambda: self._job.drop(reason))


class Client:
    """See `taskhub.Client`; a context manager, or `close` it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str | None = None,
        key: str | None = None,
        max_pending: int = MAX_PENDING,
        dashboard: str | None = None,
    ) -> None:
        self._client = taskhub.Client(
            url, name=name, key=key, max_pending=max_pending, dashboard=dashboard
        )
        self._thread: LoopThread | None = None

    def __repr__(self) -> str:
        return f"taskhub.sync.{self._client!r}"

    def __enter__(self) -> "Client":
        """Connect. Raises ConnectionFailed, AuthenticationError, and Refused for a handler."""
        refuse_in_a_loop()
        if self._thread is not None:
            raise RuntimeError(f"{self!r} is connected already.")
        self._thread = LoopThread()
        try:
            self._thread.call(self._client.__aenter__)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `taskhub.Client.close`."""
        refuse_in_a_loop()
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.call(self._client.close)
            finally:
                thread.stop()

    def pub(self, action: str, payload: Any = None, **options: Any) -> Task:
        """See `taskhub.Client.pub`, with its options."""

        async def there() -> taskhub.Task:
            return self._client.pub(action, payload, **options)

        thread = self._connected()
        return Task(thread.call(there), thread)

    def do(
        self,
        action: str,
        payload: Any = None,
        *,
        default: Any = UNSET,
        timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """See `taskhub.Client.do`."""
        return self.pub(action, payload, **options).result(default=default, timeout=timeout)

    def task(self, task_id: str) -> Task:
        """See `taskhub.Client.task`."""

        async def there() -> taskhub.Task:
            return self._client.task(task_id)

        thread = self._connected()
        return Task(thread.call(there), thread)

    def watch(self, pattern: str) -> Watch:
        """See `taskhub.Client.watch`."""
        thread = self._connected()
        return Watch(thread.call(lambda: self._client.watch(pattern)), thread)

    def unwatch(self, pattern: str) -> None:
        """See `taskhub.Client.unwatch`."""
        self._connected().call(lambda: self._client.unwatch(pattern))

    def get(
        self, task_id: str, what: Literal["payload", "result", "task", "events"] = "task"
    ) -> Any:
        """See `taskhub.Client.get`."""
        return self._connected().call(lambda: self._client.get(task_id, what))

    def sub(
        self,
        action: str,
        *,
        group: bool = False,
        concurrency: int = 1,
        auto_start: bool = True,
        lazy_payload: int | None = None,
    ) -> Callable[[H], H]:
        """See `taskhub.Client.sub`; decorates a plain function, which runs on a thread."""
        subscription = self._client.sub(
            action,
            group=group,
            concurrency=concurrency,
            auto_start=auto_start,
            lazy_payload=lazy_payload,
        )

        def declare(handler: H) -> H:
            pool = ThreadPoolExecutor(concurrency, thread_name_prefix=f"taskhub {action}")

            async def on_a_thread(job: taskhub.Job) -> Any:
                call = functools.partial(handler, Job(job, self._connected()))
                return await asyncio.get_running_loop().run_in_executor(pool, call)

            subscription(on_a_thread)
            return handler

        return declare

    def serve(self, *, drain_timeout: float = DRAIN_TIMEOUT) -> None:
        """See `taskhub.Client.serve`; blocks until a signal, or `stop` from another thread."""
        if self._thread is None:
            with self:
                self.serve(drain_timeout=drain_timeout)
            return
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before[number] = signal.signal(number, lambda *_: self.stop())
        try:
            self._thread.call(
                lambda: self._client.serve(drain_timeout=drain_timeout, handle_signals=False)
            )
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """See `taskhub.Client.stop`. For any thread."""
        if self._thread is not None:
            self._thread.tell(self._client.stop)

    def _connected(self) -> LoopThread:
        if self._thread is None:
            refuse_in_a_loop()
            raise taskhub.ConnectionLost(f"{self!r} is not connected: use it inside `with`.")
        return self._thread
