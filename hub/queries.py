"""Answers about what is stored: ``get``, ``watch`` and its replay (docs/protocol.md §3).

Reads only what is committed, and never on the event loop.
"""

from hub.core.access import Access
from hub.core.books import Books
from hub.core.decision import shown, unknown_task
from hub.core.effects import Unchanged
from hub.core.errors import Code, Rejection
from hub.core.inputs import Get, Unwatch
from hub.core.inputs import Watch as WatchCommand
from hub.core.remembered import Remembered, visible
from hub.core.task import Task
from hub.core.values import TaskState
from hub.journal.reader import Reader
from hub.protocol import encode
from hub.replays import Replays
from hub.router.local import LocalRouter
from hub.router.port import Sink
from hub.router.watches import Watch

#: Events in one answer to ``get``.
MAX_LISTED = 1_000

_NULL = "null"


class Queries:
    """Reads for connections, with the rights they have at this moment."""

    def __init__(self, books: Books, reader: Reader, router: LocalRouter, max_watches: int) -> None:
        self._books = books
        self._replays = Replays(reader, router)
        self._reader = reader
        self._router = router
        self._max_watches = max_watches

    async def answer(self, sink: Sink, query: WatchCommand | Unwatch | Get) -> None:
        """Answer one query. Raises Rejection, JournalFailed."""
        connection = self._books.connections.get(sink.connection)
        if connection is None:
            return
        match query:
            case Get():
                await self._get(query, connection.access)
            case Unwatch():
                await self._unwatch(query)
            case WatchCommand():
                await self._watch(sink, query, connection.access)

    async def tell_again(self, effect: Unchanged) -> None:
        """Send a stored event again to who repeated it (§4.7); legacy hears nothing."""
        sink = self._router.sink(effect.to)
        if sink is None or not sink.v1 or effect.task is None or effect.seq is None:
            return
        found = await self._reader.events(effect.task, effect.seq, 1)
        if found:
            self._router.send_event(effect.to, found[0], effect.command_id)
        else:
            self._router.unchanged(effect)

    def restrict(self, connection: str, access: Access) -> None:
        """End the watches that changed rights no longer allow (§2.8)."""
        held = self._router.watches
        for what in held.held_by(connection):
            if isinstance(what, str):
                allowed = access.watch.covers(what)
            else:
                task = self._books.by_key.get(what)
                allowed = task is not None and visible(task, access)
            if not allowed:
                held.end(connection, what)

    async def _find(self, task_id: str, access: Access) -> Task | Remembered:
        """The task, if this client may know of it (§5.5)."""
        found = (
            self._books.open.get(task_id)
            or self._books.recent.get(task_id)
            or await self._reader.load(task_id)
        )
        if found is None or not visible(found, access):
            raise unknown_task()
        return found

    async def _get(self, query: Get, access: Access) -> None:
        await self._find(query.task_id, access)
        stored = await self._reader.load(query.task_id)
        if stored is None:
            raise Rejection(Code.UNAVAILABLE, "This task is being stored; ask again in a moment.")
        value = await self._stored(stored, query)
        self._router.send(query.connection, encode.answer_get(query.what, value, query.command_id))

    async def _stored(self, task: Task, query: Get) -> str:
        match query.what:
            case "payload":
                return task.init.body or _NULL
            case "result":
                return await self._result(task)
            case "task":
                return encode.task_summary(task)
            case _:
                events = await self._reader.events(task.key, query.from_seq, MAX_LISTED)
                return encode.event_list(events)

    async def _result(self, task: Task) -> str:
        if task.outcome is not TaskState.SUCCESS or task.settled_seq is None:
            return _NULL
        settled = await self._reader.events(task.key, task.settled_seq, 1)
        return settled[0].body or _NULL

    async def _unwatch(self, query: Unwatch) -> None:
        if query.pattern is not None:
            self._router.watches.end(query.connection, query.pattern)
            more = {"action": query.pattern}
        else:
            assert query.task_id is not None
            known = (
                self._books.open.get(query.task_id)
                or self._books.recent.get(query.task_id)
                or await self._reader.load(query.task_id)
            )
            if known is not None:
                self._router.watches.end(query.connection, known.key)
            more = {"taskId": query.task_id}
        self._say(query.connection, "Not watching any more.", query.command_id, more)

    async def _watch(self, sink: Sink, query: WatchCommand, access: Access) -> None:
        if self._router.watches.count(query.connection) >= self._max_watches:
            raise Rejection(
                Code.LIMIT,
                f"A connection has at most {self._max_watches} watches; "
                "end one, or watch a pattern.",
                limit="max_watches",
            )
        if query.pattern is not None:
            if not access.watch.covers(query.pattern):
                raise Rejection(
                    Code.FORBIDDEN, f"This client may not watch {shown(query.pattern)}."
                )
            self._router.watches.add_pattern(query.connection, query.pattern)
            more = {"action": query.pattern}
            self._say(query.connection, "Watching.", query.command_id, more)
            return
        assert query.task_id is not None
        found = await self._find(query.task_id, access)
        if self._router.sink(query.connection) is None:
            return
        more = {"taskId": query.task_id}
        self._say(query.connection, "Watching.", query.command_id, more)
        watch = Watch(query.task_id, query.from_seq)
        self._router.watches.begin(query.connection, found.key, watch)
        await self._replays.run(sink, found.key, watch)

    def _say(
        self, connection: str, message: str, command_id: str | None, more: dict[str, str]
    ) -> None:
        self._router.send(connection, encode.ok(message, command_id=command_id, **more))
