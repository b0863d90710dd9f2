"""Connections, live and away, and the sessions by which a lost one can be resumed (§6)."""

import msgspec

from hub.core.access import Access
from hub.core.values import Token

#: Connections in whose place one has been put that the next restore still has to know.
FORMER_KEPT = 4


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """One pattern of a connection."""

    exact: bool
    group: bool


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection watched when it was lost."""

    #: taskId → the seq it asked for
    tasks: dict[str, int] = {}
    patterns: tuple[str, ...] = ()


class Connection(msgspec.Struct, kw_only=True):
    """A connection, live or away: one that is gone keeps its place for the grace (§5.4, §6)."""

    id: str
    access: Access
    live: bool = True
    #: None: a legacy one, or one that cannot be resumed any more
    session: Token | None = None
    subscriptions: dict[str, Subscription] = {}
    #: bytes from which on a payload is told by its size only (§4.5)
    lazy_payload: int | None = None
    #: task key → participant number
    participations: dict[int, int] = {}
    #: how many of them are still at work
    busy: int = 0
    #: keys of the open tasks whose publisher listens here
    published: set[int] = set()
    #: while it is away
    watching: Watching = Watching()
    #: the lost connections whose place it has taken, the latest last
    former: tuple[str, ...] = ()


class Sessions:
    """Which connection a session stands for, as long as it is live or away."""

    def __init__(self) -> None:
        self._connections: dict[Token, Connection] = {}
        #: client → its sessions that are away, the first lost first
        self._away: dict[str, dict[Token, None]] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def open(self, connection: Connection) -> None:
        """A connection was accepted; a legacy one has no session."""
        if connection.session is not None:
            self._connections[connection.session] = connection

    def find(self, session: Token) -> Connection | None:
        """The connection of a session, live or away."""
        return self._connections.get(session)

    def leave(self, connection: Connection) -> Connection | None:
        """A connection is away; returns another one whose session ends to make room for it.

        A client can resume as many as it may hold: of more, the first lost gives way.
        """
        if connection.session is None:
            return None
        away = self._away.setdefault(connection.access.client, {})
        away[connection.session] = None
        if len(away) <= connection.access.connections:
            return None
        first = self._connections[next(iter(away))]
        self.end(first)
        return first

    def end(self, connection: Connection) -> None:
        """Nobody can resume this connection from now on."""
        session, connection.session = connection.session, None
        if session is None:
            return
        del self._connections[session]
        client = connection.access.client
        away = self._away.get(client, {})
        away.pop(session, None)
        if not away:
            self._away.pop(client, None)
