"""Where a WebSocket frame comes in: the hub's Channels consumer (docs/protocol.md §2)."""

import logging
from dataclasses import asdict
from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings

from hub.core.errors import Rejection
from hub.core.presence import Presence
from hub.gateway import handshake
from hub.gateway.asgi_writer import AsgiWriter
from hub.gateway.authentication import access_of
from hub.gateway.direct_writer import EXTENSION
from hub.gateway.door import Door
from hub.gateway.entrance import entrance
from hub.gateway.handshake import V1, Receive, Refused, Scope, Send
from hub.gateway.session import Session, Writer
from hub.gateway.websocket import TOO_BIG
from hub.pipeline import Pipeline
from hub.protocol import encode
from hub.protocol.frames import text_of
from hub.router.port import Outgoing
from hub.runtime import Runtime

log = logging.getLogger("hub.gateway")


class HubConsumer(AsyncConsumer):  # type: ignore[misc]
    """One connection of a client, from its handshake to its end.

    It is a Channels consumer with a receive loop of its own: the inherited one hops to a thread
    for each message (``aclose_old_connections``), which costs ten times what a message does here.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI application."""
        await receive()  # websocket.connect
        try:
            runtime, door = await _open(scope)
            revision, grants = await door.admit(scope)
            _refuse_when_draining(runtime)  # it may have begun meanwhile
        except Refused as refused:
            await handshake.refuse(scope, send, refused)
            return
        subprotocol = handshake.subprotocol(scope)
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        writer: Writer = scope.get("extensions", {}).get(EXTENSION) or AsgiWriter(send)
        session = Session(
            writer=writer,
            client=grants.name,
            key_id=grants.key_id,
            v1=subprotocol == V1,
            limits=runtime.limits,
        )
        if session.v1:
            session.send(Outgoing(_welcome(session, runtime)))
        door.enter(session, grants, revision)
        runtime.pipeline.connect(session, access_of(grants), _presence(session, scope, runtime))
        try:
            await self._receive(session, runtime, door, receive)
        finally:
            runtime.pipeline.disconnect(session.connection)
            door.leave(session)
            if isinstance(writer, AsgiWriter):
                writer.stop()

    async def _receive(
        self, session: Session, runtime: Runtime, door: Door, receive: Receive
    ) -> None:
        pipeline, limits = runtime.pipeline, runtime.limits
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            if (delay := door.delay(session)) > 0:
                await session.pause(delay)
            if session.closed or runtime.draining:
                # §2.8: no stale right. None of it is acknowledged; its sender sends it again.
                continue
            text = _text(message, limits.max_frame_bytes, session, pipeline)
            if text is not None and (pending := pipeline.receive(session, text)) is not None:
                await session.wait_for(pending)


async def _open(scope: Scope) -> tuple[Runtime, Door]:
    """The runtime and its door, if this is the way in at all. Raises Refused."""
    if scope["path"] not in handshake.PATHS:
        raise Refused(404, "The hub listens on / and /ws/.")
    handshake.check_origin(scope, settings.ALLOWED_HOSTS)
    try:
        runtime, door = await entrance.open()
    except Exception:
        log.exception("the hub could not be started")
        raise Refused(503, "The hub cannot serve; its log says why.", retry_after=5) from None
    _refuse_when_draining(runtime)
    return runtime, door


def _refuse_when_draining(runtime: Runtime) -> None:
    if runtime.draining:
        raise Refused(503, "The hub is restarting; come back in a moment.", retry_after=1)


def _text(message: dict[str, Any], limit: int, session: Session, pipeline: Pipeline) -> str | None:
    """The frame's text; None after an answer of its own to one that has none (§2.4)."""
    text = message.get("text")
    if text is None:
        data: bytes = message.get("bytes") or b""
        try:
            text = text_of(data)
        except Rejection as rejection:
            pipeline.unreadable(session, rejection)
            return None
    # uvicorn counts bytes before it decodes; daphne has no limit of its own.
    if len(text) > limit or (not text.isascii() and len(text.encode()) > limit):
        session.close(TOO_BIG)
        return None
    return str(text)


def _welcome(session: Session, runtime: Runtime) -> str:
    return encode.welcome(
        connection_id=session.connection,
        session=session.token,
        epoch=runtime.epoch,
        hub=runtime.version,
        limits=asdict(runtime.limits),
        now=runtime.clock(),
    )


def _presence(session: Session, scope: Scope, runtime: Runtime) -> Presence:
    return Presence(
        connection=session.connection,
        client=session.client,
        address=handshake.address(scope),
        protocol=V1 if session.v1 else "legacy",
        since=runtime.clock(),
    )
