"""``/connections/``: who is connected, what they do, and who was refused."""

from dataclasses import dataclass
from typing import Any, Final

from django.utils.safestring import SafeString

from hub.dashboard.pages.base import BasePage
from hub.dashboard.pages.format import moment, number, size
from hub.dashboard.pages.links import disconnect_url, searched, tasks_url
from hub.selectors.connections import ConnectionRow, RefusalRow, connections, refusals

_LISTED: Final = 200
_REFUSALS: Final = 50
#: patterns named in a row; more are counted
_NAMED: Final = 4

#: reason of a refusal → what it means, and what helps
REASONS: Final = {
    "wrong-key": "Unknown name, wrong or revoked key, or a disabled client.",
    "no-key": "No name and key were given, or not as HTTP Basic.",
    "locked": "Too many wrong keys from this address; it has to wait a minute.",
    "crowded": "Too many sockets of this address have not named themselves yet.",
    "connections": "The client has as many connections as it may; the admin can allow more.",
    "overloaded": "Too many handshakes at once; it may come back at once.",
    "draining": "The hub was stopping.",
    "failed": "The hub could not check the key; its log says why.",
    "origin": "A web page of another site tried to connect.",
    "path": "No WebSocket is served at this path; clients use / or /ws/.",
    "signed-out": "A page of the dashboard without a login.",
    "permission": "A page of the dashboard that its user may not see.",
    "live-full": "As many pages are live as may be.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of the table of connections."""

    connection: str
    client: str
    client_url: str
    address: str
    since: SafeString | str
    protocol: str
    agent: str
    subscriptions: tuple[str, ...]
    others: int
    busy: str
    rate: str
    unsent: str
    disconnect_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row of the table of refusals."""

    at: SafeString | str
    name: str
    address: str
    reason: str
    words: str
    status: int


class ConnectionsPage(BasePage):
    """Open connections and recent refusals."""

    template = "dashboard/connections.html"
    title = "Connections"
    section = "connections"
    needs = "view_connection"
    parts = {"connections": 1_000, "refusals": 2_000}

    def prepare(self) -> None:
        """Read the name of the client, if only one is asked for."""
        self.client = self.query.get("client", "")[:64].strip()

    def connections(self) -> dict[str, Any]:
        """The table of who is connected."""
        found = connections(client=self.client or None)
        return {
            "rows": [_line(one) for one in found[:_LISTED]],
            "count": number(len(found)),
            "more": len(found) > _LISTED,
            "client": self.client,
            "may_disconnect": self.viewer.disconnect,
        }

    def refusals(self) -> list[Refusal]:
        """The table of who was refused."""
        return [_refusal(one) for one in refusals()[:_REFUSALS]]


def _line(one: ConnectionRow) -> Line:
    return Line(
        connection=one.connection,
        client=one.client,
        client_url=tasks_url(q=searched("service" if one.subscriptions else "client", one.client)),
        address=one.address,
        since=moment(one.since),
        protocol=one.protocol,
        agent=one.agent,
        subscriptions=one.subscriptions[:_NAMED],
        others=max(0, len(one.subscriptions) - _NAMED),
        busy=number(one.busy),
        rate=number(one.rate),
        unsent=size(one.unsent) if one.unsent else "0",
        disconnect_url=disconnect_url(one.connection),
    )


def _refusal(one: RefusalRow) -> Refusal:
    return Refusal(
        at=moment(one.at),
        name=one.name,
        address=one.address,
        reason=one.reason,
        words=REASONS.get(one.reason, "See docs/observability.md."),
        status=one.status,
    )
