"""The live socket under uvicorn, set up as `runhub` does, over a page that a test writes on."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from pytest_django.fixtures import Settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from hub.core.limits import Limits
from hub.counts import traffic
from hub.dashboard import live, live_page
from hub.gateway import server
from hub.gateway.silent_sockets import http_protocol
from hub.gateway.websocket import HubWebSocketProtocol
from hub.router.feed import Changes, Feed
from tests.gateway.harness import TIMEOUT, Hub, eventually
from tests.gateway.live_pages import BoardPage
from tests.pipeline.test_feed import event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.gateway.live_pages"),
]


class LiveHub(Hub):
    """The server under test, with a feed of its own."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.feed = Feed()
        vars(self.pipeline)["router"] = self

    async def running(self) -> Any:
        """Stands in for the runtime of the process."""
        return self.runtime

    async def drain(self) -> None:
        self.runtime.draining = True
        self.feed.end()

    def change(self, task: int = 7, seq: int = 1, **board: str) -> None:
        """An event, and what it changes on the page."""
        BoardPage.board.update({name.replace("_", "-"): html for name, html in board.items()})
        self.feed.tell("a:b", (event(task, seq),))


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveHub]:
    hub = LiveHub()
    monkeypatch.setattr(live, "hub_runtime", hub)
    config = uvicorn.Config(
        live.LiveConsumer.as_asgi(),
        http=http_protocol(20),
        ws=HubWebSocketProtocol,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
    )
    hub.server = server.HubServer(config, on_listening=hub.listens, drain=hub.drain)
    await hub.start(socket.create_server(("127.0.0.1", 0)))
    yield hub
    await hub.vanish()
    await eventually(lambda: traffic.live == 0)
    assert not hub.feed.observed


@pytest.fixture(autouse=True)
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[BoardPage]]:
    """An empty board, and pauses that are short."""
    BoardPage.board, BoardPage.asked, BoardPage.made = {"a": "<p id='a'>1</p>"}, [], []
    BoardPage.threads, BoardPage.broken, BoardPage.hold = set(), False, None
    monkeypatch.setattr(live, "RECHECK_S", 0.05)
    yield BoardPage
    held = vars(BoardPage)["hold"]
    if held is not None:
        held.set()


@pytest.fixture
def ada(settings: Settings) -> User:
    """Who may see tasks."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = User.objects.create_user("ada", password="secret")
    user.user_permissions.add(Permission.objects.get(codename="view_task"))
    return user


@pytest.fixture
def session(ada: User) -> str:
    """Her session cookie."""
    browser = Browser()
    browser.force_login(ada)
    return str(browser.cookies["sessionid"].value)


Looking = contextlib.AbstractAsyncContextManager[ClientConnection]


def looking(
    hub: LiveHub,
    session: str | None,
    path: str = "/board/",
    *,
    origin: str | None = "http://localhost:PORT",
    **more: str,
) -> Looking:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in more.items())
    return connect(
        f"ws://localhost:{hub.port}/live/?path={quote(path, safe='')}&{query}",
        additional_headers={"Cookie": f"other=1; sessionid={session}"} if session else {},
        origin=Origin(origin.replace("PORT", str(hub.port))) if origin else None,
        compression=None,
        proxy=None,
        max_size=None,
    )


async def heard(browser: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(TIMEOUT):
        batch: dict[str, Any] = json.loads(await browser.recv())
    assert set(batch) == {"seq", "now", "html"}
    return batch


async def silence(browser: ClientConnection, seconds: float = 0.4) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            raise AssertionError(await browser.recv())


async def closed(browser: ClientConnection) -> int:
    """The close code that comes next; batches before it are passed over."""
    async with asyncio.timeout(TIMEOUT):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await browser.recv()
    assert browser.close_code is not None
    return browser.close_code


async def test_everything_first_then_what_differs(hub: LiveHub, session: str) -> None:
    BoardPage.board["row-1"] = "<tr id='row-1'>"
    async with looking(hub, session) as browser:
        first = await heard(browser)
        assert first == {"seq": 1, "now": 1_700_000_000_000, "html": BoardPage.board}
        hub.change(row_1="<tr id='row-1' class=new>", row_2="<tr id='row-2'>")
        second = await heard(browser)
        assert second["seq"] == 2
        assert set(second["html"]) == {"row-1", "row-2"}
        hub.change(row_1="")
        assert (await heard(browser))["html"] == {"row-1": ""}
        hub.change()
        await silence(browser)
    assert BoardPage.asked[0] is None
    assert BoardPage.asked[1] == Changes(tasks={7: 1}, actions=frozenset(), overflowed=False)
    assert all(name.startswith("taskhub-pages") for name in BoardPage.threads)


async def test_the_page_is_the_one_the_browser_shows(hub: LiveHub, session: str) -> None:
    async with looking(hub, session, "/board/a/b%C3%BC c/?q=x y&at=1&q=z", at="42") as browser:
        await heard(browser)
        ((viewer, query, arguments),) = BoardPage.made
        assert (viewer.name, viewer.view_task, viewer.cancel_task) == ("ada", True, False)
        assert query == {"q": "z", "at": "42"}
        assert arguments == {"name": "a/b%C3%BC c"}
        hub.change(task=8, a="<p id='a'>other task</p>")
        await silence(browser)
        hub.change(task=7)
        assert (await heard(browser))["html"] == {"a": "<p id='a'>other task</p>"}


async def test_at_most_four_batches_a_second_whatever_happens(hub: LiveHub, session: str) -> None:
    loop = asyncio.get_running_loop()
    async with looking(hub, session) as browser:
        await heard(browser)
        began, number = loop.time(), 0
        times: list[float] = []
        while len(times) < 4:
            receiving = asyncio.ensure_future(heard(browser))
            while not receiving.done():
                number += 1
                hub.change(a=f"<p id='a'>{number}</p>")
                await asyncio.sleep(0.001)
            times.append(loop.time() - began)
    assert times[-1] >= 0.9, times
    assert number > 100


async def test_a_missing_batch_is_healed_by_a_refresh(hub: LiveHub, session: str) -> None:
    BoardPage.board["b"] = "<p id='b'></p>"
    async with looking(hub, session) as browser:
        await heard(browser)
        await browser.send('{"refresh": true}')
        assert await heard(browser) == {
            "seq": 2,
            "now": 1_700_000_000_000,
            "html": BoardPage.board,
        }
    assert BoardPage.asked[-1] is None


async def test_nothing_is_made_while_nobody_looks(hub: LiveHub, session: str) -> None:
    async with looking(hub, session) as browser:
        await heard(browser)
        await browser.send('{"pause": true}')
        await browser.ping()
        await silence(browser)
        asked = len(BoardPage.asked)
        hub.change(a="<p id='a'>2</p>", b="<p id='b'></p>")
        await silence(browser)
        assert len(BoardPage.asked) == asked
        await browser.send('{"pause": false}')
        assert set((await heard(browser))["html"]) == {"a", "b"}


@pytest.mark.parametrize(
    "word",
    ["", "{}", "hello", '{"cmd":"sub"}', '{"pause":1}', '{"refresh":true,"pause":true}', "[" * 99],
    ids=repr,
)
async def test_what_no_browser_says_closes_the_socket(
    hub: LiveHub, session: str, word: str
) -> None:
    async with looking(hub, session) as browser:
        await browser.send(word)
        assert await closed(browser) == 1008


async def test_long_and_binary_words_close_it_too(hub: LiveHub, session: str) -> None:
    for word in ('{"pause": true}' + " " * 200, b'{"pause": true}'):
        async with looking(hub, session) as browser:
            await browser.send(word)
            assert await closed(browser) == 1008


async def test_pages_that_change_by_time_alone_are_made_anew(
    hub: LiveHub, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "IDLE_S", 0.05)
    async with looking(hub, session) as browser:
        await heard(browser)
        BoardPage.board["a"] = "<p id='a'>later</p>"
        assert (await heard(browser))["html"] == {"a": "<p id='a'>later</p>"}
    assert BoardPage.asked[-1] == Changes(tasks={}, actions=frozenset(), overflowed=False)


async def test_too_many_changes_mean_everything_anew(hub: LiveHub, session: str) -> None:
    async with looking(hub, session) as browser:
        await heard(browser)
        for task in range(2_000):
            hub.change(task=task, a="<p id='a'>2</p>")
        await heard(browser)
    assert None in BoardPage.asked[1:]


# Who may look


async def refused(looking: Looking) -> int:
    with pytest.raises(InvalidStatus) as refusal:
        async with looking:
            pass
    return refusal.value.response.status_code


async def test_who_is_refused(hub: LiveHub, session: str, ada: User) -> None:
    assert await refused(looking(hub, None)) == 401
    assert await refused(looking(hub, "made-up")) == 401
    assert await refused(looking(hub, session, "/other/")) == 404
    assert await refused(looking(hub, session, "/nowhere/")) == 404
    assert await refused(looking(hub, session, "/board/nothing/")) == 404
    assert await refused(looking(hub, session, "")) == 404
    others = ("http://localhost", "http://localhost:1", "http://127.0.0.1:PORT")
    for origin in (None, "http://evil.example", "null", "http://[", *others):
        assert await refused(looking(hub, session, origin=origin)) == 403, origin
    await sync_to_async(ada.user_permissions.clear)()
    assert await refused(looking(hub, session)) == 403
    ada.is_active = False
    await sync_to_async(ada.save)()
    assert await refused(looking(hub, session)) == 401
    hub.runtime.draining = True
    assert await refused(looking(hub, session)) == 503
    assert BoardPage.asked == []


@pytest.mark.parametrize("bound", ["MAX_SOCKETS", "MAX_SOCKETS_OF_VIEWER"])
async def test_so_many_sockets_and_no_more(
    hub: LiveHub, session: str, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(live, bound, 2)
    async with looking(hub, session) as first, looking(hub, session):
        assert traffic.live == 2
        assert await refused(looking(hub, session)) == 503
        stranger = 503 if bound == "MAX_SOCKETS" else 401
        assert await refused(looking(hub, None)) == stranger
        await first.close()
        await eventually(lambda: traffic.live == 1)
        async with looking(hub, session) as third:
            await heard(third)


@pytest.mark.parametrize("how", ["signed out", "inactive", "permission", "password"])
async def test_who_may_not_look_any_more_is_sent_away(
    hub: LiveHub, session: str, ada: User, how: str
) -> None:
    def withdraw() -> None:
        match how:
            case "signed out":
                Session.objects.all().delete()
            case "inactive":
                User.objects.update(is_active=False)
            case "permission":
                ada.user_permissions.clear()
            case "password":
                ada.set_password("another")
                ada.save()

    async with looking(hub, session) as browser:
        await heard(browser)
        await sync_to_async(withdraw)()
        assert await closed(browser) == 4401


async def test_a_viewer_who_may_do_more_gets_a_page_with_more_buttons(
    hub: LiveHub, session: str, ada: User
) -> None:
    async with looking(hub, session, at="5") as browser:
        await heard(browser)
        superuser = User.objects.filter(pk=ada.pk)
        await superuser.aupdate(is_superuser=True)
        await eventually(lambda: len(BoardPage.made) == 2)
        viewer, query, _ = BoardPage.made[-1]
        assert (viewer.cancel_task, query) == (True, {"at": "5"})
        BoardPage.board["a"] = "<p id='a'>buttons</p>"
        hub.change()
        assert (await heard(browser))["html"] == {"a": "<p id='a'>buttons</p>"}


# Troubles


async def test_a_stopping_hub_sends_browsers_away(hub: LiveHub, session: str) -> None:
    async with looking(hub, session) as browser, looking(hub, session) as paused:
        await heard(browser)
        await paused.send('{"pause": true}')
        await hub.drain()
        assert await closed(browser) == 1012
        assert await closed(paused) == 1012


async def test_a_page_that_is_being_made_does_not_hold_up_the_end(
    hub: LiveHub, session: str
) -> None:
    BoardPage.hold = threading.Event()
    async with looking(hub, session) as browser:
        await eventually(lambda: BoardPage.asked)
        await hub.drain()
        assert await closed(browser) == 1012


async def test_a_page_that_cannot_be_made_ends_only_its_socket(
    hub: LiveHub, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with looking(hub, session) as browser, looking(hub, session) as other:
        await heard(browser)
        await heard(other)
        await other.send('{"pause": true}')
        BoardPage.broken = True
        hub.change()
        assert await closed(browser) == 1011
        BoardPage.broken = False
        BoardPage.board["a"] = "<p id='a'>again</p>"
        await other.send('{"pause": false}')
        assert (await heard(other))["html"] == {"a": "<p id='a'>again</p>"}


async def test_a_browser_that_does_not_read_gets_no_more_than_one_batch(
    hub: LiveHub, session: str
) -> None:
    size = 3_000_000
    async with looking(hub, session) as browser:
        await heard(browser)
        browser.transport.pause_reading()
        (protocol,) = hub.protocols
        for number in range(8):
            asked = len(BoardPage.asked)
            hub.change(a=f"<p id='a'>{number}{'x' * size}</p>")
            with contextlib.suppress(TimeoutError):
                await eventually(lambda: len(BoardPage.asked) > asked, timeout=0.4)  # noqa: B023
            assert protocol.transport.get_write_buffer_size() < 2 * size
        assert len(BoardPage.asked) < 6, "pages are made though nobody reads them"
        browser.transport.resume_reading()
        last = ""
        while not last.startswith("<p id='a'>7"):
            last = (await heard(browser))["html"]["a"]


def test_what_was_sent_is_remembered_within_bounds() -> None:
    sent = live_page.Sent()
    for number in range(3_000):
        assert sent.news({f"event-{number}": "<li>"}) == {f"event-{number}": "<li>"}
    assert len(sent._hashes) == live_page.MAX_REMEMBERED
    assert sent.news({"event-2999": "<li>"}) == {}
    assert sent.news({"event-2999": "<li>1"}) == {"event-2999": "<li>1"}
    sent.forget()
    assert sent.news({"event-2999": "<li>1"}) == {"event-2999": "<li>1"}
