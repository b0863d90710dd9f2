"""A published task, as its publisher sees it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from taskhub._errors import TaskFailed, TaskHubError
from taskhub._mailbox import Mailbox
from taskhub._wire import Event, Message, command

Request = Callable[[dict[str, Any]], Awaitable[Message]]

#: Events kept for a publisher that has not iterated over them yet.
UNREAD_EVENTS: Final = 1_000


class Task:
    """Handle of a published task: `async for event in task` gives its events until the end."""

    def __init__(self, *, task_id: str, action: str, request: Request) -> None:
        self.task_id = task_id
        self.action = action
        self._request = request
        self._events: Mailbox[Event] = Mailbox(bound=UNREAD_EVENTS, what=f"Events of {task_id}")
        self._outcome: Event | None = None
        self._error: TaskHubError | None = None
        self._settled = asyncio.Event()
        self._over = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Task {self.action} {self.task_id}>"

    def __aiter__(self) -> "Task":
        return self

    async def __anext__(self) -> Event:
        return await self._events.next()

    async def result(self) -> Any:
        """The result, as soon as there is one. Raises TaskFailed or ConnectionLost."""
        await self._settled.wait()
        if self._outcome is None:
            raise self._lost()
        if self._outcome.kind == "fail":
            raise TaskFailed(self._outcome.value, action=self.action, task_id=self.task_id)
        return self._outcome.value

    async def ended(self) -> None:
        """Return when nothing more can happen to the task. Raises ConnectionLost."""
        await self._over.wait()
        if self._error is not None:
            raise self._lost()

    async def cancel(self, reason: Any = None) -> None:
        """Cancel the task: it fails with the code `cancelled`. Raises Refused if it has ended."""
        await self._request(command("cancel", taskId=self.task_id, reason=reason))

    def receive(self, event: Event) -> None:
        """From the read loop: one event of this task, in order."""
        self._events.put(event)
        if event.kind in {"success", "fail"}:
            self._outcome = event
            self._settled.set()
        if event.kind == "end":
            self._events.end()
            self._settled.set()
            self._over.set()

    def lose(self, error: TaskHubError) -> None:
        """From the read loop: the connection is gone, the task may well go on."""
        if not self._over.is_set():
            self._error = error
            self._events.end(error)
            self._settled.set()
            self._over.set()

    def _lost(self) -> TaskHubError:
        return self._error or TaskHubError(f"{self!r} ended, and its outcome was never told.")
