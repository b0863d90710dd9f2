"""A task, as a service sees it."""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from taskhub._errors import ConnectionLost, Refused
from taskhub._task import Request
from taskhub._wire import Event, command, event_command

log = logging.getLogger("taskhub")

#: Refusals after which this service has nothing more to say to the task.
_GONE: Final = frozenset({"claimed", "task-ended", "unknown-task", "illegal-transition"})
#: The reason of a drop because the service stops.
SHUTDOWN: Final = {"code": "shutdown", "message": "The service is stopping."}
#: Characters of an exception's message that become part of a fail.
_LONGEST_MESSAGE: Final = 4_000


class Drop(Exception):  # noqa: N818 (a signal to the client, as StopIteration is to a loop)
    """Raised by a handler: this service does not do this job; others may."""

    def __init__(self, reason: Any = None) -> None:
        super().__init__(reason)
        self.reason: Any = reason


class Job:
    """One task for one handler. Each method returns once the hub has stored the event.

    `async with job:` does what a handler's return and exceptions do: its end is a success, `Drop`
    a drop, any other exception a fail.
    """

    def __init__(
        self, *, init: Event, report: Request, auto_cancel: bool, over: Callable[["Job"], None]
    ) -> None:
        self.task_id: str = init.task_id
        self.action: str = init.action or ""
        #: The name of the client that published it.
        self.by: str = init.by
        #: When the hub lets the task fail, milliseconds since 1970 by the hub's clock.
        self.deadline: int | None = init.end_deadline
        #: Set when the task is settled elsewhere or cancelled, or its deadline has passed.
        self.cancelled: asyncio.Event = asyncio.Event()
        self._payload = init.value
        self._kept_back = init.payload_size
        self._report = report
        self._auto_cancel = auto_cancel
        self._over = over
        self._begun = False
        self._started = False
        self._done = False
        self._outcome_stored = False
        self._closed = False
        self._last_word: asyncio.Task[None] | None = None
        self._runner: asyncio.Task[None] | None = None
        #: The seq of the last event this connection was sent.
        self.last_seq: int = init.seq

    def __repr__(self) -> str:
        return f"<Job {self.action} {self.task_id}>"

    @property
    def payload(self) -> Any:
        """What was published. Raises RuntimeError for one that has to be fetched."""
        if self._kept_back is not None:
            raise RuntimeError(
                f"The payload of {self!r} has {self._kept_back} bytes, more than lazy_payload: "
                "`await job.get_payload()`."
            )
        return self._payload

    async def get_payload(self) -> Any:
        """What was published, fetched from the hub if it did not come along. Raises Refused."""
        if self._kept_back is not None:
            answer = await self._report(command("get", taskId=self.task_id, what="payload"))
            self._payload, self._kept_back = answer.payload, None
        return self._payload

    @property
    def started(self) -> bool:
        """Whether this service has begun."""
        return self._started

    @property
    def at_work(self) -> bool:
        """The hub may know that it has begun, and nothing of its last word."""
        return self._begun and not self._outcome_stored and not self._closed

    @property
    def done(self) -> bool:
        """This service has said its last word: success, fail or drop."""
        return self._done

    @property
    def closed(self) -> bool:
        """The task failed or ended, or was claimed by another: nothing can be said any more."""
        return self._closed

    # -- what a handler says

    async def start(self) -> None:
        """Say that the work has begun; once is enough. The client does so before the handler."""
        if not self._started:
            await self._say("start")

    async def update(self, value: Any) -> None:
        """Tell everyone of an intermediate value. Raises Refused."""
        self._check_open()
        await self._say("update", update=value)

    async def progress(
        self, done: float, total: float | None = None, message: str | None = None
    ) -> None:
        """An update `{"done", "total", "message"}`, which views show as a bar."""
        given = {"done": done, "total": total, "message": message}
        await self.update({name: value for name, value in given.items() if value is not None})

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

    async def __aenter__(self) -> "Job":
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if exc is None:
            await self.conclude_with_value(None)
            return False
        if isinstance(exc, Exception):
            await self.conclude_with_error(exc)
            return True
        if isinstance(exc, asyncio.CancelledError):
            await self.abandon()
        return False

    # -- what the client says for it

    async def conclude_with_value(self, value: Any) -> None:
        """The handler has returned: success, unless it has said something else."""
        if not self._done and not self._closed:
            try:
                await self.success(value)
            except ConnectionLost:
                raise
            except Exception as error:
                if self._closed:
                    raise
                # A result that is too big or no JSON must not leave the task hanging.
                await self.conclude_with_error(error)

    async def conclude_with_error(self, error: Exception) -> None:
        """The handler has raised: a drop or a fail, unless it has said its last word."""
        if self._done or self._closed:
            log.debug("%r ended with %r after its outcome", self, error)
        elif isinstance(error, Drop):
            await self.drop(error.reason)
        else:
            log.info("%r failed", self, exc_info=error)
            await self.fail({"type": type(error).__name__, "message": _sendable(str(error))})

    async def abandon(self, reason: Any = None) -> None:
        """The handler was cancelled: a drop, unless its last word is on the way already."""
        try:
            if self._last_word is not None:
                await asyncio.shield(self._last_word)
            elif not self._closed:
                await self.drop(SHUTDOWN if reason is None else reason)
        except (Refused, ConnectionLost) as error:
            log.debug("%r was not dropped: %s", self, error)

    # -- from the session

    def run_by(self, runner: asyncio.Task[None]) -> None:
        """Name the asyncio task to cancel when the job ends elsewhere."""
        self._runner = runner

    def receive(self, event: Event) -> None:
        """From the read loop: one event of this task, in order."""
        self.last_seq = max(self.last_seq, event.seq)
        if event.kind in {"fail", "end"}:
            self.close()
        elif event.kind == "success" and not self._done:
            self.cancelled.set()
            if self._auto_cancel:
                self._cancel_handler()

    def close(self) -> None:
        """The task is over: the handler has nothing to do any more."""
        if self._closed:
            return
        self._closed = True
        if not self._done:
            self.cancelled.set()
            # A handler that has finished its job is left alone: it may still be tidying up.
            self._cancel_handler()
        self._over(self)

    def _cancel_handler(self) -> None:
        if self._runner is not None:
            self._runner.cancel()

    def _check_open(self) -> None:
        if self._done:
            raise RuntimeError(f"{self!r} has said its last word; nothing can follow.")

    async def _finish(self, kind: str, **fields: Any) -> None:
        self._check_open()
        # Before it is sent: a fail of this job must not cancel the handler that reports it.
        self._done = True
        # A task of its own: a handler that is cancelled now has finished nevertheless.
        saying = self._say_last(kind, **fields)
        self._last_word = asyncio.create_task(saying, name=f"{kind} of {self!r}")
        await asyncio.shield(self._last_word)

    async def _say_last(self, kind: str, **fields: Any) -> None:
        try:
            await self._say(kind, **fields)
        except BaseException:
            self._done, self._last_word = False, None
            raise
        self._outcome_stored = True
        self._over(self)

    async def _say(self, kind: str, **fields: Any) -> None:
        self._begun = True
        try:
            await self._report(event_command(kind, self.task_id, **fields))
        except Refused as refused:
            if refused.code in _GONE:
                self.close()
            raise
        self._started = True


def _sendable(text: str) -> str:
    """A message that surely can be sent: of bounded length, without unpaired surrogates."""
    return text[:_LONGEST_MESSAGE].encode("utf-8", "replace").decode("utf-8")
