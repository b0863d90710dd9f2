"""Who is connected, as the leases in the database and the memory of this process tell."""

from dataclasses import dataclass


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
    """Open connections, longest first."""
    raise NotImplementedError


def connections_by_client() -> dict[str, int]:
    """How many connections each client holds."""
    raise NotImplementedError


def subscribers(action: str) -> int:
    """Connections that would be offered a task of this action now."""
    raise NotImplementedError


def refusals() -> list[RefusalRow]:
    """The last refused handshakes of this process, newest first; a bounded number."""
    raise NotImplementedError
