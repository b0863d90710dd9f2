"""A task, as a service sees it."""

import asyncio
from typing import Any, Final

from taskhub._errors import Refused
from taskhub._task import Request
from taskhub._wire import Event, event_command

#: Refusals after which this service has nothing more to say to the task.
_GONE: Final = frozenset({"claimed", "task-ended", "unknown-task", "illegal-transition"})


class Drop(Exception):  # noqa: N818 (a signal to the client, as StopIteration is to a loop)
    """Raised by a handler: this service does not do this job; others may."""

    def __init__(self, reason: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason


class Job:
    """One task for one handler. Each method returns once the hub has stored the event."""

    def __init__(self, *, init: Event, request: Request) -> None:
        self.task_id = init.task_id
        self.action = init.action or ""
        self.payload = init.value
        #: The name of the client that published it.
        self.by = init.by
        self._request = request
        self._started = False
        self._done = False
        self._closed = False
        self._runner: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Job {self.action} {self.task_id}>"

    @property
    def done(self) -> bool:
        """This service has said its last word: success, fail or drop."""
        return self._done

    @property
    def closed(self) -> bool:
        """The task failed or ended, or was claimed by another: nothing can be said any more."""
        return self._closed

    async def start(self) -> None:
        """Say that the work has begun. The client does so before it calls the handler."""
        if not self._started:
            await self._say("start")
            self._started = True

    async def update(self, value: Any) -> None:
        """Tell everyone of an intermediate value. Raises Refused."""
        await self._say("update", update=value)

    async def success(self, value: Any = None) -> None:
        """Finish with this result. A handler may go on afterwards, but not say more."""
        await self._finish("success", result=value)

    async def fail(self, reason: Any) -> None:
        """Finish without a result. The reason may be any JSON value."""
        await self._finish("fail", reason=reason)

    async def drop(self, reason: Any = None) -> None:
        """Leave the job to others, and say why if there is a reason."""
        fields = {} if reason is None else {"reason": reason}
        await self._finish("drop", **fields)

    def run_by(self, runner: asyncio.Task[None]) -> None:
        """Name the asyncio task to cancel when the job ends elsewhere."""
        self._runner = runner

    def receive(self, event: Event) -> None:
        """From the read loop: one event of this task, in order."""
        if event.kind not in {"fail", "end"} or self._closed:
            return
        self._closed = True
        # A handler that has finished its job is left alone: it may still be tidying up.
        if self._runner is not None and not self._done:
            self._runner.cancel()

    async def _finish(self, kind: str, **fields: Any) -> None:
        # Before it is sent: a fail of this job must not cancel the handler that reports it.
        self._done = True
        try:
            await self._say(kind, **fields)
        except BaseException:
            self._done = False
            raise

    async def _say(self, kind: str, **fields: Any) -> None:
        try:
            await self._request(event_command(kind, self.task_id, **fields))
        except Refused as refused:
            self._closed = self._closed or refused.code in _GONE
            raise
