"""A hub that says what a test tells it to say, over a real WebSocket, and clients of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import uuid4

import taskhub
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

JSON = dict[str, Any]
T = TypeVar("T")

WELCOME: JSON = {
    "status": "ok",
    "type": "welcome",
    "protocol": "taskhub.v1",
    "session": "s1",
    "epoch": "e1",
}


class FakeHub:
    """Welcomes one connection at a time and collects what it sends."""

    def __init__(self) -> None:
        self.url = ""
        #: Answer every handshake with this status instead of accepting it.
        self.refuse_with: HTTPStatus | None = None
        self.first_message: JSON = WELCOME
        self.authorization: str | None = None
        self._tries: asyncio.Queue[int] = asyncio.Queue()
        self._commands: asyncio.Queue[JSON] = asyncio.Queue()
        self._connection: ServerConnection | None = None
        self._seq: dict[str, int] = {}
        #: Handshakes that were made, and those that were let in.
        self.handshakes = self.connections = 0

    async def command(self) -> JSON:
        """The next command of the client."""
        async with asyncio.timeout(5):
            return await self._commands.get()

    async def expect(self, **fields: Any) -> JSON:
        """The next command, which has at least these fields."""
        command = await self.command()
        assert {name: command.get(name) for name in fields} == fields, command
        return command

    async def tried(self, times: int) -> None:
        """Return when so many handshakes have been made."""
        async with asyncio.timeout(5):
            while await self._tries.get() < times:
                pass

    def nothing_waits(self) -> bool:
        """No command has arrived that the test has not taken."""
        return self._commands.empty()

    async def say(self, message: JSON | str) -> None:
        """Send a message."""
        assert self._connection is not None
        text = message if isinstance(message, str) else json.dumps(message)
        await self._connection.send(text)

    async def ok(self, command: JSON, **fields: Any) -> None:
        """Answer a command."""
        await self.say({"status": "ok", "message": "ok", "id": command["id"], **fields})

    async def refuse(self, command: JSON, code: str, *, retry: bool = False) -> None:
        """Answer a command with an error."""
        answer = {"status": "error", "error": "StateError", "code": code, "message": "No."}
        await self.say({**answer, "id": command["id"], "retry": retry})

    async def echo(self, command: JSON, *, by: str = "me") -> None:
        """Answer a `pub` with the event it made."""
        fields = {name: value for name, value in command.items() if name != "cmd"}
        await self.say({"status": "ok", **fields, **self._stamp(command["taskId"], by)})

    async def event(self, task_id: str, event: str, *, by: str = "other", **fields: Any) -> None:
        """Tell of an event that somebody else made."""
        head = {"status": "ok", "event": event, "eventId": uuid4().hex, "taskId": task_id}
        await self.say({**head, **fields, **self._stamp(task_id, by)})

    async def close(self, code: int, reason: str = "") -> None:
        """Close the connection."""
        assert self._connection is not None
        await self._connection.close(code, reason)

    def cut(self) -> None:
        """Break the connection without a word."""
        assert self._connection is not None
        self._connection.transport.abort()

    def _stamp(self, task_id: str, by: str) -> JSON:
        self._seq[task_id] = self._seq.get(task_id, 0) + 1
        return {"seq": self._seq[task_id], "at": 1_700_000_000_000, "by": by}

    async def handle(self, connection: ServerConnection) -> None:
        """Read one connection until it closes."""
        self._connection = connection
        self.connections += 1
        await self.say(self.first_message)
        try:
            async for frame in connection:
                assert isinstance(frame, str), "commands are text frames"
                self._commands.put_nowait(json.loads(frame))
        except ConnectionClosed:
            pass

    def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        """Note the credentials; refuse if told to."""
        self.handshakes += 1
        self._tries.put_nowait(self.handshakes)
        self.authorization = request.headers.get("Authorization")
        if self.refuse_with is None:
            return None
        return connection.respond(self.refuse_with, "")


@asynccontextmanager
async def fake_hub() -> AsyncIterator[FakeHub]:
    """A hub on a free port of this machine."""
    hub = FakeHub()
    server: Server = await serve(
        hub.handle,
        "127.0.0.1",
        0,
        process_request=hub.handshake,
        subprotocols=[Subprotocol("taskhub.v1")],
        compression=None,
    )
    async with server:
        hub.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        yield hub


def client_of(hub: FakeHub) -> taskhub.Client:
    return taskhub.Client(hub.url, name="me", key="k3y")


async def during(work: Awaitable[T], act: Callable[[], Awaitable[None]]) -> T:
    """The result of `work`, while the hub acts."""
    running = asyncio.ensure_future(work)
    await act()
    return await running


async def published(hub: FakeHub, client: taskhub.Client, **options: Any) -> taskhub.Task:
    task = client.pub("report:build", {"a": 1}, **options)
    await hub.echo(await hub.expect(cmd="pub", event="init"))
    await task.accepted()
    return task


async def heard(hub: FakeHub, client: taskhub.Client) -> None:
    """Return when the client has taken all that was said before."""

    async def answer() -> None:
        await hub.ok(await hub.expect(cmd="get"), task={})

    await during(client.get("any"), answer)


@asynccontextmanager
async def served(hub: FakeHub, client: taskhub.Client) -> AsyncIterator[None]:
    """A connected client that has one handler."""

    async def accept() -> None:
        subscribe = await hub.expect(cmd="sub")
        await hub.ok(subscribe, action=subscribe["action"])

    await during(client.__aenter__(), accept)
    try:
        yield
    finally:
        await client.__aexit__(None, None, None)
