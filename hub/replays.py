"""Stored events told again: after a ``watch``, and after a ``resume`` (docs/protocol.md §3, §6).

Page by page, each only when the connection has room, with no gap to the live events and none
twice: ``hub.router.watches`` says how.
"""

from hub.core.facts import Event
from hub.core.values import EventKind
from hub.journal.reader import Reader
from hub.router.local import LocalRouter
from hub.router.port import Sink
from hub.router.watches import Watch

#: Events read at a time.
PAGE = 64


class Replays:
    """Tells connections what is stored."""

    def __init__(self, reader: Reader, router: LocalRouter) -> None:
        self._reader = reader
        self._router = router

    async def run(self, sink: Sink, task: int, watch: Watch) -> None:
        """Send what is stored until the live events connect to it. Raises JournalFailed."""
        page: list[Event] = []
        wanted = True
        while wanted:
            page = await self._reader.events(task, watch.after + 1, PAGE)
            wanted = await self._send(sink, task, watch, page)
            if wanted and page and page[-1].kind is EventKind.END:
                self._router.watches.end(sink.connection, task)
                return
            if wanted and len(page) < PAGE and watch.caught_up():
                return

    async def _send(self, sink: Sink, task: int, watch: Watch, page: list[Event]) -> bool:
        """Send a page as fast as the connection reads; False: unwatched, or begun anew, meanwhile.

        A page may hold more than an outbox takes.
        """
        for event in page:
            await sink.room()
            if not self._router.watches.holds(sink.connection, task, watch):
                return False
            self._router.send_event(sink.connection, event)
            watch.after = event.seq
        return self._router.watches.holds(sink.connection, task, watch)
