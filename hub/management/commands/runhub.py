"""``manage.py runhub``: the server, with uvicorn set up as the hub needs it."""

import asyncio
import errno
import logging
import resource
import socket
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

import uvicorn
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from hub.conf import hub_settings
from hub.gateway.entrance import entrance
from hub.gateway.server import HubServer
from hub.gateway.silent_sockets import http_protocol
from hub.gateway.websocket import HubWebSocketProtocol
from hub.lock import LockHeld
from hub.logs import logger
from hub.stores import lock_of
from hub.supervision import catch_strays

log = logger(__name__)


class Command(BaseCommand):
    """Serves until SIGTERM or Ctrl-C, then drains."""

    help = "Serve the hub, its admin and its sockets until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Part of BaseCommand."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=_port, default=8000, help="port; 0: any free one")

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        """Part of BaseCommand."""
        catch_strays()
        logging.captureWarnings(capture=True)
        _allow_open_files()
        self._migrate()
        listener = _listen(host, port)
        config = _config(host)
        server = HubServer(
            config,
            on_listening=lambda actual: self._say(host, actual),
            drain=entrance.drain,
        )
        try:
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(server.serve(sockets=[listener]))
        except SystemExit:  # uvicorn's way to say that the application did not start
            raise CommandError("The hub did not start; the lines above say why.") from None

    def _migrate(self) -> None:
        """A newcomer's first start simply works; later ones bring the tables up to date."""
        lock = lock_of(hub_settings())
        try:
            lock.acquire()  # or the tables would change under a hub that runs
        except LockHeld as held:
            raise CommandError(str(held)) from None
        try:
            self._bring_up_to_date()
        finally:
            lock.release()

    def _bring_up_to_date(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            log.info("database_migrating")
            call_command("migrate", verbosity=0)
        connection.close()

    def _say(self, host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        log.info("hub_listening", url=f"http://{shown}:{port}/", clients=f"ws://{shown}:{port}/")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _allow_open_files() -> None:
    """As many as the system lets us: systemd and most shells give 1,024 to who does not ask."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {port} of {host} is in use; choose another one with --port."
        else:
            message = f"Cannot listen on {host}, port {port}: {error.strerror}."
        raise CommandError(message) from None


def _config(host: str) -> uvicorn.Config:
    settings = hub_settings()
    limits = settings.limits
    return uvicorn.Config(
        "taskhub_site.asgi:application",
        host=host,
        loop="uvloop",
        http=http_protocol(limits.unauthenticated_per_address),
        ws=HubWebSocketProtocol,
        ws_max_size=limits.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=limits.ping_interval_ms / 1000,
        ws_ping_timeout=limits.pong_timeout_ms / 1000,
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",  # its chatter about each connection; the hub logs what matters
        server_header=False,
        # Without a proxy, whoever asks could say in X-Forwarded-For who asks.
        proxy_headers=settings.https,
        timeout_graceful_shutdown=limits.drain_timeout_ms // 1000 or 1,
    )
