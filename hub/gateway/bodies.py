"""Bodies of HTTP requests are bounded before Django sees them.

Django keeps a body on disk before it asks who sent it, however long it is: a stranger could fill
the disk.
"""

import json
from typing import Any, Final

from hub.conf import hub_settings
from hub.gateway.handshake import Receive, Scope, Send, header

#: Forms of the admin have to fit too, whatever the limit of a frame is. Django's own limit.
LEAST_BYTES: Final = 2_621_440

_PROBLEM: Final = {
    "type": "/docs/api.md#too-big",
    "title": "Request Entity Too Large",
    "status": 413,
    "code": "too-big",
    "retry": False,
}


class TooLong(Exception):  # noqa: N818
    """More has come than is taken."""


class BoundedBodies:
    """An ASGI application in front of another one: refuses bodies that are too long."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI application."""
        limit = max(hub_settings().limits.max_frame_bytes, LEAST_BYTES)
        announced = header(scope, b"content-length") or b"0"
        if announced.isdigit() and int(announced[:20]) > limit:
            await _refuse(send, limit)
            return
        left, began = limit, False

        async def counted() -> dict[str, Any]:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLong
            return message

        async def noted(message: dict[str, Any]) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._application(scope, counted, noted)
        except TooLong:
            if not began:
                await _refuse(send, limit)


async def _refuse(send: Send, limit: int) -> None:
    body = json.dumps({**_PROBLEM, "detail": f"The body is longer than {limit} bytes."}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),  # what is still on its way is not read
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
