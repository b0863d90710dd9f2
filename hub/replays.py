"""Stored events told again: after a ``watch``, and after a ``resume`` (docs/protocol.md §3, §6).

Page by page, each only when the connection has room, with no gap to the live events and none
twice: ``hub.router.watches`` says how.
"""

from hub.core.values import EventKind
from hub.journal.reader import Reader
from hub.router.local import LocalRouter
from hub.router.port import Sink
from hub.router.watches import Watch

#: Events read at a time.
PAGE = 256


class Replays:
    """Tells connections what is stored."""

    def __init__(self, reader: Reader, router: LocalRouter) -> None:
        self._reader = reader
        self._router = router

    async def run(self, sink: Sink, task: int, watch: Watch) -> None:
        """Send what is stored until the live events connect to it. Raises JournalFailed."""
        while True:
            page = await self._reader.events(task, watch.after + 1, PAGE)
            if not self._router.watches.holds(sink.connection, task, watch):
                return  # unwatched, or begun anew, meanwhile
            for event in page:
                self._router.send_event(sink.connection, event)
                watch.after = event.seq
            if page and page[-1].kind is EventKind.END:
                self._router.watches.end(sink.connection, task)
                return
            if len(page) < PAGE and watch.caught_up():
                return
            await sink.room()
