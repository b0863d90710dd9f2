"""Handlers and the jobs they run: each in an asyncio task of its own, so many at a time."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from taskhub._errors import ConnectionLost, Refused, TaskHubError
from taskhub._job import Job
from taskhub._wire import command

log = logging.getLogger("taskhub")

Handler = Callable[[Job], Awaitable[Any]]
H = TypeVar("H", bound=Handler)

#: Jobs of one service that wait for a free place. A job that finds the queue full fails.
WAITING_JOBS: Final = 1_000
#: Seconds that cancelled handlers get to tidy up.
_TIDY_UP: Final = 5.0


class Subscription:
    """What `client.sub` makes: a decorator of handlers, or an async iterator of jobs."""

    def __init__(
        self,
        *,
        pattern: str,
        group: bool,
        concurrency: int,
        auto_start: bool,
        lazy_payload: int | None,
        auto_cancel: bool,
        declare: Callable[["Subscription"], None],
        subscribe: Callable[[], Awaitable[None]],
        unsubscribe: Callable[["Subscription"], Awaitable[None]],
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; at least 1 job must be able to run.")
        self.pattern: str = pattern
        self.group: bool = group
        self.concurrency: int = concurrency
        self.auto_start: bool = auto_start
        self.lazy_payload: int | None = lazy_payload
        self.auto_cancel: bool = auto_cancel
        #: None: its jobs are iterated over.
        self.handler: Handler | None = None
        self._declare = declare
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self.worker: Worker = Worker(self)

    def __repr__(self) -> str:
        return f"<Subscription {self.pattern}>"

    def __call__(self, handler: H) -> H:
        """Declare a handler; what it returns is the result of the job."""
        self.handler = handler
        self._declare(self)
        return handler

    async def __aiter__(self) -> AsyncIterator[Job]:
        """The jobs, started unless auto_start is off, at the pace of the loop; see `Job`.

        Leaving the loop ends the subscription; jobs that were not handed out are dropped.
        """
        self._declare(self)
        try:
            await self._subscribe()
            async for job in self.worker.jobs():
                if self.auto_start:
                    try:
                        await job.start()
                    except Refused as refused:
                        log.debug("%r was refused: %s", job, refused)
                        continue
                yield job
        finally:
            await self._unsubscribe(self)

    def command(self) -> dict[str, Any]:
        """The `sub` command."""
        return command(
            "sub",
            action=self.pattern,
            group=self.group or None,
            lazyPayload=self.lazy_payload,
        )


class Worker:
    """Runs, or hands out, the jobs of one subscription."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[Job] = deque()
        self._stopped = False
        self._error: TaskHubError | None = None
        self._changed = asyncio.Event()

    def restart(self) -> None:
        """Take jobs again, after the client was entered again."""
        self._stopped, self._error = False, None

    def accept(self, job: Job) -> None:
        """Run the job now or when there is room."""
        handler = self._subscription.handler
        if handler is not None and len(self._running) < self._subscription.concurrency:
            self._spawn(job, handler)
        elif len(self._waiting) < WAITING_JOBS:
            self._waiting.append(job)
            self._changed.set()
        else:
            log.warning("%r fails: %d jobs are waiting already", job, WAITING_JOBS)
            self._spawn(job, _refuse)

    async def jobs(self) -> AsyncIterator[Job]:
        """The jobs that wait, as they come, until the worker stops."""
        while True:
            while self._waiting:
                if not (job := self._waiting.popleft()).closed:
                    yield job
            if self._stopped:
                if self._error is not None:
                    raise self._error
                return
            self._changed.clear()
            await self._changed.wait()

    async def drain(self, seconds: float) -> None:
        """Let what runs finish, for so long, and begin nothing more."""
        self._stopped = True
        self._changed.set()
        waiting, self._waiting = list(self._waiting), deque()
        if not self._subscription.group:
            # Of a group another connection gets it, once this one is closed (§5.6).
            await asyncio.gather(*(job.abandon() for job in waiting))
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def stop(self, error: TaskHubError | None = None) -> None:
        """Cancel all handlers and wait for them, but not for ever. The jobs become drops."""
        self._error = error
        self._stopped = True
        self._changed.set()
        self._waiting.clear()
        for runner in self._running:
            runner.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_TIDY_UP)

    def _spawn(self, job: Job, handler: Handler) -> None:
        auto_start = self._subscription.auto_start
        runner = asyncio.create_task(run_job(job, handler, auto_start=auto_start), name=f"{job!r}")
        job.run_by(runner)
        self._running.add(runner)
        runner.add_done_callback(self._finished)

    def _finished(self, runner: asyncio.Task[None]) -> None:
        self._running.discard(runner)
        if not runner.cancelled() and (error := runner.exception()) is not None:
            log.error("%s broke", runner.get_name(), exc_info=error)
        handler = self._subscription.handler
        while (
            handler is not None
            and not self._stopped
            and self._waiting
            and len(self._running) < self._subscription.concurrency
        ):
            job = self._waiting.popleft()
            if not job.closed:
                self._spawn(job, handler)


async def _refuse(_job: Job) -> None:
    raise OverflowError(f"{WAITING_JOBS} jobs are waiting already")


async def run_job(job: Job, handler: Handler, *, auto_start: bool) -> None:
    """One job from its start to its outcome, whatever the handler does."""
    try:
        if auto_start:
            await job.start()
        await _work(job, handler)
    except Refused as refused:
        # Claimed by another, or over before it began: usual, and nothing is left to say.
        log.debug("%r was refused: %s", job, refused)
    except ConnectionLost:
        log.debug("%r was cut off", job)
    except asyncio.CancelledError:
        await job.abandon()
        raise


async def _work(job: Job, handler: Handler) -> None:
    try:
        value = await handler(job)
    except Exception as error:  # noqa: BLE001 (whatever it is becomes the task's reason)
        await job.conclude_with_error(error)
    else:
        await job.conclude_with_value(value)
