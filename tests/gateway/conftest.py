"""Servers for the tests of the gateway."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
import uvloop

from hub.core.limits import Limits
from hub.gateway import consumers, server
from hub.gateway.silent_sockets import http_protocol
from hub.gateway.websocket import HubWebSocketProtocol
from tests.gateway.harness import Hub, Serving


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of `runhub`: its transports differ from asyncio's in what they do when full."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Serving:
    """`async with serving(max_frame_bytes=…) as hub`: a server with these limits."""

    @contextlib.asynccontextmanager
    async def serve(**limits: int) -> AsyncIterator[Hub]:
        hub = Hub(Limits(**limits))
        monkeypatch.setattr(consumers, "entrance", hub)
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        hub.server = server.HubServer(
            _config(hub.runtime.limits), on_listening=hub.listens, drain=hub.drain
        )
        await hub.start(listener)
        try:
            yield hub
        finally:
            await hub.vanish()

    return serve


@pytest.fixture
async def hub(serving: Serving) -> AsyncIterator[Hub]:
    """A server with the limits as they are by default."""
    async with serving() as one:
        yield one


def _config(limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        consumers.HubConsumer.as_asgi(),
        http=http_protocol(limits.unauthenticated_per_address),
        ws=HubWebSocketProtocol,
        ws_max_size=limits.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=limits.ping_interval_ms / 1000,
        ws_ping_timeout=limits.pong_timeout_ms / 1000,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
