"""Who is connected, as the leases in the database and the memory of this process tell."""

from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Count, QuerySet

from hub import runtime as hub_runtime
from hub.clock_and_ids import system_time
from hub.connected import Connected, Doing, Unwritten
from hub.core.errors import Rejection
from hub.core.presence import Presence
from hub.counts import traffic
from hub.crossing import cross
from hub.models import Connection
from hub.runtime import Runtime

#: A hub that does not answer for so long is shown as the database knows it.
PATIENCE_S = 2.0

_NOTHING = Doing(subscriptions=(), busy=0, unsent=0, rate=0.0)
_NOBODY = Connected(doing={}, opened=(), closed=())

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One open connection."""

    connection: str
    client: str
    #: remote address, without the port
    address: str
    #: ``taskhub.v1`` or ``legacy``
    protocol: str
    #: what its program calls itself (User-Agent); may be empty
    agent: str
    #: ms since the epoch
    since: int
    #: patterns it subscribes to, sorted
    subscriptions: tuple[str, ...]
    #: tasks it works on now
    busy: int
    #: bytes that wait to be sent
    unsent: int
    #: frames it sent a second, over the last seconds
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    """One handshake that was refused lately."""

    at: int
    address: str
    #: the client it said it was; may be empty
    name: str
    #: one of a few words: ``wrong-key``, ``connections`` …
    reason: str
    status: int


def connections(*, client: str | None = None) -> list[ConnectionRow]:
    """Open connections, longest first. What those of another process do is not known here."""
    here = _ask(lambda hub: hub.looking.connected(client), _NOBODY)
    leased = _leased() if client is None else _leased().filter(client=client)
    rows = [_row(one, here) for one in leased if one.connection not in here.closed]
    known = {row.connection for row in rows}
    rows += [
        _row(one, here)
        for one in here.opened
        if client in (None, one.client) and one.connection not in known
    ]
    return sorted(rows, key=lambda row: (row.since, row.connection))


def connections_by_client() -> dict[str, int]:
    """How many connections each client holds."""
    lately = _ask(lambda hub: hub.looking.unwritten(), Unwritten())
    others = [*lately.closed, *(one.connection for one in lately.opened)]
    leased = _leased().exclude(connection__in=others).order_by()
    held = Counter(dict(leased.values_list("client").annotate(Count("connection"))))
    held.update(one.client for one in lately.opened)
    return dict(held)


def subscribers(action: str) -> int:
    """Connections that would be offered a task of this action now."""
    return subscribers_of((action,))[action]


def subscribers_of(actions: Collection[str]) -> dict[str, int]:
    """The same for many actions, at the price of one question."""
    return _ask(lambda hub: hub.looking.subscribers(actions), dict.fromkeys(actions, 0))


def refusals() -> list[RefusalRow]:
    """The last refused handshakes of this process, newest first; a bounded number."""
    return [RefusalRow(**one._asdict()) for one in reversed(traffic.recent)]


def _ask(question: Callable[[Runtime], Coroutine[Any, Any, T]], without: T) -> T:
    """What the hub of this process says; ``without`` one, or when it does not answer."""
    hub = hub_runtime.current()
    if hub is None:
        return without
    try:
        return cross(hub.loop, lambda: question(hub), PATIENCE_S)
    except Rejection:
        return without


def _leased() -> QuerySet[Connection]:
    hub = hub_runtime.current()
    now = system_time() if hub is None else hub.clock()
    return Connection.objects.filter(lease_until__gt=now)


def _row(one: Connection | Presence, here: Connected) -> ConnectionRow:
    doing = here.doing.get(one.connection, _NOTHING)
    return ConnectionRow(
        connection=one.connection,
        client=one.client,
        address=one.address,
        protocol=one.protocol,
        agent=one.agent,
        since=one.since,
        subscriptions=doing.subscriptions,
        busy=doing.busy,
        unsent=doing.unsent,
        rate=doing.rate,
    )
