"""``/healthz`` and ``/readyz``: for load balancers and supervisors, without login.

Answered before Django, on the loop: whoever asks does so by an address of the moment, without
TLS, and must not wait for a thread.
"""

import json
from typing import Any

from hub import runtime as hub_runtime
from hub.gateway.entrance import entrance
from hub.gateway.handshake import Receive, Scope, Send
from hub.logs import logger
from hub.runtime import Runtime

log = logger(__name__)

ALIVE, READY = "/healthz", "/readyz"


class Health:
    """An ASGI application in front of another one: answers for two paths, hands on the rest."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI application."""
        if scope["path"] not in (ALIVE, READY) or scope["method"] not in ("GET", "HEAD"):
            await self._application(scope, receive, send)
        elif scope["path"] == ALIVE:
            await _answer(scope, send, 200, {"alive": True})
        else:
            reasons = await _why_not()
            status = 503 if reasons else 200
            await _answer(scope, send, status, {"ready": not reasons, "reasons": reasons})


async def _why_not() -> list[str]:
    """Why no tasks are taken, in words; empty: they are."""
    runtime = hub_runtime.current()
    if runtime is None:
        runtime = await _started()
    return ["The hub does not run; its log says why."] if runtime is None else runtime.not_ready()


async def _started() -> Runtime | None:
    """Under daphne the hub starts when it is first asked for: this may be what asks."""
    if not hub_runtime.may_start():
        return None
    try:
        runtime, _ = await entrance.open()
    except Exception:
        log.exception("hub_start_failed")
        return None
    return runtime


async def _answer(scope: Scope, send: Send, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    shown = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": shown})
