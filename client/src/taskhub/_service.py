"""Handlers and the jobs they run: each in an asyncio task of its own, so many at a time."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from taskhub._errors import ConnectionLost, Refused
from taskhub._job import Drop, Job

log = logging.getLogger("taskhub")

Handler = Callable[[Job], Awaitable[Any]]

#: Jobs of one service that wait for a free place. A job that finds the queue full fails.
WAITING_JOBS: Final = 1_000
#: Seconds that cancelled handlers get to tidy up.
_TIDY_UP: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `@client.sub` declares."""

    pattern: str
    handler: Handler
    group: bool
    concurrency: int


class Worker:
    """Runs the jobs of one service on one connection."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[Job] = deque()
        self._stopped = False

    def accept(self, job: Job) -> None:
        """Run the job now or when there is room."""
        if len(self._running) < self.service.concurrency:
            self._spawn(job, self.service.handler)
        elif len(self._waiting) < WAITING_JOBS:
            self._waiting.append(job)
        else:
            log.warning("%r fails: %d jobs are waiting already", job, WAITING_JOBS)
            self._spawn(job, _refuse)

    async def stop(self) -> None:
        """Cancel all handlers and wait for them, but not for ever."""
        self._stopped = True
        self._waiting.clear()
        for runner in self._running:
            runner.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_TIDY_UP)

    def _spawn(self, job: Job, handler: Handler) -> None:
        runner = asyncio.create_task(run_job(job, handler), name=f"{job!r}")
        job.run_by(runner)
        self._running.add(runner)
        runner.add_done_callback(self._finished)

    def _finished(self, runner: asyncio.Task[None]) -> None:
        self._running.discard(runner)
        if not runner.cancelled() and (error := runner.exception()) is not None:
            log.error("%s broke", runner.get_name(), exc_info=error)
        if self._stopped:
            return
        while self._waiting and len(self._running) < self.service.concurrency:
            job = self._waiting.popleft()
            if not job.closed:
                self._spawn(job, self.service.handler)


async def _refuse(_job: Job) -> None:
    raise OverflowError(f"{WAITING_JOBS} jobs are waiting already")


async def run_job(job: Job, handler: Handler) -> None:
    """One job from its start to its outcome, whatever the handler does."""
    try:
        await job.start()
        await _work(job, handler)
    except Refused as refused:
        # Claimed by another, or over before it began: usual, and nothing is left to say.
        log.debug("%r was refused: %s", job, refused)
    except ConnectionLost:
        log.debug("%r was cut off", job)


async def _work(job: Job, handler: Handler) -> None:
    try:
        value = await handler(job)
        if not job.done:
            # In here, as a result that is too big or no JSON must not leave the task hanging.
            await job.success(value)
    except Drop as drop:
        if not job.done:
            await job.drop(drop.reason)
    except Exception as error:
        # Whatever it is becomes the task's reason.
        if job.closed or job.done:
            log.debug("%r ended with %r after its outcome", job, error)
            return
        log.info("%r failed", job, exc_info=error)
        await job.fail({"type": type(error).__name__, "message": str(error)})
