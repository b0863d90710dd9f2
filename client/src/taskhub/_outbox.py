"""Commands that wait for the hub's answer, across connections."""

import asyncio
from collections import deque
from typing import Any

import msgspec

from taskhub._errors import ConnectionLost, PayloadTooLarge, QueueFull, TaskHubError
from taskhub._wire import Message, command_encode


class Entry(msgspec.Struct, eq=False):
    """One command and the future of its answer."""

    id: str
    frame: bytes
    #: The action or pattern it is about, for the error it may become.
    action: str | None
    answer: asyncio.Future[Message]
    #: Means nothing on another connection: lost with this one, never sent again.
    volatile: bool
    #: How often it was handed to a connection.
    sent: int = 0


class Outbox:
    """Keeps each command until it is answered, in order; bounded by their number."""

    def __init__(self, *, bound: int) -> None:
        self._bound = bound
        self._entries: dict[str, Entry] = {}
        self._volatile: deque[Entry] = deque()
        self._unsent: deque[Entry] = deque()
        self._more = asyncio.Event()
        self._connected = self._open = False
        #: Bytes that a frame may have, once a hub has said so.
        self.max_frame: int | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def put(
        self, command: dict[str, Any], *, volatile: bool = False, always: bool = False
    ) -> Entry:
        """Take a command; `always`: also when full.

        Raises QueueFull, PayloadTooLarge, what msgspec raises for values that are no JSON, and
        ConnectionLost for a volatile one while there is no connection.
        """
        if volatile and not self._connected:
            raise ConnectionLost("There is no connection to the hub just now.")
        if not (always or volatile) and len(self._entries) >= self._bound:
            raise QueueFull(
                f"{self._bound} commands wait for the hub's answer already; this one was not "
                "taken. Await task.accepted() before you publish more, or raise max_pending."
            )
        frame = command_encode(command)
        if self.max_frame is not None and len(frame) > self.max_frame:
            raise PayloadTooLarge(
                "too-big",
                f"The frame has {len(frame)} bytes; the hub takes {self.max_frame}.",
            )
        entry = Entry(
            id=command["id"],
            frame=frame,
            action=command.get("action"),
            answer=asyncio.get_running_loop().create_future(),
            volatile=volatile,
        )
        self._entries[entry.id] = entry
        (self._volatile if volatile else self._unsent).append(entry)
        self._more.set()
        return entry

    def answered(self, message: Message) -> Entry | None:
        """Match a message to the command it answers, and let go of that."""
        entry = self._entries.pop(message.answers or "", None)
        if entry is None or entry.answer.done():
            return None
        if message.status == "error":
            entry.answer.set_exception(message.as_refusal(entry.action))
        else:
            entry.answer.set_result(message)
        return entry

    def forget(self, entry: Entry) -> None:
        """Nobody waits for it any more."""
        if self._entries.get(entry.id) is entry:
            del self._entries[entry.id]

    async def next(self) -> Entry:
        """The next to send on this connection; volatile ones first."""
        while True:
            while self._volatile:
                entry = self._volatile.popleft()
                if self._entries.get(entry.id) is entry:
                    return entry
            while self._open and self._unsent:
                entry = self._unsent.popleft()
                if self._entries.get(entry.id) is entry:
                    return entry
            self._more.clear()
            await self._more.wait()

    def connected(self) -> None:
        """There is a connection: what is volatile may be sent, to restore it."""
        self._connected = True

    def open(self) -> None:
        """The connection is restored: everything unanswered is sent, in its order."""
        self._unsent = deque(entry for entry in self._entries.values() if not entry.volatile)
        self._open = True
        self._more.set()

    def connection_lost(self, error: TaskHubError) -> None:
        """Keep what is worth sending again, and tell the others."""
        self._connected = self._open = False
        self._volatile.clear()
        for entry in [entry for entry in self._entries.values() if entry.volatile]:
            self._fail(entry, error)

    def too_big(self, error: TaskHubError) -> None:
        """The hub could not take a frame: it was the largest that was sent."""
        sent = [entry for entry in self._entries.values() if entry.sent]
        if sent:
            self._fail(max(sent, key=lambda entry: len(entry.frame)), error)

    def close(self, error: TaskHubError) -> None:
        """No command will be answered any more."""
        for entry in list(self._entries.values()):
            self._fail(entry, error)

    def _fail(self, entry: Entry, error: TaskHubError) -> None:
        del self._entries[entry.id]
        if not entry.answer.done():
            entry.answer.set_exception(error)
