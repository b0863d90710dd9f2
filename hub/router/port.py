"""What the router asks of a connection, and the message it hands over."""

from typing import Protocol

from hub.core.values import Token


def _head(size: int) -> bytes:
    if size < 126:
        return bytes((0x81, size))
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


#: Heads of the frequent sizes: making one costs more than its message's encoding.
_HEADS = [_head(size) for size in range(1_024)]


def websocket_frame(text: str) -> bytes:
    """One unmasked text frame (RFC 6455 §5.2): the same bytes for every receiver."""
    data = text.encode()
    size = len(data)
    return (_HEADS[size] if size < 1_024 else _head(size)) + data


class Outgoing:
    """Messages that leave together: encoded once, framed at most once, for any receivers."""

    __slots__ = ("_frames", "texts")

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self._frames: bytes | None = None

    @property
    def frames(self) -> bytes:
        """The messages as WebSocket frames, for writers that bypass the server's framing."""
        frames = self._frames
        if frames is None:
            frames = self._frames = b"".join(map(websocket_frame, self.texts))
        return frames


class Sink(Protocol):
    """A connection as the router sees it: it takes messages and never blocks.

    Its queue is bounded by bytes; when it is full the connection is closed with
    4408 and further messages are let go (docs/protocol.md §2.6).
    """

    #: connection id
    connection: str
    #: speaks ``taskhub.v1``; else legacy
    v1: bool
    #: what ``resume`` will present once this connection is lost (§6)
    token: Token
    #: bytes from which on a payload is told by its size only (§4.5)
    lazy_payload: int | None
    #: frames it has sent
    frames: int

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""

    def send(self, messages: Outgoing) -> None:
        """Queue these messages."""

    async def room(self) -> None:
        """Wait until the queue is less than half full, or the connection is closed."""

    def close(self, code: int) -> None:
        """Close the connection with this code; v1 is told why before (§2.7)."""

    def bad_frame(self) -> None:
        """Count an unreadable frame; too many in a minute close the connection with 1008."""
