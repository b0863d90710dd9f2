"""The command line `taskhub` as a process, begun as its installed script begins it."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import taskhub

from tests.hub_process import ROOT, HubProcess

_SCRIPTS = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]["scripts"]
_MODULE, _FUNCTION = _SCRIPTS["taskhub"].split(":")
#: What pip writes into the script `taskhub`.
SCRIPT = f"import sys; from {_MODULE} import {_FUNCTION}; sys.exit({_FUNCTION}())"
PATIENCE_S = 30


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Shell:
    """Runs the command line with this hub and client in the environment."""

    def __init__(self, url: str, name: str, key: str) -> None:
        self.key = key
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "TASKHUB_URL": url,
            "TASKHUB_NAME": name,
            "TASKHUB_KEY": key,
            "PYTHONPATH": str(ROOT / "client" / "src"),
            "PYTHONWARNINGS": "error",
        }

    def command(self, *arguments: str, before: str = "") -> list[str]:
        """The command; `before` is Python that comes first."""
        return [sys.executable, "-c", before + SCRIPT, *arguments]

    async def start(
        self, *arguments: str, before: str = "", **env: str
    ) -> asyncio.subprocess.Process:
        """A command that runs, with pipes."""
        return await asyncio.create_subprocess_exec(
            *self.command(*arguments, before=before),
            env={**self.environment, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # As on a terminal: whoever runs the tests in the background has it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    async def run(self, *arguments: str, stdin: str = "", before: str = "", **env: str) -> Done:
        """A command to its end."""
        return await ended(await self.start(*arguments, before=before, **env), stdin)

    @asynccontextmanager
    async def serving(
        self, action: str, script: str, *options: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """`sub` with a program of sh, from when it serves on."""
        command = ["sub", action, "--exec", f"sh -c {shlex.quote(script)}", *options]
        async with stopping(await self.start(*command)) as service:
            assert await line(service.stderr) == f"Serving {action}."
            yield service


@asynccontextmanager
async def stopping(
    process: asyncio.subprocess.Process,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Leave no process behind, whatever becomes of the test."""
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await ended(process)


async def ended(process: asyncio.subprocess.Process, stdin: str = "") -> Done:
    """Wait for its end."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate(stdin.encode() if process.stdin else None)
    except TimeoutError:
        process.kill()
        raise AssertionError("the command did not end") from None
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), (err or b"").decode())


async def line(stream: asyncio.StreamReader | None) -> str:
    """The next line of its output, without the newline."""
    assert stream is not None
    async with asyncio.timeout(PATIENCE_S):
        return (await stream.readline()).decode().removesuffix("\n")


async def interrupted(process: asyncio.subprocess.Process) -> Done:
    """What Ctrl-C does to it."""
    process.send_signal(signal.SIGINT)
    return await ended(process)


def shell_of(hub: HubProcess, name: str = "old") -> Shell:
    return Shell(hub.url, name, hub.keys[name])


def client_of(hub: HubProcess, name: str = "old") -> taskhub.Client:
    return taskhub.Client(hub.url, name=name, key=hub.keys[name])


def script_installed(directory: Path) -> None:
    """Write an executable `taskhub` into a directory, as pip would."""
    script = directory / "taskhub"
    script.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(SCRIPT)} "$@"\n'
    )
    script.chmod(0o755)
