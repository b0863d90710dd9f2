"""The WebSocket ``/live/``: keeps one page of an operator up to date.

The browser names its page; the server sends, at most four times a second, those of the page's
fragments that differ from what it sent last:

    → {"seq": 1, "now": 1764000000000, "html": {"row-7": "<tr id=\"row-7\">…"}}
    ← {"refresh": true}       a message is missing: send everything
    ← {"pause": true|false}   nobody looks

``seq`` counts from 1 without gaps, ``now`` is the hub's clock in milliseconds; empty HTML removes
the element. A fragment is made when it is sent, so a browser that reads slowly gets fewer of them,
and each is the truth of its moment.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final, Literal, NamedTuple

import msgspec
from channels.consumer import AsyncConsumer
from django.conf import settings

from hub import runtime as hub_runtime
from hub.counts import traffic
from hub.dashboard.live_page import LivePage, PageThreads, Sent, address_of
from hub.gateway import direct_writer, handshake
from hub.gateway.asgi_writer import AsgiWriter
from hub.gateway.direct_reader import ABNORMAL
from hub.gateway.handshake import Receive, Refused, Scope, Send
from hub.gateway.session import GOING_AWAY, Writer
from hub.logs import logger
from hub.router.port import Outgoing
from hub.runtime import Runtime

log = logger(__name__)

#: Live sockets of one process, and those of one viewer.
MAX_SOCKETS: Final = 200
MAX_SOCKETS_OF_VIEWER: Final = 50
#: Between two batches.
BATCH_S: Final = 0.25
#: Without any change a page is made anew so often: rates and ages change by themselves.
IDLE_S: Final = 5.0
#: How often it is asked whether the viewer may still look.
RECHECK_S: Final = 3.0
#: A browser that has not read more than this of the last batch gets no next one.
MAX_UNSENT_BYTES: Final = 65_536
#: Longer than any word of a browser.
MAX_WORD: Final = 100
#: How long a browser may take to answer a close frame.
FAREWELL_S: Final = 5.0

NOT_A_WORD: Final = 1008
FAILED: Final = 1011
SIGNED_OUT: Final = 4401


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """A browser asks for everything."""

    refresh: bool


class Pause(msgspec.Struct, forbid_unknown_fields=True):
    """Nobody looks at a page, or somebody does again."""

    pause: bool


class Batch(msgspec.Struct):
    """What a browser is sent."""

    seq: int
    #: milliseconds since the epoch
    now: int
    #: element id → its HTML; empty: the element goes
    html: dict[str, str]


class Ending(NamedTuple):
    """How a socket ends."""

    code: int
    by: Literal["hub", "peer"]


_encode = msgspec.json.Encoder().encode
_threads = PageThreads()
#: login name → live sockets
_viewers: Counter[str] = Counter()


class LiveConsumer(AsyncConsumer):  # type: ignore[misc]
    """One browser that looks at one page, from its handshake to its end.

    A Channels consumer with a receive loop of its own, for the reason ``HubConsumer`` has one.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of the ASGI application."""
        await receive()  # websocket.connect
        try:
            runtime = await _open(scope)
        except Refused as refused:
            await _refuse(scope, send, refused)
            return
        traffic.live += 1
        try:
            page = await _page(scope)
            with _place_of(page.viewer):
                await send({"type": "websocket.accept"})
                await _Socket(page, runtime, scope, send).serve(receive)
        except Refused as refused:
            await _refuse(scope, send, refused)
        finally:
            traffic.live -= 1


@contextlib.contextmanager
def _place_of(viewer: str) -> Iterator[None]:
    """A viewer's place for one more live page. Raises Refused."""
    if _viewers[viewer] >= MAX_SOCKETS_OF_VIEWER:
        raise Refused(
            503, f"You have {MAX_SOCKETS_OF_VIEWER} live pages already.", reason="live-full"
        )
    _viewers[viewer] += 1
    try:
        yield
    finally:
        _viewers[viewer] -= 1
        if not _viewers[viewer]:
            del _viewers[viewer]


async def _open(scope: Scope) -> Runtime:
    """The runtime, if a socket may be opened at all. Raises Refused."""
    if not _is_own_page(scope):
        raise Refused(403, "Only pages of this hub may connect here.", reason="origin")
    handshake.check_origin(scope, settings.ALLOWED_HOSTS)
    try:
        runtime = await hub_runtime.running()
    except Exception:
        log.exception("hub_start_failed")
        raise Refused(503, "The hub cannot serve; its log says why.", reason="failed") from None
    if runtime.draining:
        raise Refused(503, "The hub is restarting; come back in a moment.", reason="draining")
    if traffic.live >= MAX_SOCKETS:
        raise Refused(503, f"{MAX_SOCKETS} pages are live already.", reason="live-full")
    return runtime


def _is_own_page(scope: Scope) -> bool:
    """Whether a page of this hub asks, as Django asks of forms.

    Only browsers come here, and they name the page that asks. Its host alone says too little:
    cookies know no port, so other programs of this host could use an operator's session.
    """
    origin = (handshake.header(scope, b"origin") or b"").decode("latin-1").lower()
    host = (handshake.header(scope, b"host") or b"").decode("latin-1").lower()
    own = {f"http://{host}", f"https://{host}", *settings.CSRF_TRUSTED_ORIGINS}
    return host != "" and origin in own


async def _page(scope: Scope) -> LivePage:
    address = address_of(scope)
    try:
        return await _threads.run(lambda: LivePage(address))
    except Refused:
        raise
    except Exception:
        log.exception("live_failed")
        raise Refused(503, "The page cannot be made now.", reason="failed") from None


async def _refuse(scope: Scope, send: Send, refused: Refused) -> None:
    traffic.refused[refused.reason] += 1
    log.info(
        "handshake_refused",
        reason=refused.reason,
        status=refused.status,
        address=handshake.address(scope),
        name=None,
    )
    await handshake.refuse(scope, send, refused)


class _Socket:
    """An open live socket."""

    def __init__(self, page: LivePage, runtime: Runtime, scope: Scope, send: Send) -> None:
        self._page = page
        self._clock = runtime.clock
        self._observer = runtime.pipeline.router.feed.observe(task=page.task)
        self._writer: Writer = scope.get("extensions", {}).get(
            direct_writer.EXTENSION
        ) or AsgiWriter(send)
        self._sent = Sent()
        self._seq = 0
        #: everything is made anew, whatever has changed
        self._all = True
        #: somebody looks at the page
        self._looked_at = asyncio.Event()
        self._looked_at.set()
        self.log = log.bind(user=page.viewer, page=page.name)
        self.log.info("live_opened", address=handshake.address(scope))

    async def serve(self, receive: Receive) -> None:
        """Until either side ends it."""
        began = self._clock()
        ending = Ending(ABNORMAL, "peer")
        parts = [
            asyncio.ensure_future(part)
            for part in (self._listen(receive), self._tell(), self._recheck(), self._drained())
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            ending = self._ending_of(next(part for part in parts if part.done()))
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            self._observer.close()
            if ending.by == "hub":
                await self._close(ending.code, receive)
            if isinstance(self._writer, AsgiWriter):
                self._writer.stop()
            seconds = round((self._clock() - began) / 1000, 1)
            self.log.info("live_closed", **ending._asdict(), seconds=seconds)

    def _ending_of(self, part: "asyncio.Future[Ending]") -> Ending:
        try:
            return part.result()
        except Exception:
            self.log.exception("live_failed")
            return Ending(FAILED, "hub")

    async def _close(self, code: int, receive: Receive) -> None:
        """Say why, and wait for the answer: a server may cut the connection when we return."""
        traffic.closed[code] += 1
        self._writer.close(code)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while (await receive())["type"] != "websocket.disconnect":
                    pass

    # The four things it does at a time; the first that ends, ends the socket

    async def _listen(self, receive: Receive) -> Ending:
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is None or len(text) > MAX_WORD or not self._heed(text):
                return Ending(NOT_A_WORD, "hub")
        return Ending(int(message.get("code") or ABNORMAL), "peer")

    def _heed(self, text: str) -> bool:
        """Do what the browser asks; False: it is nothing that a browser of ours says."""
        try:
            word = _word(text)
        except msgspec.DecodeError:
            return False
        self._all = True
        if isinstance(word, Refresh):
            self._sent.forget()
        elif word.pause:
            self._looked_at.clear()
        else:
            self._looked_at.set()
        self._observer.wake()
        return True

    async def _tell(self) -> Ending:
        loop = asyncio.get_running_loop()
        while True:
            await self._something_to_tell()
            began = loop.time()
            changes = self._observer.take()
            anew, self._all = self._all or changes.overflowed, False
            page = self._page
            html = await _threads.run(partial(page.fragments, None if anew else changes))
            if self._looked_at.is_set():
                self._send(html)
            # A page that takes long to make takes a thread for half of the time at most.
            took = loop.time() - began
            await asyncio.sleep(max(BATCH_S - took, took))

    async def _something_to_tell(self) -> None:
        await self._looked_at.wait()
        if not self._all:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._observer.changed()
        await self._writer.room(MAX_UNSENT_BYTES)
        await self._looked_at.wait()

    def _send(self, html: dict[str, str]) -> None:
        news = self._sent.news(html)
        if news:
            self._seq += 1
            batch = Batch(seq=self._seq, now=self._clock(), html=news)
            self._writer.write(Outgoing(_encode(batch).decode()))

    async def _recheck(self) -> Ending:
        """Ends when the viewer is signed out, inactive, or may not see the page any more."""
        while True:
            await asyncio.sleep(RECHECK_S)
            before = self._page
            try:
                self._page = await _threads.run(before.as_of_now)
            except Refused:
                return Ending(SIGNED_OUT, "hub")
            if self._page is not before:  # it may have other buttons
                self._all = True
                self._observer.wake()

    async def _drained(self) -> Ending:
        await self._observer.end()
        return Ending(GOING_AWAY, "hub")


def _word(text: str) -> Refresh | Pause:
    """Raises msgspec.DecodeError."""
    try:
        return msgspec.json.decode(text, type=Pause)
    except msgspec.ValidationError:
        return msgspec.json.decode(text, type=Refresh)
