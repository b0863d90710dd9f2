"""The way to the hub over one connection after the other: read, write, connect again."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from taskhub._address import Address
from taskhub._backoff import Backoff
from taskhub._connect import connection_open
from taskhub._errors import (
    AuthenticationError,
    ConnectionFailed,
    ConnectionLost,
    PayloadTooLarge,
    ProtocolError,
    TaskHubError,
)
from taskhub._outbox import Outbox
from taskhub._wire import Message, message_decode

log = logging.getLogger("taskhub")

_UNREADABLE: Final = 1002
_TOO_BIG: Final = 1009
_REVOKED: Final = 4401
#: Another connection has taken this one's place (docs/protocol.md §2.7).
_RESUMED: Final = 4409
#: It reads too slowly or sends too fast: to come back at once would not help.
_TOO_MUCH: Final = frozenset({4408, 4429})
_UNAUTHORIZED: Final = 401
#: Seconds for resuming or subscribing anew.
_RESTORE_TIMEOUT: Final = 60.0


class Listener(Protocol):
    """What happens on a line, told to who is on it."""

    async def restore(self, welcome: Message) -> None:
        """A new connection was welcomed: make of it what the last one was."""

    def receive(self, message: Message) -> None:
        """One message. Must neither wait nor raise."""

    def over(self, error: TaskHubError) -> None:
        """There will be no connection any more."""


class Line:
    """Keeps a connection up until it is closed, or the hub refuses the credentials."""

    def __init__(self, *, address: Address, outbox: Outbox, listener: Listener) -> None:
        self._address = address
        self._outbox = outbox
        self._listener = listener
        self._backoff = Backoff()
        self._connection: ClientConnection | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = False
        self._notice = ""
        #: Of the present connection: it is what the last one was, and has been of use since.
        self._restored = self._useful = False
        #: Why there is no connection any more.
        self.error: TaskHubError | None = None

    async def open(self) -> None:
        """Connect and restore. Raises ConnectionFailed, AuthenticationError, and refusals."""
        connection, welcome = await connection_open(self._address)
        self._connection = connection
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = asyncio.create_task(
            self._supervise(connection, welcome, ready), name="taskhub connection"
        )
        try:
            await ready
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection and have none again."""
        self._closing = True
        if self._connection is not None:
            await self._connection.close()
        if self._supervisor is not None:
            # It may be waiting to connect again.
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})

    async def _supervise(
        self, connection: ClientConnection, welcome: Message, ready: asyncio.Future[None]
    ) -> None:
        error: TaskHubError = ConnectionLost("The client was closed.")
        try:
            while True:
                lost = await self._use(connection, welcome, ready)
                if self._closing or not isinstance(lost, ConnectionLost) or lost.code == _RESUMED:
                    error = error if self._closing else lost
                    return
                if self._useful and lost.code not in _TOO_MUCH:
                    self._backoff.reset()
                log.warning("%s Connecting again.", lost)
                connection, welcome = await self._connect_again()
        except TaskHubError as fatal:
            error = fatal
        except Exception as broken:
            log.exception("The client broke")
            error = TaskHubError(f"The client broke, which is a mistake in it: {broken!r}.")
            await connection.close()
        finally:
            self.error = error
            self._outbox.close(error)
            self._listener.over(error)
            if not ready.done():
                ready.set_exception(error)

    async def _use(
        self, connection: ClientConnection, welcome: Message, ready: asyncio.Future[None]
    ) -> TaskHubError:
        """One connection from its welcome to its end; why it ended."""
        self._notice = ""
        self._restored = self._useful = False
        self._outbox.connected()
        helpers = {
            asyncio.create_task(self._write(connection), name="taskhub write loop"),
            asyncio.create_task(self._restore(connection, welcome, ready), name="taskhub restore"),
        }
        try:
            broken = await self._read(connection)
        finally:
            for helper in helpers:
                helper.cancel()
            lost = self._why_closed(connection)
            self._outbox.connection_lost(lost)
            await asyncio.gather(*helpers, return_exceptions=True)
        return broken or lost

    async def _restore(
        self, connection: ClientConnection, welcome: Message, ready: asyncio.Future[None]
    ) -> None:
        try:
            self._outbox.max_frame = welcome.limit("max_frame_bytes")
            async with asyncio.timeout(_RESTORE_TIMEOUT):
                await self._listener.restore(welcome)
        except TimeoutError:
            log.warning("The hub did not answer within %g s.", _RESTORE_TIMEOUT)
            await connection.close()
        except ConnectionLost:
            log.debug("lost again before it was restored")
        except TaskHubError as error:
            if ready.done():
                log.exception("What the last connection was cannot be restored")
            else:
                ready.set_exception(error)
        else:
            self._restored = True
            if not ready.done():
                ready.set_result(None)

    async def _write(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the read loop knows why it closed
            while True:
                entry = await self._outbox.next()
                entry.sent += 1
                await connection.send(entry.frame, text=True)

    async def _read(self, connection: ClientConnection) -> TaskHubError | None:
        try:
            while True:
                message = message_decode(await connection.recv(decode=False))
                if message.status == "error" and message.answers is None:
                    # Not about a command: usually why the hub is about to close.
                    self._notice = message.message
                    log.warning("The hub says: %s", message.message)
                self._listener.receive(message)
                self._useful = self._restored
        except ConnectionClosed:
            pass
        except msgspec.DecodeError as error:
            await connection.close(_UNREADABLE)
            return ProtocolError(
                f"This client cannot read a message of the hub: {error}. "
                "Update the client, or the hub."
            )
        return None

    def _why_closed(self, connection: ClientConnection) -> TaskHubError:
        code, reason = connection.close_code, connection.close_reason
        said: Iterable[str] = filter(None, (self._notice, reason))
        if code == _REVOKED:
            why = " ".join(said) or "The key was revoked or the client disabled."
            return AuthenticationError(f"{why} Ask an administrator of the hub.", status=code)
        if code == _TOO_BIG:
            self._outbox.too_big(PayloadTooLarge("too-big", "The hub could not take the frame."))
        return ConnectionLost(
            " ".join((f"The connection to the hub was lost ({code}).", *said)), code=code
        )

    async def _connect_again(self) -> tuple[ClientConnection, Message]:
        while True:
            await asyncio.sleep(self._backoff.next())
            try:
                connection, welcome = await connection_open(self._address)
            except ConnectionFailed as failed:
                # 403 is also what a server answers that knows no other status (§2.2).
                if failed.status == _UNAUTHORIZED:
                    raise
                log.info("Not connected again yet: %s", failed)
            else:
                self._connection = connection
                return connection, welcome
