"""Any program as a handler: the payload on its stdin, the result from its stdout.

Lines on stderr that begin with `@progress` or `@update` are updates:

    @progress 3/10 resizing       {"done": 3, "total": 10, "message": "resizing"}
    @update {"any": "JSON"}       {"any": "JSON"}

All others go to this process's stderr, and the last of them become the message of a fail or drop.
Exit code 0 is success, 75 (EX_TEMPFAIL) drop, any other, or a signal, fail.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from taskhub._errors import Refused
from taskhub._job import Drop, Job
from taskhub.cli._screen import Screen
from taskhub.cli._text import result_read, to_json

#: sysexits.h has it for "try again later": here, by another service.
DROP_EXIT: Final = os.EX_TEMPFAIL
#: Bytes of stdout that are read; the hub takes far less in one frame.
LARGEST_OUTPUT: Final = 16 * 1024 * 1024
#: Bytes of one line on stderr.
_LONGEST_LINE: Final = 64 * 1024
#: Lines of stderr that become a message, and how many characters of them.
_LAST_LINES, _LAST_CHARACTERS = 20, 4_000
#: Seconds between SIGTERM and SIGKILL, less than the client waits for a cancelled handler.
_GRACE: Final = 3.0

_PROGRESS: Final = re.compile(r"@progress (\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?(?:\s+(.*\S))?\s*")


def update_read(line: str) -> tuple[Any] | None:
    """The value of the update that a line of stderr is, in a tuple; None if it is none."""
    if (found := _PROGRESS.fullmatch(line)) is not None:
        done, total, message = found.groups()
        fields = {
            "done": msgspec.json.decode(done),
            "total": total and msgspec.json.decode(total),
            "message": message,
        }
        return ({name: value for name, value in fields.items() if value is not None},)
    if line.startswith("@update "):
        with contextlib.suppress(msgspec.DecodeError, ValueError, RecursionError):
            return (msgspec.json.decode(line.removeprefix("@update ").encode()),)
    return None


class Program:
    """Runs a command line for each job; an instance is a handler."""

    def __init__(self, words: Sequence[str], screen: Screen) -> None:
        self._words = words
        self._screen = screen

    async def __call__(self, job: Job) -> Any:
        """The result. Raises Drop, and says fail by itself."""
        process = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "TASKHUB_TASK": job.task_id,
                "TASKHUB_ACTION": job.action,
                "TASKHUB_BY": job.by,
            },
            # Ctrl-C must not reach it: jobs at work are let finish.
            start_new_session=True,
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_feed(process, to_json(job.payload).encode() + b"\n"))
                reading = group.create_task(_read(process))
                listening = group.create_task(self._listen(process, job))
            await process.wait()
        except BaseException:
            await _end(process)
            raise
        return await _outcome(job, process.returncode or 0, reading.result(), listening.result())

    async def _listen(self, process: asyncio.subprocess.Process, job: Job) -> str:
        """Pass updates on; the last lines that were none."""
        last: deque[str] = deque(maxlen=_LAST_LINES)
        async for line in _lines(process.stderr):
            if (update := update_read(line)) is None:
                last.append(line)
                self._screen.say(line, taskId=job.task_id, stderr=line)
                continue
            try:
                await job.update(*update)
            except Refused as refused:
                self._screen.say(f"{job!r}: {refused}", taskId=job.task_id, message=str(refused))
        return "\n".join(last)[-_LAST_CHARACTERS:]


async def _outcome(job: Job, code: int, output: bytes, message: str) -> Any:
    if len(output) > LARGEST_OUTPUT:
        raise OverflowError(f"The program printed more than {LARGEST_OUTPUT} bytes.")
    if code == 0:
        return result_read(output)
    if code == DROP_EXIT:
        raise Drop(message or None)
    how = {"exit": code} if code > 0 else {"signal": signal.Signals(-code).name}
    await job.fail({**how, "message": message})
    return None


async def _feed(process: asyncio.subprocess.Process, payload: bytes) -> None:
    assert process.stdin is not None
    # A program need not read what it does not want.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(payload)
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while chunk := await process.stdout.read(_LONGEST_LINE):
        output += chunk
        if len(output) > LARGEST_OUTPUT:
            _signal(process, signal.SIGKILL)
            break
    return bytes(output)


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    """The lines of a stream; what is longer than a line may be comes in pieces."""
    assert stream is not None
    rest = b""
    while chunk := await stream.read(_LONGEST_LINE):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program whose job is over, and all it has begun, though it may itself have exited."""
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        _signal(process, signal.SIGKILL)


def _signal(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    # It leads a session, and so a group, of its own: its children hear it as well.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, which)
