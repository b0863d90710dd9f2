"""Who is connected to this process, and what of it is not yet stored (invariant 9)."""

from hub.core.presence import Presence


class Roll:
    """Connections that came and went since the last time they were written down."""

    def __init__(self) -> None:
        self._opened: dict[str, Presence] = {}
        self._closed: list[str] = []
        self.connected = 0

    def opened(self, presence: Presence) -> None:
        """A connection came."""
        self._opened[presence.connection] = presence
        self.connected += 1

    def closed(self, connection: str) -> None:
        """A connection went. One that was never written down leaves no trace."""
        self.connected -= 1
        if self._opened.pop(connection, None) is None:
            self._closed.append(connection)

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._opened or self._closed)

    def unwritten(self) -> tuple[list[Presence], list[str]]:
        """Who came and who went since it was last written down, as copies."""
        return list(self._opened.values()), list(self._closed)

    def take(self) -> tuple[list[Presence], list[str]]:
        """What is to be written now: who came, who went."""
        opened, closed = list(self._opened.values()), self._closed
        self._opened, self._closed = {}, []
        return opened, closed

    def put_back(self, opened: list[Presence], closed: list[str]) -> None:
        """What was taken could not be written; some of it may have changed meanwhile."""
        still = [p for p in opened if p.connection not in self._closed]
        self._opened = {p.connection: p for p in still} | self._opened
        self._closed = closed + self._closed
