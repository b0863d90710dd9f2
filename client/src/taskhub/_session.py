"""One connection: commands and their replies, and the read loop that tells everyone."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from taskhub._errors import ConnectionLost, Refused
from taskhub._job import Job
from taskhub._patterns import covers
from taskhub._service import Worker
from taskhub._task import Task
from taskhub._watch import Watch
from taskhub._wire import Event, Message, command_encode, message_decode

log = logging.getLogger("taskhub")

_UNREADABLE = 1002


class Session:
    """A connection that has been welcomed. Nothing in its read loop waits for a handler."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._replies: dict[str, asyncio.Future[Message | ConnectionLost]] = {}
        self._tasks: dict[str, Task] = {}
        self._jobs: dict[str, Job] = {}
        self._watches: dict[str, Watch] = {}
        self._actions: dict[str, str] = {}
        self._workers: list[Worker] = []
        self._closing = False
        self._notice = ""
        self._lost: ConnectionLost | None = None
        self._reader = asyncio.create_task(self._read(), name="taskhub read loop")

    # -- what the client asks for

    async def request(self, command: dict[str, Any]) -> Message:
        """Send a command and wait for its answer. Raises Refused or ConnectionLost."""
        frame = command_encode(command)
        if self._lost is not None:
            raise self._lost
        reply: asyncio.Future[Message | ConnectionLost] = asyncio.Future()
        self._replies[command["id"]] = reply
        try:
            # A closed connection is reported by the read loop, which knows why it closed.
            try:
                await self._connection.send(frame, text=True)
            except ConnectionClosed:
                log.debug("sent nothing: the connection is closed")
            answer = await reply
        finally:
            del self._replies[command["id"]]
        if isinstance(answer, ConnectionLost):
            raise answer
        if answer.status == "error":
            raise answer.as_refusal()
        return answer

    async def publish(self, task: Task, init: dict[str, Any]) -> None:
        """Send an init; its events go to the task from the first on."""
        if task.task_id in self._tasks:
            raise Refused("duplicate-task", f"{task!r} is running on this very connection.")
        self._tasks[task.task_id] = task
        try:
            await self.request(init)
        except BaseException:
            del self._tasks[task.task_id]
            raise

    async def watch(self, watch: Watch, command: dict[str, Any]) -> None:
        """Begin to watch; the first event may arrive before the answer does."""
        if watch.pattern in self._watches:
            raise Refused("bad-field", f"{watch.pattern} is watched on this connection already.")
        self._watches[watch.pattern] = watch
        try:
            await self.request(command)
        except BaseException:
            del self._watches[watch.pattern]
            raise

    def unwatched(self, pattern: str) -> None:
        """The watch is over, and so is its iterator."""
        if (watch := self._watches.pop(pattern, None)) is not None:
            watch.end()
        if not self._watches:
            # The ends of the tasks that were only watched will not be heard.
            kept = self._tasks.keys() | self._jobs.keys()
            self._actions = {task: self._actions[task] for task in kept & self._actions.keys()}

    async def serve(self, worker: Worker, command: dict[str, Any]) -> None:
        """Subscribe; open tasks may arrive before the answer does."""
        self._workers.append(worker)
        try:
            await self.request(command)
        except BaseException:
            self._workers.remove(worker)
            raise

    async def wait_closed(self) -> None:
        """Return when this side has closed the connection; raises ConnectionLost otherwise."""
        await asyncio.shield(self._reader)
        if self._lost is not None and not self._closing:
            raise self._lost

    async def close(self) -> None:
        """Stop the handlers, then close. What waits on this connection gets ConnectionLost."""
        self._closing = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        await self._connection.close()
        await self._reader

    # -- what the hub tells

    async def _read(self) -> None:
        try:
            async for frame in self._connection:
                self._dispatch(message_decode(frame))
        except ConnectionClosed:
            pass
        except msgspec.DecodeError as error:
            self._notice = f"This client cannot read a message of the hub: {error}."
            await self._connection.close(_UNREADABLE)
        finally:
            await self._end(self._why_closed())

    def _dispatch(self, message: Message) -> None:
        if message.event is not None and message.status != "error":
            self._tell(message.as_event(self._actions.get(message.task_id or "")))
        reply = self._replies.get(message.answers or "")
        if reply is not None and not reply.done():
            reply.set_result(message)
        elif message.status == "error":
            # Not about a command: usually why the hub is about to close the connection.
            self._notice = message.message
            log.warning("The hub says: %s", message.message)

    def _tell(self, event: Event) -> None:
        if event.kind == "init" and event.action is not None:
            self._actions[event.task_id] = event.action
            self._offer(event)
        if (task := self._tasks.get(event.task_id)) is not None:
            task.receive(event)
        if (job := self._jobs.get(event.task_id)) is not None:
            job.receive(event)
        for watch in self._watches.values():
            watch.receive(event)
        if event.kind == "end":
            self._actions.pop(event.task_id, None)
            self._tasks.pop(event.task_id, None)
            self._jobs.pop(event.task_id, None)

    def _offer(self, init: Event) -> None:
        # The hub delivers a task once to a connection, however many of its subscriptions cover
        # the action: the handler that was declared first gets it.
        if init.task_id in self._jobs or init.action is None:
            return
        for worker in self._workers:
            if covers(worker.service.pattern, init.action):
                self._jobs[init.task_id] = job = Job(init=init, request=self.request)
                worker.accept(job)
                return

    # -- the end

    def _why_closed(self) -> ConnectionLost:
        code, reason = self._connection.close_code, self._connection.close_reason
        if self._closing:
            return ConnectionLost("The client was closed.", code=code)
        said: Iterable[str] = filter(None, (self._notice, reason))
        return ConnectionLost(
            " ".join((f"The connection to the hub was lost ({code}).", *said)), code=code
        )

    async def _end(self, error: ConnectionLost) -> None:
        self._lost = error
        for reply in self._replies.values():
            if not reply.done():
                reply.set_result(error)
        for task in self._tasks.values():
            task.lose(error)
        for watch in self._watches.values():
            watch.end(None if self._closing else error)
        await asyncio.gather(*(worker.stop() for worker in self._workers))
