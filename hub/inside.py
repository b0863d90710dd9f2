"""Connections without a socket: how people, and programs over HTTP, put a command into the hub.

Each is made for one command and lives until its answer, or until the end of the task it waits
for. It sends the frames a client would send, hears what a client would hear, is offered nothing,
and nobody sees it.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from hub.core.access import Access, access
from hub.core.errors import Code, Rejection
from hub.core.inputs import OperatorCancel
from hub.core.task import Task
from hub.core.values import HUB, Body, TaskState, Token
from hub.counts import traffic
from hub.crossing import GOING_AWAY
from hub.journal.port import JournalFailed
from hub.logs import logger
from hub.pipeline import Pipeline
from hub.protocol import asking
from hub.protocol.asking import Answer
from hub.recovery import CHECK_DISK
from hub.router.port import Outgoing

log = logger(__name__)

#: How long an answer may take: a commit that takes longer is one of a disk that is ill.
ANSWER_TIMEOUT_S = 20.0
#: Threads that wait for the end of a task, of all clients and of one; one more is answered at once.
MAX_WAITING = 64
MAX_WAITING_OF_CLIENT = 16

_TOO_SLOW = (
    "The hub has not stored this in time, and may do so yet; send it again with the same ids."
)


class Inbox:
    """What one such connection hears. Part of ``Sink``."""

    v1 = True
    frames = 0
    unsent = 0

    def __init__(self, task_id: str) -> None:
        self.connection = secrets.token_hex(8)
        self.token = Token("")  # nobody resumes it
        self.lazy_payload: int | None = None
        self._task_id = task_id
        self._loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[Answer] = self._loop.create_future()
        #: whether the task has ended; False: nobody will tell any more
        self.ended: asyncio.Future[bool] = self._loop.create_future()

    def send(self, messages: Outgoing) -> None:
        """Part of ``Sink``."""
        for message in map(asking.read, messages.texts):
            # Of a frame nested too deep not even the id was read.
            answers = message.id == asking.ASKED or message.status == "error"
            if answers and not self.answered.done():
                self.answered.set_result(message)
            if message.ends(self._task_id) and not self.ended.done():
                self.ended.set_result(True)

    async def room(self) -> None:
        """Part of ``Sink``: it keeps nothing, so there is always room."""

    def bad_frame(self) -> None:
        """Part of ``Sink``: counted where the frame came from, if anywhere."""

    def close(self, code: int) -> None:  # noqa: ARG002
        """Part of ``Sink``: nothing more will be heard."""
        self.wait_no_more()
        self.answered.cancel()

    @property
    def has_ended(self) -> bool:
        """Whether the end of the task has been heard."""
        return self.ended.done() and self.ended.result()

    def wait_no_more(self) -> None:
        """Let go of who waits for the end of the task."""
        if not self.ended.done():
            self.ended.set_result(False)


class Inside:
    """All such connections of this process. Lives on the hub's loop."""

    def __init__(self, pipeline: Pipeline, max_frame_bytes: int) -> None:
        self._pipeline = pipeline
        self._max_frame_bytes = max_frame_bytes
        self._open: set[Inbox] = set()
        #: client → how many of its commands wait
        self._waiting: Counter[str] = Counter()
        self._draining = False

    async def publish(
        self,
        rights: Access,
        frame: str,
        *,
        task_id: str,
        may_repeat: bool,
        wait_s: float = 0,
        whatever_size: bool = False,
    ) -> tuple[bool, bool]:
        """Send an init; whether it was a repeat, and whether the task has ended by then.

        ``may_repeat``: its ids were given, not made just now. Raises Rejection.
        """
        with self._connection(rights, task_id) as inbox:
            await self._ask(inbox, frame, whatever_size=whatever_size)
            stored = await self._first(inbox, task_id) if may_repeat else None
            if stored is not None and stored.state is TaskState.END:
                return True, True
            ended = inbox.has_ended
            if wait_s > 0 and not ended and self._may_wait(rights.client):
                with self._one_waits(rights.client):
                    ended = await self._end(inbox, task_id, stored, wait_s)
            return stored is not None, ended

    async def cancel(self, rights: Access, frame: str, *, task_id: str) -> None:
        """Send a cancel of the publisher. Raises Rejection."""
        with self._connection(rights, task_id) as inbox:
            await self._ask(inbox, frame)

    async def operator_cancel(self, operator: str, task_id: str, reason: Body | None) -> None:
        """Cancel as an operator. Raises Rejection."""
        with self._connection(access(HUB), task_id) as inbox:
            command = OperatorCancel(
                connection=inbox.connection,
                command_id=asking.ASKED,
                task_id=task_id,
                operator=operator,
                reason=reason,
            )
            await self._answer(inbox, self._pipeline.cancel(command))

    async def load(self, task_id: str) -> Task | None:
        """A task as its rows tell. Raises Rejection."""
        try:
            return await self._pipeline.reader.load(task_id)
        except JournalFailed as failed:
            log.warning("task_not_read", task_id=task_id, cause=str(failed), help=CHECK_DISK)
            raise Rejection(
                Code.UNAVAILABLE, "The history cannot be read now; try again in a moment."
            ) from None

    def stop_waiting(self) -> None:
        """The hub is about to stop: nobody waits for the end of a task any more."""
        self._draining = True
        for inbox in self._open:
            inbox.wait_no_more()

    def close(self) -> None:
        """Nothing is decided any more: who has no answer yet gets none."""
        self.stop_waiting()
        for inbox in self._open:
            inbox.close(0)

    @contextmanager
    def _connection(self, rights: Access, task_id: str) -> Iterator[Inbox]:
        if self._draining:
            raise Rejection(Code.UNAVAILABLE, GOING_AWAY)
        inbox = Inbox(task_id)
        self._open.add(inbox)
        self._pipeline.connect(inbox, rights, None)
        try:
            yield inbox
        finally:
            self._open.discard(inbox)
            self._pipeline.disconnect(inbox.connection)

    async def _ask(self, inbox: Inbox, frame: str, *, whatever_size: bool = False) -> None:
        if not whatever_size and len(frame.encode()) > self._max_frame_bytes:
            traffic.limits["max_frame_bytes"] += 1
            raise Rejection(
                Code.TOO_BIG,
                f"This is more than a frame may hold; the limit is {self._max_frame_bytes} bytes.",
                limit="max_frame_bytes",
            )
        await self._answer(inbox, self._pipeline.receive(inbox, frame))

    async def _answer(self, inbox: Inbox, pending: Awaitable[None] | None) -> None:
        """Wait until all that the command led to is durable. Raises Rejection."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                if pending is not None:
                    await pending
                answer = await asyncio.shield(inbox.answered)
        except TimeoutError:
            raise Rejection(Code.UNAVAILABLE, _TOO_SLOW) from None
        except asyncio.CancelledError:
            if not inbox.answered.cancelled():
                raise
            raise Rejection(Code.UNAVAILABLE, GOING_AWAY) from None
        answer.check()

    async def _first(self, inbox: Inbox, task_id: str) -> Task | None:
        """The task, if it had been published before, on another connection."""
        task = await self.load(task_id)
        if task is None or task.init.created is None:
            return None
        return None if task.init.created.connection == inbox.connection else task

    def _may_wait(self, client: str) -> bool:
        return (
            not self._draining
            and self._waiting.total() < MAX_WAITING
            and self._waiting[client] < MAX_WAITING_OF_CLIENT
        )

    @contextmanager
    def _one_waits(self, client: str) -> Iterator[None]:
        self._waiting[client] += 1
        try:
            yield
        finally:
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]

    async def _end(self, inbox: Inbox, task_id: str, again: Task | None, wait_s: float) -> bool:
        """Wait for the end of a task, for so long; whether it has come."""
        try:
            async with asyncio.timeout(wait_s):
                if again is not None:  # its publisher may listen elsewhere
                    pending = self._pipeline.receive(inbox, asking.watch(task_id, again.seq))
                    if pending is not None:
                        await pending
                return await asyncio.shield(inbox.ended)
        except TimeoutError:
            return inbox.has_ended
