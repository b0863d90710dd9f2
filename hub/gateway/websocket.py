"""One WebSocket under uvicorn, with the hub's manners: bounded, and honest about who is alive."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN

from hub.counts import traffic
from hub.gateway import direct_reader, direct_writer
from hub.gateway.direct_reader import ABNORMAL, NOT_UTF8, DirectReader
from hub.gateway.direct_writer import DirectWriter
from hub.protocol import encode
from hub.router.port import websocket_frame

#: A peer that does not answer a close frame, or read what is left for it, is cut after this.
CLOSE_TIMEOUT_S = 5.0
TOO_BIG = 1009


class HubWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's sans-I/O WebSocket protocol with the hub's manners (docs/protocol.md §2.6)."""

    _heard_at = 0.0
    _owed_pong = b""
    _gathered: bytearray | None = None
    _writer: DirectWriter | None = None
    _reader: DirectReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        super().connection_made(transport)
        self._heard_at = self.loop.time()

    def handle_connect(self, event: object) -> None:
        """Offer the direct reader and writer to the application."""
        super().handle_connect(event)  # type: ignore[arg-type]
        if not self.close_sent:
            extensions: dict[str, object] = self.scope["extensions"]  # type: ignore[assignment]
            self._reader = extensions[direct_reader.EXTENSION] = DirectReader(self)
            self._writer = extensions[direct_writer.EXTENSION] = DirectWriter(self)

    @property
    def max_frame_bytes(self) -> int:
        """Part of ``direct_reader.Connection``."""
        return int(self.config.ws_max_size)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._heard_at = self.loop.time()
        if self._reader is None:
            # The request, with nothing behind it: uvicorn's HTTP reader saw to that.
            self.judge(data)
        else:
            self._reader.feed(data)

    def judge(self, data: bytes) -> None:
        """Part of ``direct_reader.Connection``: what ``websockets`` makes of these bytes."""
        self.conn.receive_data(data)
        # First what could be read: uvicorn drops it when a bad frame came with it.
        self.handle_events()
        if self.conn.parser_exc is not None and not self.close_sent:
            self.handle_parser_exception()
        elif self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse_request()
        self._bury()

    async def run_asgi(self) -> None:
        """Run the application; at its end the connection ends too."""
        await super().run_asgi()
        self._bury()

    def _bury(self) -> None:
        """Cut a closing transport that does not get rid of its last bytes, or it stays for ever."""
        if self.transport.is_closing() and self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def _refuse_request(self) -> None:
        """A request uvicorn read and ``websockets`` cannot (a header over 8 KiB): say so."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        """Gather fragments in one buffer: a list grows with every empty one."""
        if self._gathered is None:
            self._gathered = bytearray(self.frames[0])
        self._gathered += event.data
        if event.fin:
            self.frames, self._gathered = [bytes(self._gathered)], None
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        """A message that ``websockets`` has read: fragmented, or binary."""
        data, self.frames = b"".join(self.frames), []
        if self.close_sent or self._reader is None:
            return
        try:
            self._reader.message(data if self.curr_msg_data_type == "bytes" else data.decode())
        except UnicodeDecodeError:
            self.refuse_message(NOT_UTF8)

    async def receive(self) -> Any:
        """Part of the ASGI interface, for applications that do not read directly."""
        message = await super().receive()
        if self._reader is not None:
            self._reader.next()
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        if self.handshake_complete and not self.close_sent and self.conn.close_rcvd is None:
            # uvicorn would say 1005, which is a close frame without a code.
            self.queue.put_nowait({"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""})
        super().connection_lost(exc)

    def enqueue_message(self, message: str | bytes) -> None:
        """Part of ``direct_reader.Connection``: as uvicorn does, with one message at a time."""
        if isinstance(message, str):
            self.queue.put_nowait({"type": "websocket.receive", "text": message})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": message})
        self.pause()

    def refuse_message(self, code: int) -> None:
        """Part of ``direct_reader.Connection``."""
        if self.conn.state is not OPEN:
            self.transport.abort()  # before the handshake is over there is nobody to tell
            return
        self.conn.send_close(code)
        self.handle_parser_exception()

    def pause(self) -> None:
        """Part of ``direct_reader.Connection``."""
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Part of ``direct_reader.Connection``."""
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    def handle_ping(self) -> None:
        """Answer; a peer that does not read gets one pong, once it does (RFC 6455 §5.5.3).

        Otherwise its pings would fill the memory, past the bound of the outbox.
        """
        pongs = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        elif pongs:
            self._owed_pong = pongs[-1]

    def resume_writing(self) -> None:
        """Part of asyncio.Protocol."""
        super().resume_writing()
        pong, self._owed_pong = self._owed_pong, b""
        if pong and not self.close_sent:
            self.transport.write(pong)

    def shutdown(self) -> None:
        """Part of uvicorn: the server ends. One told to close before still has its time for that.

        uvicorn would stop the clock of a peer that does not read, then wait for it in vain.
        """
        if self.close_sent and self.close_timer is not None:
            self.transport.close()
        else:
            super().shutdown()

    async def send(self, message: Any) -> None:
        """Part of the ASGI interface."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # uvicorn would log an error: it takes a refused handshake for a forgotten one.
            self.handshake_complete = True

    def close_with(self, code: int) -> None:
        """Send a close frame behind what is written, whether the peer reads or not."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        self._listen_for_the_end()
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """A frame that cannot be read; v1 is told why when it was too big (§2.4)."""
        sent = self.conn.close_sent
        if sent is None:
            self.transport.abort()
            return
        if self._writer is not None:
            self._writer.flush()
        traffic.closed[sent.code] += 1
        if self._reader is not None:
            self._reader.refused = int(sent.code)
        if sent.code == TOO_BIG:
            traffic.limits["max_frame_bytes"] += 1
        if sent.code == TOO_BIG and "taskhub.v1" in self._accepted():
            self.transport.write(websocket_frame(encode.closing(TOO_BIG)))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": sent.code, "reason": sent.reason}
        )
        self._hang_up()

    def _hang_up(self) -> None:
        """End our side, and throw away what still comes until the peer ends its own.

        It may be in the middle of a frame; a socket closed with unread data is reset, and the
        peer loses the close frame with it.
        """
        self.stop_keepalive()
        self.transport.write_eof()
        self._listen_for_the_end()
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def _listen_for_the_end(self) -> None:
        self.resume()
        if self._reader is not None:
            self._reader.discard()

    def _accepted(self) -> str:
        return self.response.headers.get("Sec-WebSocket-Protocol", "")

    # Keepalive: uvicorn pings busy connections too, and takes one whose reading it has paused
    # itself for dead. This one asks the silent only, and waits while it does not listen.

    def schedule_ping(self) -> None:
        """Wake when the peer will have been silent for the interval."""
        assert self.ping_interval is not None
        silent = self.loop.time() - self._heard_at
        self.ping_timer = self.loop.call_later(
            max(0.0, self.ping_interval - silent), self._ask_if_silent
        )

    def _ask_if_silent(self) -> None:
        assert self.ping_interval is not None
        if self.read_paused or self.loop.time() - self._heard_at < self.ping_interval:
            self._heard_at = self.loop.time() if self.read_paused else self._heard_at
            self.schedule_ping()
        else:
            self.send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """The peer did not answer; anything it sent since the ping counts as an answer."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.read_paused or self._heard_at > self.ping_sent_at:
            self.schedule_ping()
        else:
            traffic.limits["pong_timeout_ms"] += 1
            self.transport.abort()
