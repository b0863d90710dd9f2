"""What the peers of wire tests share: one connection, its transcript, and waiting with a clock.

Each wait has a timeout of its own, and not the caller's, so that a failure shows the transcript.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

JSON = dict[str, Any]

#: Seconds a peer waits for anything, unless told.
TIMEOUT: Final = 5.0
_SHOWN_LINES: Final = 60
_SHOWN_CHARACTERS: Final = 400


def basic(name: str, key: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


class Peer:
    """One connection with its transcript; reads all the time, also when nobody asks."""

    subprotocol: str | None = None

    def __init__(self, url: str, name: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self.name = name
        self.timeout = timeout
        #: Every message of the hub, in order, also those already taken.
        self.messages: list[JSON] = []
        #: What the hub did wrong.
        self.violations: list[str] = []
        self._url, self._key = url, key
        self._transcript: list[str] = []
        self._taken = 0
        self._arrival = asyncio.Event()
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    # -- connecting

    async def connect(self) -> Self:
        """Connect and begin to read; a refused handshake raises what `websockets` raises."""
        offered = [Subprotocol(self.subprotocol)] if self.subprotocol else None
        self._connection = await connect(
            self._url,
            additional_headers={"Authorization": basic(self.name, self._key)},
            subprotocols=offered,
            compression=None,
            max_size=None,
            open_timeout=self.timeout,
            close_timeout=self.timeout,
            proxy=None,
        )
        if self._connection.subprotocol != self.subprotocol:
            self._fault(f"offered {self.subprotocol!r}, got {self._connection.subprotocol!r}")
        self._reader = asyncio.create_task(self._read(self._connection))
        return self

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
        if exc is None:
            self.check()

    async def close(self) -> None:
        """Close the connection in good order."""
        if self._connection is not None and self._reader is not None:
            await self._connection.close()
            await self._reader

    async def vanish(self) -> None:
        """Lose the connection without a word, as a pulled plug does."""
        assert self._connection is not None
        assert self._reader is not None
        self._connection.transport.abort()
        await self._reader

    async def closed(self, timeout: float | None = None) -> int | None:  # noqa: ASYNC109
        """Wait until the hub closes the connection; the close code."""
        assert self._reader is not None
        assert self._connection is not None
        done, _ = await asyncio.wait({self._reader}, timeout=timeout or self.timeout)
        if not done:
            self.blame("The hub did not close the connection in time.")
        return self._connection.close_code

    # -- talking

    async def send(self, frame: JSON | str | bytes) -> None:
        """Send a command, or raw text or bytes as they are."""
        self.check()
        assert self._connection is not None, "connect first"
        text = json.dumps(frame) if isinstance(frame, dict) else frame
        self._note("->", text)
        self._sending(frame)
        await self._connection.send(text)

    async def next_message(self, timeout: float | None = None) -> JSON:  # noqa: ASYNC109
        """The next message not taken yet, in the order of arrival."""
        try:
            async with asyncio.timeout(timeout or self.timeout):
                while True:
                    self.check()
                    if self._taken < len(self.messages):
                        self._taken += 1
                        return self.messages[self._taken - 1]
                    if self._reader is None or self._reader.done():
                        self.blame("The connection is closed; nothing more will come.")
                    self._arrival.clear()
                    await self._arrival.wait()
        except TimeoutError:
            self.blame(f"No message within {timeout or self.timeout:g} s.")

    async def collect(
        self,
        until: Callable[[JSON], bool],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[JSON]:
        """Messages up to and including the first for which `until` holds."""
        collected: list[JSON] = []
        try:
            async with asyncio.timeout(timeout or self.timeout):
                while not collected or not until(collected[-1]):
                    # The outer clock rules: no message may arrive early and reset it.
                    collected.append(await self.next_message(timeout=3600))
        except TimeoutError:
            self.blame(f"What was waited for did not come within {timeout or self.timeout:g} s.")
        return collected

    def untaken(self) -> list[JSON]:
        """What has arrived and was not taken yet; takes it. For "nothing else came"."""
        rest = self.messages[self._taken :]
        self._taken = len(self.messages)
        return rest

    # -- judging

    def check(self) -> None:
        """Fail if the hub has done anything wrong so far."""
        if self.violations:
            self.blame("; ".join(self.violations))

    def blame(self, what: str) -> NoReturn:
        """Fail with the transcript."""
        __tracebackhide__ = True
        hidden = len(self._transcript) - _SHOWN_LINES
        head = [f"   ({hidden} earlier lines)"] if hidden > 0 else []
        lines = "\n".join([*head, *self._transcript[-_SHOWN_LINES:]])
        raise AssertionError(f"{type(self).__name__} {self.name}: {what}\n{lines}")

    def _fault(self, what: str) -> None:
        self.violations.append(what)
        self._note("!!", what)

    def _note(self, mark: str, text: str | bytes) -> None:
        line = text if isinstance(text, str) else repr(text)
        cut = "…" if len(line) > _SHOWN_CHARACTERS else ""
        self._transcript.append(f"   {mark} {line[:_SHOWN_CHARACTERS]}{cut}")

    async def _read(self, connection: ClientConnection) -> None:
        try:
            async for frame in connection:
                self._note("<-", frame)
                self._receive(frame)
                self._arrival.set()
        except ConnectionClosed:
            pass
        finally:
            self._note("--", f"closed {connection.close_code} {connection.close_reason}")
            self._arrival.set()

    def _receive(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._fault("a binary frame; messages are text (§2.4)")
        try:
            message = json.loads(frame)
        except ValueError as error:
            self._fault(f"not JSON: {error}")
            return
        if not isinstance(message, dict):
            self._fault("not an object")
            return
        self.messages.append(message)
        self._judge(message)

    def _sending(self, frame: JSON | str | bytes) -> None:
        """A subclass looks at what is sent."""

    def _judge(self, message: JSON) -> None:
        """A subclass looks at what arrives."""
