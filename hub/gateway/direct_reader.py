"""Reads past ASGI ``receive``: a frame goes to the application without a queue or a task between.

Almost every frame of a hub is one whole text message. Those are read here, in one step each;
``websockets`` gets all others, each as a whole, and judges what is odd about them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from websockets.frames import apply_mask  # type: ignore[attr-defined]

#: Key of the reader in ``scope["extensions"]``.
EXTENSION = "taskhub.direct-reader"
#: Messages of one connection in one loop turn; the others have theirs before it goes on.
MAX_MESSAGES_A_TURN = 64

_WHOLE_TEXT = 0x81
_FINAL = 0x80
_RESERVED = 0x70
_OPCODE = 0x0F
_CLOSE = 0x08  # from here on the opcodes of control frames
_MASKED = 0x80
_MAX_CONTROL = 125
#: What RFC 6455 §7.1.5 calls a connection that ended without a close frame.
ABNORMAL = 1006
NOT_UTF8 = 1007

#: Takes one message, str or bytes as its frame was; returns what to await before the next one.
Take = Callable[[str | bytes], Awaitable[None] | None]


class Connection(Protocol):
    """What it reads for: ``hub.gateway.websocket.HubWebSocketProtocol``."""

    loop: asyncio.AbstractEventLoop
    #: no more messages are wanted: this side has closed
    close_sent: bool
    #: what ASGI ``receive`` gets
    queue: "asyncio.Queue[Any]"

    @property
    def max_frame_bytes(self) -> int:
        """Bytes that a frame may have."""

    def judge(self, data: bytes) -> None:
        """Give ``websockets`` a whole frame, or all that comes when no frame can be told."""

    def refuse_message(self, code: int) -> None:
        """Close because of a message that cannot be read."""

    def enqueue_message(self, message: str | bytes) -> None:
        """Queue a message for ASGI ``receive``."""

    def pause(self) -> None:
        """Read no more from the peer."""

    def resume(self) -> None:
        """Read on."""


class DirectReader:
    """Splits what one peer sends into frames, and hands the messages over."""

    def __init__(self, protocol: Connection) -> None:
        self._protocol = protocol
        self._take: Take | None = None
        #: the beginning of a frame, or what came in while it was held
        self._rest = bytearray()
        self._held = False
        #: held for no more than the turn of the other connections
        self._turn_is_over = False
        #: a fragmented message is under way: its order is for ``websockets`` to judge
        self._in_fragments = False
        #: a frame came behind which there is nothing to take: ``websockets`` gets all the rest
        self._given_up = False
        #: the application is done: nothing is taken any more
        self._done = False
        #: the code with which ``websockets`` has closed the connection, if it was that
        self.refused: int | None = None

    async def read(self, take: Take) -> int:
        """Hand every message to ``take`` until the connection ends; the close code of the peer."""
        try:
            while True:
                if self._take is None and self._protocol.queue.empty():
                    self._take = take  # whatever came before the handshake was over is taken
                    self._go_on()
                message = await self._protocol.queue.get()
                if message["type"] == "websocket.disconnect":
                    await self._take_what_is_left()
                    return int(message.get("code") or ABNORMAL)
                await self._heed(message, take)
                if self._take is not None:
                    self._go_on()
        finally:
            self._done = True
            self._go_on()  # what is left may hold the answer to our close frame

    async def _heed(self, message: dict[str, Any], take: Take) -> None:
        """Wait for what a message is waiting for; one from before ``read`` is taken first."""
        if message["type"] == "taskhub.pending":
            await message["pending"]
        elif message["type"] == "websocket.receive":
            text = message.get("text")
            pending = take(message["bytes"] if text is None else text)
            if pending is not None:
                await pending

    async def _take_what_is_left(self) -> None:
        """The peer is gone without a word: what it had sent before is taken all the same."""
        protocol = self._protocol
        while self._take is not None and not protocol.close_sent:
            before = len(self._rest)
            self._held = False
            self._split_rest()
            self._turn_is_over = False
            while not protocol.queue.empty():
                await self._heed(protocol.queue.get_nowait(), self._take)
            if len(self._rest) == before:
                return
            await asyncio.sleep(0)  # the turn of the others

    def next(self) -> None:
        """An application that reads by ASGI ``receive`` has taken a message."""
        if self._take is None:
            self._go_on()

    def feed(self, data: bytes) -> None:
        """Take what has come in."""
        if self._given_up:
            self._protocol.judge(data)
        elif self._held:
            self._rest += data
            self._protocol.pause()  # not before: a socket that is not read does not tell its end
        elif self._rest:
            self._rest += data
            self._split_rest()
        elif (at := self._split(data)) < len(data):
            self._rest += data[at:]

    def message(self, message: str | bytes) -> None:
        """Hand over one message, also one that ``websockets`` has put together."""
        if self._done:
            return
        if self._take is None:
            self._held = True
            self._protocol.enqueue_message(message)
        elif (pending := self._take(message)) is not None:
            self._held = True
            self._protocol.queue.put_nowait({"type": "taskhub.pending", "pending": pending})

    def discard(self) -> None:
        """This side has closed: messages that still come are thrown away."""
        if self._held:
            self._go_on()

    def _next_turn(self) -> None:
        if self._turn_is_over:
            self._go_on()

    def _go_on(self) -> None:
        self._held = self._turn_is_over = False
        self._split_rest()
        if not self._held:
            self._protocol.resume()

    def _split_rest(self) -> None:
        del self._rest[: self._split(self._rest)]

    def _split(self, data: bytes | bytearray) -> int:
        """Take whole frames (RFC 6455 §5.2) until held; how many bytes they were."""
        protocol = self._protocol
        at, end, turns = 0, len(data), MAX_MESSAGES_A_TURN
        while end - at >= 2 and not (self._held or self._given_up):
            first, second = data[at], data[at + 1]
            size, begin = second & 0x7F, at + 6
            if size >= 126:
                begin += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : begin - 4], "big")
            stop = begin + size
            if _is_odd(first, second) or (begin <= end and size > protocol.max_frame_bytes):
                self._given_up = True
                break
            if stop > end or begin > end:
                break
            if first != _WHOLE_TEXT or self._in_fragments:
                self._judge_frame(first, bytes(data[at:stop]))
            elif not (protocol.close_sent or self._done):
                self._text(apply_mask(data[begin:stop], data[begin - 4 : begin]))
            at = stop
            turns -= 1
            if not turns and not self._held:
                self._held = self._turn_is_over = True
                protocol.loop.call_soon(self._next_turn)
        if self._given_up:
            protocol.judge(bytes(data[at:]))
            return end
        return at

    def _text(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._protocol.refuse_message(NOT_UTF8)
        else:
            self.message(text)

    def _judge_frame(self, first: int, frame: bytes) -> None:
        if first & _OPCODE < _CLOSE:
            self._in_fragments = not first & _FINAL
        # RFC 6455 §5.5.1: behind a close frame nothing counts.
        self._given_up = first & _OPCODE == _CLOSE
        self._protocol.judge(frame)


def _is_odd(first: int, second: int) -> bool:
    """Whether no peer may send a frame that begins so: ``websockets`` knows what is wrong."""
    if first == _WHOLE_TEXT:
        return second < _MASKED
    control = first & _OPCODE >= _CLOSE
    too_long = control and (second & 0x7F > _MAX_CONTROL or not first & _FINAL)
    return second < _MASKED or bool(first & _RESERVED) or too_long
