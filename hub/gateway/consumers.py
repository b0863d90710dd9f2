"""Where a WebSocket frame comes in: the hub's Channels consumer (docs/protocol.md §2)."""

from dataclasses import asdict

from channels.consumer import AsyncConsumer
from django.conf import settings

from hub.admission import access_of
from hub.clock_and_ids import system_time
from hub.core.presence import Presence
from hub.counts import RefusedHandshake, traffic
from hub.gateway import direct_reader, direct_writer, handshake
from hub.gateway.asgi_writer import AsgiWriter
from hub.gateway.direct_reader import ABNORMAL, DirectReader
from hub.gateway.door import Door
from hub.gateway.entrance import entrance
from hub.gateway.handshake import V1, Receive, Refused, Scope, Send
from hub.gateway.intake import Intake
from hub.gateway.session import Session, Writer
from hub.logs import logger
from hub.protocol import encode
from hub.router.port import Outgoing
from hub.runtime import Runtime

log = logger(__name__)


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
            _say_refused(scope, refused)
            await handshake.refuse(scope, send, refused)
            return
        subprotocol = handshake.subprotocol(scope)
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        writer: Writer = scope.get("extensions", {}).get(direct_writer.EXTENSION) or AsgiWriter(
            send
        )
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
        presence = _presence(session, scope, runtime)
        runtime.pipeline.connect(session, access_of(grants), presence)
        traffic.accepted[presence.protocol] += 1
        session.log.info("connection_opened", address=presence.address, protocol=presence.protocol)
        code = ABNORMAL
        try:
            code = await _read(scope, receive, session, Intake(session, runtime, door))
        finally:
            runtime.pipeline.disconnect(session.connection)
            door.leave(session)
            seconds = (runtime.clock() - presence.since) / 1000
            by_hub = session.close_code or _refused(scope)
            session.log.info(
                "connection_closed",
                code=by_hub or code,
                by="hub" if by_hub else "peer",
                seconds=round(seconds, 1),
            )
            if isinstance(writer, AsgiWriter):
                writer.stop()


async def _read(scope: Scope, receive: Receive, session: Session, intake: Intake) -> int:
    """Take frames until the connection ends, past ASGI ``receive`` where the server can.

    Returns the close code of the peer.
    """
    if (reader := _reader(scope)) is not None:
        return await reader.read(intake.take)
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        pending = intake.take(message.get("bytes") or b"" if text is None else text)
        if pending is not None:
            await session.wait_for(pending)
    return int(message.get("code") or ABNORMAL)


def _reader(scope: Scope) -> DirectReader | None:
    reader: DirectReader | None = scope.get("extensions", {}).get(direct_reader.EXTENSION)
    return reader


def _refused(scope: Scope) -> int | None:
    """The code with which the server closed the connection for a frame no peer may send."""
    reader = _reader(scope)
    return reader.refused if reader is not None else None


async def _open(scope: Scope) -> tuple[Runtime, Door]:
    """The runtime and its door, if this is the way in at all. Raises Refused."""
    if scope["path"] not in handshake.PATHS:
        raise Refused(404, "The hub listens on / and /ws/.", reason="path")
    handshake.check_origin(scope, settings.ALLOWED_HOSTS)
    try:
        runtime, door = await entrance.open()
    except Exception:
        log.exception("hub_start_failed")
        raise Refused(
            503, "The hub cannot serve; its log says why.", reason="failed", retry_after=5
        ) from None
    _refuse_when_draining(runtime)
    return runtime, door


def _refuse_when_draining(runtime: Runtime) -> None:
    if runtime.draining:
        raise Refused(
            503, "The hub is restarting; come back in a moment.", reason="draining", retry_after=1
        )


def _say_refused(scope: Scope, refused: Refused) -> None:
    fields = {"address": handshake.address(scope), "name": refused.name}
    traffic.refuse(
        RefusedHandshake(
            at=system_time(),
            address=handshake.address(scope),
            name=refused.name or "",
            reason=refused.reason,
            status=refused.status,
        )
    )
    if refused.reason == "wrong-key":
        log.warning("wrong_key", **fields)
    elif refused.reason == "locked":
        log.warning("address_locked", **fields)
    else:
        log.info("handshake_refused", reason=refused.reason, status=refused.status, **fields)


def _welcome(session: Session, runtime: Runtime) -> str:
    return encode.welcome(
        connection_id=session.connection,
        session=str(session.token),
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
        agent=handshake.agent(scope),
    )
