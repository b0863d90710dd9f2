"""From an address to a connection the hub has welcomed."""

import asyncio
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from taskhub._address import Address
from taskhub._errors import AuthenticationError, ConnectionFailed
from taskhub._wire import SUBPROTOCOL, Message, message_decode

#: Seconds for the handshake, and again for the welcome.
_TIMEOUT: Final = 10.0
#: The hub's own limit is on what it receives; a list of results may be larger than each of them.
_LARGEST_MESSAGE: Final = 64 * 1024 * 1024
#: Servers that cannot answer a handshake in full turn every refusal into 403 (§2.2).
_REFUSED: Final = frozenset({401, 403})


def _agent() -> str:
    try:
        return f"taskhub/{version('taskhub')}"
    except PackageNotFoundError:  # run from a checkout
        return "taskhub/dev"


#: What operators of the hub see of this program.
_AGENT: Final = _agent()


async def connection_open(address: Address) -> tuple[ClientConnection, Message]:
    """Connect and take the welcome. Raises ConnectionFailed or AuthenticationError."""
    connection = await _handshake(address)
    try:
        return connection, await _welcomed(connection, address)
    except BaseException:
        await connection.close()
        raise


async def _handshake(address: Address) -> ClientConnection:
    try:
        return await connect(
            address.url,
            additional_headers={"Authorization": address.authorization},
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            user_agent_header=_AGENT,
            compression=None,
            max_size=_LARGEST_MESSAGE,
            open_timeout=_TIMEOUT,
            close_timeout=5,
            # A proxy from the environment must not come between two processes of one machine.
            proxy=None if address.is_loopback else True,
        )
    except InvalidStatus as error:
        raise _refused(address, error.response.status_code) from error
    except (OSError, WebSocketException) as error:
        raise ConnectionFailed(f"The hub at {address.url} was not reached: {error}.") from error


def _refused(address: Address, status: int) -> ConnectionFailed:
    if status in _REFUSED:
        return AuthenticationError(
            f"The hub at {address.url} refuses {address.name!r} with this key ({status}). The "
            "name or key is wrong, the key was revoked or has expired, or the client is disabled.",
            status=status,
        )
    return ConnectionFailed(
        f"The hub at {address.url} refused the connection with status {status}. "
        + {
            429: "This client has too many connections, or too many keys were wrong.",
            503: "It is stopping or starting; come back.",
        }.get(status, "Is this the address of a hub?"),
        status=status,
    )


async def _welcomed(connection: ClientConnection, address: Address) -> Message:
    failed = f"{address.url} is not a hub that speaks {SUBPROTOCOL}"
    if connection.subprotocol != SUBPROTOCOL:
        raise ConnectionFailed(f"{failed}: it did not choose it.")
    try:
        async with asyncio.timeout(_TIMEOUT):
            first = message_decode(await connection.recv())
    except TimeoutError:
        raise ConnectionFailed(f"{failed}: it sent no welcome in {_TIMEOUT:g} s.") from None
    except (ConnectionClosed, msgspec.DecodeError) as error:
        raise ConnectionFailed(f"{failed}: {error}.") from error
    if first.type != "welcome":
        raise ConnectionFailed(f"{failed}: its first message is no welcome. {first.message}")
    return first
