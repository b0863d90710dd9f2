"""What a resumed connection missed is told, and only then what it sends is read on (§6)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from hub.core.books import Books
from hub.core.effects import Resumed
from hub.core.remembered import Remembered, visible
from hub.core.task import Task
from hub.journal.reader import Reader
from hub.logs import logger
from hub.replays import Replays
from hub.router.local import LocalRouter
from hub.router.port import Sink
from hub.router.watches import Watch

log = logger(__name__)

#: Close code of a connection that another one has resumed, and of one that is to try again.
RESUMED_ELSEWHERE = 4409
COME_BACK = 1012
_COME_BACK = "The client is told to resume again. Check the disk of the data directory."


class Missed:
    """What a resumed connection is still to be told."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.held_back: list[tuple[int, Watch]] = []
        #: of tasks that are not in memory: they have ended, or are unknown
        self.not_loaded: list[Watch] = []


class Resuming:
    """Connections between their ``resume`` and the last event that they missed."""

    def __init__(
        self,
        books: Books,
        reader: Reader,
        router: LocalRouter,
        max_watches: int,
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._books = books
        self._reader = reader
        self._router = router
        self._replays = Replays(reader, router)
        self._max_watches = max_watches
        self._spawn = spawn
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def expect(self, connection: str) -> Awaitable[None]:
        """Awaits that this connection has heard what it missed, or is refused."""
        told = self._waiting[connection] = asyncio.get_running_loop().create_future()
        return told

    def over(self, connection: str) -> None:
        """Its frames may be read on."""
        told = self._waiting.pop(connection, None)
        if told is not None and not told.done():
            told.set_result(None)

    def perform(self, effect: Resumed) -> None:
        """Answer, and begin to tell. All that was decided before is committed."""
        sink = self._router.sink(effect.to)
        if sink is not None:
            self._router.resumed(effect)
            self._spawn(self._tell(self._begin(sink, effect)))
            return
        lost_again = self._books.connections.get(effect.to)
        if lost_again is not None:
            lost_again.watching = effect.watching
        self.over(effect.to)

    def _begin(self, sink: Sink, effect: Resumed) -> Missed:
        """Hold live events back until those before have been told."""
        missed = Missed(sink)
        access = self._books.connections[sink.connection].access
        room = self._max_watches - self._router.watches.count(sink.connection)
        for pattern in effect.watching.patterns:
            if access.watch.covers(pattern) and room > 0:
                self._router.watches.add_pattern(sink.connection, pattern)
                room -= 1
        for task_id, from_seq in effect.replays.items():
            stays = task_id in effect.watching.tasks and room > 0
            room -= stays
            watch = Watch(task_id, from_seq, stays=stays)
            found = self._books.open.get(task_id) or self._books.recent.get(task_id)
            if found is None:
                missed.not_loaded.append(watch)
            elif visible(found, access):
                self._hold_back(missed, found, watch)
        return missed

    def _hold_back(self, missed: Missed, task: Task | Remembered, watch: Watch) -> None:
        self._router.watches.begin(missed.sink.connection, task.key, watch)
        missed.held_back.append((task.key, watch))

    async def _tell(self, missed: Missed) -> None:
        sink = missed.sink
        try:
            await self._load(missed)
            for key, watch in missed.held_back:
                await self._replays.run(sink, key, watch)
        except Exception:
            # It was told that it is resumed: rather than miss something, it resumes again.
            log.exception("replay_failed", connection=sink.connection, help=_COME_BACK)
            sink.close(COME_BACK)
        finally:
            self.over(sink.connection)

    async def _load(self, missed: Missed) -> None:
        for watch in missed.not_loaded:
            if self._router.sink(missed.sink.connection) is not missed.sink:
                return
            found = await self._reader.load(watch.task_id)
            connection = self._books.connections.get(missed.sink.connection)
            if found is not None and connection is not None and visible(found, connection.access):
                self._hold_back(missed, found, watch)
