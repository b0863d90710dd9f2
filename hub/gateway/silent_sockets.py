"""Sockets that do not say what they want: bounded in time, and in number (docs/protocol.md §7).

uvicorn waits for ever for the first request of a socket, for the rest of one, and for its body.
"""

import asyncio
from collections import Counter
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.admission import network
from hub.counts import traffic

#: How long a request's head may take to arrive.
HEAD_TIMEOUT_S = 10.0
#: The same for those over the limit of their address: enough for a burst of honest ones.
CROWDED_TIMEOUT_S = 1.0
#: How long a request's body may take: forms of the admin are small.
BODY_TIMEOUT_S = 60.0

_TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class HubHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which gives up on a request that does not come."""

    #: sockets of an address that may be silent for longer than a moment
    silent_per_address: ClassVar[int] = 20
    #: silent sockets of each address
    silent: ClassVar[Counter[str]] = Counter()

    _deadline: asyncio.TimerHandle | None = None
    _body_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Part of asyncio.Protocol."""
        super().connection_made(transport)
        self._network = network(self.client[0]) if self.client else "local"
        self._await_head()

    def on_message_begin(self) -> None:
        """A request has begun: the first one, or one more on a kept connection."""
        super().on_message_begin()
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The request says what it wants."""
        self._head_came()
        super().on_headers_complete()
        if self._body_deadline is None:
            self._body_deadline = self.loop.call_later(BODY_TIMEOUT_S, self._give_up_body)

    def on_message_complete(self) -> None:
        """All of the request is here."""
        self._body_came()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._head_came()
        self._body_came()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self.silent[self._network] += 1
        crowded = self.silent[self._network] > self.silent_per_address
        traffic.limits["unauthenticated_per_address"] += crowded
        patience = CROWDED_TIMEOUT_S if crowded else HEAD_TIMEOUT_S
        self._deadline = self.loop.call_later(patience, self._give_up)

    def _head_came(self) -> None:
        if self._deadline is None:
            return
        self._deadline.cancel()
        self._deadline = None
        self.silent[self._network] -= 1
        if self.silent[self._network] <= 0:
            del self.silent[self._network]

    def _body_came(self) -> None:
        if self._body_deadline is not None:
            self._body_deadline.cancel()
            self._body_deadline = None

    def _give_up_body(self) -> None:
        self._body_deadline = None
        if self.transport.get_protocol() is not self:  # it has become a WebSocket
            return
        if getattr(self.cycle, "response_started", False):
            self.transport.abort()
        else:
            self._give_up()

    def _give_up(self) -> None:
        self._head_came()
        if not self.transport.is_closing():
            self.transport.write(_TOO_LATE)
            self.transport.close()


def http_protocol(silent_per_address: int) -> type[HubHttpProtocol]:
    """The protocol with this limit, and a count of its own."""
    own = {"silent_per_address": silent_per_address, "silent": Counter()}
    return type("HubHttpProtocol", (HubHttpProtocol,), own)
