"""What a program holds in its hand."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, TypeVar

from taskhub._address import address_find
from taskhub._connect import connection_open
from taskhub._errors import ConnectionLost
from taskhub._service import Handler, Service, Worker
from taskhub._session import Session
from taskhub._task import Task
from taskhub._watch import Watch
from taskhub._wire import READABLE, command, event_command, new_id

H = TypeVar("H", bound=Handler)


class Client:
    """A client of a hub; `async with` connects it and subscribes its handlers.

    Without arguments the address comes from TASKHUB_URL, TASKHUB_NAME and TASKHUB_KEY; name and
    key may also stand in the URL. Raises ConfigurationError when one is missing.
    """

    def __init__(
        self, url: str | None = None, *, name: str | None = None, key: str | None = None
    ) -> None:
        self._address = address_find(url, name, key)
        self._services: list[Service] = []
        self._serving: set[int] = set()
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"Client({self._address.url!r}, name={self._address.name!r})"

    async def __aenter__(self) -> "Client":
        if self._session is not None:
            raise RuntimeError(f"{self!r} is connected already.")
        self._session = Session(await connection_open(self._address))
        try:
            await self._subscribe(self._session)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def pub(
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
        """Publish a task; returns once the hub has stored it. Timeouts are seconds.

        Options left None are the hub's to choose (docs/protocol.md §4.2). Raises Refused,
        ConnectionLost, and TypeError for a payload that JSON cannot express.
        """
        session = self._connected()
        task = Task(task_id=task_id or new_id(), action=action, request=session.request)
        options = {
            "startTimeout": _milliseconds(start_timeout),
            "endTimeout": _milliseconds(end_timeout),
            "expect": expect,
            "settle": settle,
            "claim": claim,
        }
        given = {name: value for name, value in options.items() if value is not None}
        init = event_command("init", task.task_id, action=action, payload=payload, **given)
        await session.publish(task, init)
        return task

    def sub(self, action: str, *, group: bool = False, concurrency: int = 1) -> Callable[[H], H]:
        """Declare the decorated async function as the handler of an action or a pattern.

        `group`: each task goes to one connection of this client only. `concurrency`: how many
        jobs run at a time. What is declared while connected is subscribed by `serve`.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; at least 1 job must be able to run.")

        def declare(handler: H) -> H:
            self._services.append(
                Service(pattern=action, handler=handler, group=group, concurrency=concurrency)
            )
            return handler

        return declare

    async def serve(self) -> None:
        """Serve until cancelled or closed from this side; raises ConnectionLost otherwise."""
        session = self._connected()
        await self._subscribe(session)
        await session.wait_closed()

    async def watch(self, pattern: str) -> Watch:
        """The events, from now on, of all tasks whose action the pattern names. Raises Refused."""
        watch = Watch(pattern)
        await self._connected().watch(watch, command("watch", action=pattern))
        return watch

    async def unwatch(self, pattern: str) -> None:
        """End a watch: its iterator stops after what has arrived."""
        session = self._connected()
        await session.request(command("unwatch", action=pattern))
        session.unwatched(pattern)

    async def get(
        self, task_id: str, what: Literal["payload", "result", "task", "events"] = "task"
    ) -> Any:
        """What the hub has stored of a task. Raises Refused."""
        if what not in READABLE:
            raise ValueError(f"what is {what!r}; accepted are {', '.join(READABLE)}.")
        reply = await self._connected().request(command("get", taskId=task_id, what=what))
        return getattr(reply, what)

    def _connected(self) -> Session:
        if self._session is None:
            raise ConnectionLost(f"{self!r} is not connected: use it inside `async with`.")
        return self._session

    async def _subscribe(self, session: Session) -> None:
        for index, service in enumerate(self._services):
            if index not in self._serving:
                group = service.group or None
                subscribe = command("sub", action=service.pattern, group=group)
                await session.serve(Worker(service), subscribe)
                self._serving.add(index)

    async def _close(self) -> None:
        session, self._session = self._session, None
        self._serving.clear()
        if session is not None:
            await session.close()


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
