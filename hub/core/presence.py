"""A connection as operators see it."""

import msgspec


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One open connection as operators see it (docs/protocol.md §2)."""

    connection: str
    client: str
    #: remote address, without the port
    address: str
    #: ``taskhub.v1`` or ``legacy``
    protocol: str
    #: milliseconds since the epoch
    since: int
    #: what its program calls itself (User-Agent), cut; may be empty
    agent: str = ""
