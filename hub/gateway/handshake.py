"""Reads what a client says of itself at the handshake, and answers those refused (§2.1, §2.2).

Pure but for ``refuse``, which sends.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from hub.admission import basic_pairs

V1 = "taskhub.v1"
#: Subprotocols that are known, in the order of preference.
SUBPROTOCOLS = (V1, "ws")
#: Where the hub listens.
PATHS = frozenset({"/", "/ws", "/ws/"})
#: Characters kept of a User-Agent.
AGENT_LENGTH = 128

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refused(Exception):  # noqa: N818
    """The handshake is answered by an HTTP status instead of a WebSocket."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        reason: str,
        name: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        #: for logs and figures: one of a few words
        self.reason = reason
        #: the client that it says it is, if there may be one of that name
        self.name = name
        #: seconds
        self.retry_after = retry_after


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name, or None."""
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in pairs if key.lower() == name), None)


def basic_credentials(scope: Scope) -> list[tuple[str, str]]:
    """Name and key as sent, then percent-decoded if that differs (§2.1); [] if there are none."""
    return basic_pairs(header(scope, b"authorization") or b"")


def subprotocol(scope: Scope) -> str | None:
    """The offered subprotocol that is known, the hub's own first; None: legacy (§2.3)."""
    offered = scope.get("subprotocols") or ()
    return next((known for known in SUBPROTOCOLS if known in offered), None)


def check_origin(scope: Scope, allowed: Iterable[str]) -> None:
    """Raises Refused when a page of another site asks: services send no Origin, browsers do."""
    origin = header(scope, b"origin")
    if origin is None:
        return
    try:
        host = (urlsplit(origin.decode("latin-1")).hostname or "").lower()
    except ValueError:  # an origin like "http://["
        host = ""
    if any(_matches(host, pattern.lower().strip("[]")) for pattern in allowed):
        return
    raise Refused(
        403,
        "This origin may not connect; add its host to TASKHUB_ALLOWED_HOSTS.",
        reason="origin",
    )


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("."):
        return f".{host}".endswith(pattern)
    return pattern == "*" or (host != "" and host == pattern)


def address(scope: Scope) -> str:
    """The peer's address without its port."""
    client = scope.get("client")
    return str(client[0]) if client else "local"


def agent(scope: Scope) -> str:
    """What the peer's program calls itself: the printable part of its User-Agent, cut."""
    said = (header(scope, b"user-agent") or b"")[: 4 * AGENT_LENGTH].decode(errors="replace")
    return "".join(filter(str.isprintable, said)).strip()[:AGENT_LENGTH]


async def refuse(scope: Scope, send: Send, refused: Refused) -> None:
    """Answer with the HTTP status where the server can give it, else with its bare 403.

    There is no ``WWW-Authenticate``: a browser would ask for a password, keep it, and attach it to
    requests that other sites make.
    """
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    body = json.dumps({"error": refused.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if refused.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refused.retry_after))
    start = {"type": "websocket.http.response.start", "status": refused.status}
    await send({**start, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
