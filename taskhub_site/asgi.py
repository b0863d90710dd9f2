"""The application: HTTP to Django, WebSockets to the hub. For uvicorn, daphne and runserver."""

import os
from typing import Final

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub_site.settings")
django_application = get_asgi_application()

# Only now: these import models.
from hub.dashboard.live import LiveConsumer  # noqa: E402
from hub.gateway.bodies import BoundedBodies  # noqa: E402
from hub.gateway.consumers import HubConsumer  # noqa: E402
from hub.gateway.handshake import Receive, Scope, Send  # noqa: E402
from hub.gateway.health import Health  # noqa: E402
from hub.gateway.lifespan import lifespan  # noqa: E402

#: Where the pages of the dashboard connect; everything else is a client's.
LIVE_PATH: Final = "/live/"

_live, _hub = LiveConsumer.as_asgi(), HubConsumer.as_asgi()


async def websockets(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for scopes of type ``websocket``."""
    await (_live if scope["path"] == LIVE_PATH else _hub)(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": Health(BoundedBodies(django_application)),
        "websocket": websockets,
        "lifespan": lifespan,
    }
)
