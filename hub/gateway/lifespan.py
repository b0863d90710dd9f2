"""Starts and stops the hub with the server that hosts it (ASGI lifespan)."""

from hub.gateway.entrance import entrance
from hub.gateway.handshake import Receive, Scope, Send


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """The ASGI application for scopes of type ``lifespan``."""
    await receive()  # lifespan.startup
    try:
        await entrance.open()
    except Exception as error:  # noqa: BLE001  (told to the server, which ends)
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    await entrance.close()
    await send({"type": "lifespan.shutdown.complete"})
