"""A hub in memory, so that a service is tested without a server.

    from taskhub.testing import taskhub_hub  # a pytest fixture

    async def test_my_service(taskhub_hub):
        async with taskhub_hub.client("service") as service, taskhub_hub.client("caller") as caller:
            ...

It listens on a free port of this machine, on a thread of its own. Where the server is installed
too, it is the server's own core with a journal in memory; elsewhere a fake that tells the same
stories: events, groups, claims, `settle`, deadlines, watches, but no `resume`. Everybody may do
everything, and nothing is stored.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.typing import Subprotocol

import taskhub
import taskhub.sync
from taskhub._address import basic_name
from taskhub._fake_tasks import FakeTask, Part, Rejected
from taskhub._loop_thread import LoopThread
from taskhub._patterns import covers
from taskhub._server_core import ServerCore, server_core
from taskhub._wire import READABLE, SUBPROTOCOL, new_id

__all__ = ["Hub", "taskhub_hub"]

_SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ACTION: Final = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*:{_SEGMENT}")
_ERRORS: Final = {
    "bad-command": "TypeError",
    "missing-field": "TypeError",
    "bad-action": "RangeError",
    "bad-event": "RangeError",
}
_EVENTS: Final = ("start", "update", "drop", "success", "fail", "end")


class _Connection:
    """One client's connection."""

    def __init__(self, socket: ServerConnection) -> None:
        self.id = new_id()
        self.client = _name_of(socket)
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.watches: set[str] = set()
        self.outbox: asyncio.Queue[str] = asyncio.Queue()

    def send(self, message: dict[str, Any]) -> None:
        self.outbox.put_nowait(json.dumps(message))


def _name_of(socket: ServerConnection) -> str:
    headers = socket.request.headers if socket.request else Headers()
    return basic_name(headers.get("Authorization", ""))


class Hub:
    """A hub; a context manager. `url` is there once it is entered."""

    def __init__(
        self,
        *,
        start_timeout: float = 1.0,
        end_timeout: float = 60.0,
        grace: float = 1.0,
        fake: bool = False,
    ) -> None:
        #: The fake also where the server is installed.
        self.fake: bool = fake
        self._core: ServerCore | None = None
        #: Seconds, where an init does not say otherwise; and those a lost service may take.
        self.start_timeout: float = start_timeout
        self.end_timeout: float = end_timeout
        self.grace: float = grace
        self.url: str = ""
        self._tasks: dict[str, FakeTask] = {}
        self._connections: dict[str, _Connection] = {}
        self._publishers: dict[str, str] = {}
        self._answering: tuple[_Connection, str | None, str | None] | None = None
        self._thread: LoopThread | None = None
        self._server: Server | None = None

    def client(self, name: str) -> taskhub.Client:
        """A client of it, not connected yet."""
        return taskhub.Client(self.url, name=name, key="any")

    def sync_client(self, name: str) -> taskhub.sync.Client:
        """The same without await."""
        return taskhub.sync.Client(self.url, name=name, key="any")

    def cut(self) -> None:
        """Break every connection without a word, as a bad network does."""

        def there() -> None:
            for socket in list(self._server.connections if self._server else ()):
                socket.transport.abort()

        assert self._thread is not None
        self._thread.tell(there)

    def __enter__(self) -> "Hub":
        self._thread = LoopThread()
        self._thread.call_anywhere(self._listen)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._thread.call_anywhere(self._stop)
        self._thread.stop()

    async def _listen(self) -> None:
        if not self.fake:
            self._core = server_core(self.start_timeout, self.end_timeout, self.grace)
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
        )
        self.url = f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/"

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        if self._core is not None:
            await self._core.stop()

    # -- connections

    async def _serve(self, socket: ServerConnection) -> None:
        if self._core is not None:
            await self._core.serve(socket, _name_of(socket))
            return
        connection = _Connection(socket)
        self._connections[connection.id] = connection
        welcome = {"status": "ok", "type": "welcome", "connectionId": connection.id}
        ids = {"session": connection.id, "epoch": "memory", "protocol": SUBPROTOCOL}
        connection.send({**welcome, **ids})
        writer = asyncio.create_task(_write(socket, connection))
        try:
            async for frame in socket:
                self._receive(connection, frame)
        finally:
            writer.cancel()
            del self._connections[connection.id]
            asyncio.get_running_loop().call_later(self.grace, self._lose, connection.id)

    def _lose(self, connection_id: str) -> None:
        for task in list(self._tasks.values()):
            for part in task.parts:
                if part.connection == connection_id:
                    task.lose(part)

    def _receive(self, connection: _Connection, frame: str | bytes) -> None:
        command = json.loads(frame)
        command_id, event_id = command.get("id"), command.get("eventId")
        self._answering = (connection, command_id, event_id)
        try:
            self._handlers().get(command.get("cmd"), _unknown)(connection, command)
        except Rejected as rejected:
            error = {"status": "error", "error": _ERRORS.get(rejected.code, "StateError")}
            what = {"code": rejected.code, "message": rejected.message, "retry": False}
            ids = {"id": command_id, "taskId": command.get("taskId"), "eventId": event_id}
            known = {name: value for name, value in ids.items() if value is not None}
            connection.send({**error, **what, **known, "request": str(frame)[:1024]})
        finally:
            self._answering = None

    def _handlers(self) -> dict[Any, Callable[[_Connection, dict[str, Any]], None]]:
        return {
            "sub": self._sub,
            "unsub": self._unsub,
            "pub": self._pub,
            "cancel": self._cancel,
            "watch": self._watch,
            "unwatch": self._unwatch,
            "get": self._get,
            "resume": lambda connection, command: _ok(connection, command, resumed=False),
        }

    # -- commands

    def _sub(self, connection: _Connection, command: dict[str, Any]) -> None:
        pattern = command["action"]
        connection.subscriptions[pattern] = command
        _ok(connection, command, action=pattern)
        for task in self._tasks.values():
            mine = [part for part in task.parts if part.client == connection.client]
            here = any(part.connection == connection.id for part in mine)
            waits = task.window_open and task.outcome is None and not here
            if not (waits and covers(pattern, task.action)):
                continue
            away = [p for p in mine if p.connection not in self._connections]
            if away and away[0].state == "offered":
                away[0].connection = connection.id
            elif command.get("group") and mine:
                continue
            else:
                task.parts.append(Part(connection.client, connection.id))
            self._send_init(connection, task)

    def _unsub(self, connection: _Connection, command: dict[str, Any]) -> None:
        connection.subscriptions.pop(command["action"], None)
        _ok(connection, command, action=command["action"])

    def _pub(self, connection: _Connection, command: dict[str, Any]) -> None:
        event, task = command.get("event"), self._tasks.get(command["taskId"])
        said = {name: value for name, value in command.items() if name != "id"}
        if task is not None and (before := task.sent.get(command["eventId"])) is not None:
            if before != (connection.client, said):
                raise Rejected("event-conflict", "This eventId was used for another event.")
            self._again(connection, task, command)
        elif event == "init":
            self._init(connection, command)
        elif event not in _EVENTS:
            raise Rejected("bad-event", f"There is no event {event!r}.")
        else:
            task = self._known(command)
            part = self._part(connection, task)
            if task.ended and event != "end":
                raise Rejected("task-ended", "This task has ended.")
            task.sent[command["eventId"]] = (connection.client, said)
            if task.ended or not task.report(part, event, command):
                _ok(connection, command, message="nothing changed", taskId=task.id)

    def _again(self, connection: _Connection, task: FakeTask, command: dict[str, Any]) -> None:
        if command["event"] == "init" and self._publishers[task.id] not in self._connections:
            self._publishers[task.id] = connection.id
        for message in task.events:
            if message["eventId"] == command["eventId"]:
                connection.send({**message, "id": command.get("id")})
                return
        _ok(connection, command, message="nothing changed", taskId=task.id)

    def _init(self, connection: _Connection, command: dict[str, Any]) -> None:
        action = command["action"]
        if not _ACTION.fullmatch(action):
            raise Rejected("bad-action", "An action is noun:verb.")
        if command["taskId"] in self._tasks:
            raise Rejected("duplicate-task", "This taskId is taken; choose another one.")
        said = {name: value for name, value in command.items() if name != "id"}
        task = FakeTask(command, connection.client, self._tell)
        task.sent[command["eventId"]] = (connection.client, said)
        self._tasks[task.id] = task
        self._publishers[task.id] = connection.id
        task.parts = [Part(one.client, one.id) for one in self._takers(action)]
        start = command.get("startTimeout", self.start_timeout * 1000)
        end = command.get("endTimeout", self.end_timeout * 1000)
        loop = asyncio.get_running_loop()
        loop.call_later(start / 1000, task.start_window_over)
        loop.call_later(end / 1000, task.end_deadline_over)
        init = {"action": action, "payload": task.payload}
        task.add("init", connection.client, event_id=command["eventId"], **init)

    def _takers(self, action: str) -> list[_Connection]:
        takers: list[_Connection] = []
        groups: dict[str, list[_Connection]] = {}
        for connection in self._connections.values():
            for pattern, command in connection.subscriptions.items():
                if covers(pattern, action):
                    grouped = groups.setdefault(connection.client, [])
                    (grouped if command.get("group") else takers).append(connection)
                    break
        busy = [part.connection for t in self._tasks.values() for part in t.parts if part.active]
        return takers + [min(g, key=lambda one: busy.count(one.id)) for g in groups.values() if g]

    def _part(self, connection: _Connection, task: FakeTask) -> Part:
        """The participant that this connection is, or becomes (§5.5)."""
        mine = [p for p in task.parts if p.client == connection.client and p.state != "lost"]
        for part in mine:
            if part.connection == connection.id:
                return part
        for part in mine:
            if part.active and part.connection not in self._connections:
                part.connection = connection.id
                return part
        if connection.client != task.publisher:
            raise Rejected("unknown-task", "There is no such task.")
        task.parts.append(Part(connection.client, connection.id))
        return task.parts[-1]

    def _cancel(self, connection: _Connection, command: dict[str, Any]) -> None:
        self._known(command).cancel(connection.client, command)

    def _watch(self, connection: _Connection, command: dict[str, Any]) -> None:
        if "action" in command:
            connection.watches.add(command["action"])
            _ok(connection, command, action=command["action"])
            return
        task = self._known(command)
        _ok(connection, command, taskId=task.id)
        connection.watches.add(task.id)
        for message in task.events[command.get("from", 1) - 1 :]:
            connection.send(message)

    def _unwatch(self, connection: _Connection, command: dict[str, Any]) -> None:
        connection.watches.discard(command.get("action") or command["taskId"])
        _ok(connection, command)

    def _get(self, connection: _Connection, command: dict[str, Any]) -> None:
        task, what = self._known(command), command["what"]
        outcome = task.outcome or {}
        values = {
            "payload": task.payload,
            "result": outcome.get("result"),
            "task": {
                "taskId": task.id,
                "action": task.action,
                "publisher": task.publisher,
                "outcome": outcome.get("event"),
                "seq": len(task.events),
                "participants": [{"client": p.client, "state": p.state} for p in task.parts],
            },
            "events": task.events[command.get("from", 1) - 1 :],
        }
        assert values.keys() == set(READABLE)
        connection.send({"status": "ok", what: values[what], "id": command.get("id")})

    def _known(self, command: dict[str, Any]) -> FakeTask:
        task = self._tasks.get(command["taskId"])
        if task is None:
            raise Rejected("unknown-task", "There is no such task.")
        return task

    # -- telling

    def _tell(self, task: FakeTask, message: dict[str, Any]) -> None:
        audience = {self._publishers[task.id], *(p.connection for p in task.parts)}
        for connection in list(self._connections.values()):
            watched = task.id in connection.watches
            matched = any(covers(one, task.action) for one in connection.watches)
            if not (connection.id in audience or watched or matched):
                continue
            if message["event"] == "init":
                self._send_init(connection, task, self._command_id(connection, message))
            else:
                command_id = self._command_id(connection, message)
                connection.send({**message, **({"id": command_id} if command_id else {})})

    def _command_id(self, connection: _Connection, message: dict[str, Any]) -> str | None:
        """The id of the command that this message answers, on the connection that sent it."""
        if self._answering is None or self._answering[0] is not connection:
            return None
        _, command_id, event_id = self._answering
        cancelled = event_id is None and message["event"] == "fail"
        return command_id if cancelled or message["eventId"] == event_id else None

    def _send_init(
        self, connection: _Connection, task: FakeTask, command_id: str | None = None
    ) -> None:
        message = dict(task.events[0])
        if command_id is not None:
            message["id"] = command_id
        size = len(json.dumps(task.payload).encode())
        for pattern, command in connection.subscriptions.items():
            lazy = command.get("lazyPayload")
            if lazy is not None and size > lazy and covers(pattern, task.action):
                message["payloadSize"] = size
                message.pop("payload", None)
        connection.send(message)


def _unknown(_connection: _Connection, command: dict[str, Any]) -> None:
    raise Rejected("bad-command", f"There is no command {command.get('cmd')!r}.")


def _ok(connection: _Connection, command: dict[str, Any], **fields: Any) -> None:
    connection.send({"status": "ok", "message": "ok", **fields, "id": command.get("id")})


async def _write(socket: ServerConnection, connection: _Connection) -> None:
    while True:
        await socket.send(await connection.outbox.get())


@pytest.fixture
def taskhub_hub() -> Iterator[Hub]:
    """A hub in memory for one test."""
    with Hub() as hub:
        yield hub
