"""A TCP proxy before a hub that cuts all its connections when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CuttingProxy:
    """Passes bytes on, both ways; `cut` breaks every connection where it just is."""

    def __init__(self, port: int) -> None:
        self._hub_port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.url = ""
        #: Connections that were cut.
        self.cuts = 0

    def cut(self) -> None:
        """Reset both sides of every connection; bytes on the way are lost."""
        self.cuts += len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            up, down = await asyncio.open_connection("127.0.0.1", self._hub_port)
        except OSError:  # the hub is away
            writer.transport.abort()
            return
        both = {writer, down}
        self._writers |= both
        pumps = {asyncio.create_task(_pump(reader, down)), asyncio.create_task(_pump(up, writer))}
        self._pumps |= pumps
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._pumps -= pumps
            self._writers -= both
            for one in both:
                one.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting_proxy(port: int) -> AsyncIterator[CuttingProxy]:
    """A proxy on a free port of this machine, before the hub on this one."""
    proxy = CuttingProxy(port)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    async with server:
        proxy.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            yield proxy
        finally:
            proxy.cut()
