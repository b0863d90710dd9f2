"""The application: HTTP to Django, WebSockets to the hub. For uvicorn, daphne and runserver."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub_site.settings")
django_application = get_asgi_application()

# Only now: these import models.
from hub.gateway.bodies import BoundedBodies  # noqa: E402
from hub.gateway.consumers import HubConsumer  # noqa: E402
from hub.gateway.health import Health  # noqa: E402
from hub.gateway.lifespan import lifespan  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": Health(BoundedBodies(django_application)),
        "websocket": HubConsumer.as_asgi(),
        "lifespan": lifespan,
    }
)
