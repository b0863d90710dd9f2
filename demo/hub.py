"""The hub as a process: started, waited for, stopped."""

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from demo.errors import DemoFailed
from demo.prepare import ROOT, manage_command

HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 8000
_SECONDS_TO_START: Final = 30.0
_SECONDS_TO_STOP: Final = 15.0
_SHOWN_LINES: Final = 15


class Hub:
    """A running hub."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.port = port
        self._process = process
        self._log = log

    async def died(self) -> NoReturn:
        """Wait for the hub to end by itself, which it should not. Raises DemoFailed."""
        code = await self._process.wait()
        raise DemoFailed(
            f"The hub ended with {code}. The last lines of {self._log}:\n{self._last_lines()}"
        )

    async def listen(self) -> None:
        """Return when the hub accepts connections. Raises DemoFailed when it will not."""
        death = asyncio.create_task(self.died())
        try:
            async with asyncio.timeout(_SECONDS_TO_START):
                while not death.done() and not await self._answers():
                    await asyncio.wait({death}, timeout=0.1)
            if death.done():
                await death
        except TimeoutError:
            raise DemoFailed(
                f"The hub does not listen on port {self.port} after {_SECONDS_TO_START:g} s; "
                f"see {self._log}."
            ) from None
        finally:
            death.cancel()

    async def stop(self) -> None:
        """Ask the hub to end and see that it does."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_SECONDS_TO_STOP):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_SHOWN_LINES:]) or "(it is empty)"

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True


@asynccontextmanager
async def hub_running(
    *, environment: Mapping[str, str], port: int, log: Path
) -> AsyncIterator[Hub]:
    """A hub that listens; it is stopped on the way out, whatever happens."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *manage_command("runhub", "--port", str(port)),
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            # Ctrl-C goes to the terminal's whole process group. The hub is to be stopped after
            # its clients, so it gets a group of its own.
            process_group=0,
        )
    finally:
        os.close(descriptor)
    hub = Hub(process, port, log)
    try:
        await hub.listen()
        yield hub
    finally:
        await hub.stop()


def port_choose(wanted: int | None) -> int:
    """The port asked for, else the usual one if it is free, else any. Raises DemoFailed."""
    # Asked for and taken, the port's other owner would be mistaken for the hub.
    for port in (USUAL_PORT, 0) if wanted is None else (wanted,):
        with socket.socket() as probe, suppress(OSError, OverflowError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise DemoFailed("No port is free." if wanted is None else f"Port {wanted} cannot be used.")


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Make and hold the data directory: a second demo would end the keys of the first."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoFailed(
                f"A demo is running with {data_dir} already. Stop it, or pass another --data-dir."
            ) from None
        yield
