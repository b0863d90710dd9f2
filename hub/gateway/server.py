"""uvicorn's server with the end a hub needs: drain first, then close (docs/protocol.md §2.7)."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Generator
from types import FrameType

import uvicorn

from hub.gateway.websocket import HubWebSocketProtocol

#: New objects between two looks for cycles, and looks between two at older objects (Python's
#: own: 700, 10, 10).
GC_THRESHOLDS = (20_000, 10, 10)
#: How long a stopping hub waits for the answers to its close frames.
FAREWELL_S = 1.0


def _spare_the_collector() -> None:
    """Have Python look for cycles less often, and never among what was made at the start.

    The hub makes next to none; a full look at all of Django takes tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class HubServer(uvicorn.Server):
    """uvicorn's server, draining the hub before it closes connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[int], None],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._drain = drain

    async def startup(self, sockets: object = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            _spare_the_collector()
            self._on_listening(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: object = None) -> None:
        """No new connections, running batches committed, everyone told 1012, then the end."""
        for server in self.servers:
            server.close()
        await self._drain()
        await self._hear_answers()
        await super().shutdown(sockets)  # type: ignore[arg-type]

    async def _hear_answers(self) -> None:
        """Wait for the peers' close frames: a socket closed before may lose ours (see _hang_up)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + FAREWELL_S
        while self._websockets() and loop.time() < until:  # noqa: ASYNC110  (uvicorn has no event)
            await asyncio.sleep(0.01)

    def _websockets(self) -> bool:
        connections = self.server_state.connections
        return any(isinstance(one, HubWebSocketProtocol) for one in connections)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The first signal drains, a second one ends the process at once."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As uvicorn's, but a drained hub exits with 0 instead of by the signal again."""
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {sig: signal.signal(sig, self.handle_exit) for sig in handled}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
