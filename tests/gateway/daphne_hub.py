"""Run by test_daphne: the hub's consumer under daphne, over the pipeline that echoes."""

import asyncio
import logging
import sys
from typing import Any

import django
from daphne.server import Server

django.setup()

from hub.core.limits import Limits  # noqa: E402
from hub.gateway import consumers  # noqa: E402
from hub.router.port import Outgoing  # noqa: E402
from tests.gateway.harness import Hub  # noqa: E402


class DaphneHub(Hub):
    """Commands of the test arrive as frames."""

    async def open(self) -> Any:
        """Stands in for the entrance of the process."""
        self.pipeline.receive = self._receive  # type: ignore[method-assign]
        return await super().open()

    def _receive(self, sink: Any, text: str) -> Any:
        if text.startswith("close "):
            sink.close(int(text.split()[1]))
        elif text.startswith("fill "):
            for _ in range(int(text.split()[1])):
                sink.send(Outgoing("x" * 100_000))
        elif text == "hold":
            return asyncio.sleep(0.5)
        elif not text.startswith("x"):
            sink.send(Outgoing(text))
        return None


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    hub = DaphneHub(Limits(max_frame_bytes=5_000, max_outbox_bytes=1_000_000))
    vars(consumers)["entrance"] = hub
    server = Server(
        consumers.HubConsumer.as_asgi(), [f"tcp:port={sys.argv[1]}:interface=127.0.0.1"]
    )
    server.run()
