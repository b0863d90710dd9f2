"""What a live socket asks of Django: who looks, which page, and its fragments. All of it blocks.

A page is made and rendered in threads of its own, which are neither the journal's nor the event
loop's: a slow page makes pages wait, and no task.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import parse_qs

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, QueryDict, parse_cookie
from django.urls import Resolver404, resolve

from hub.dashboard.page import Page, Viewer
from hub.dashboard.views import viewer_of
from hub.database import with_database
from hub.gateway.handshake import Refused, Scope, header
from hub.router.feed import Changes
from hub.signed_in import user_by_session

#: Few: they take turns with the event loop (Python runs one thread at a time).
THREADS: Final = 2
#: Fragments of which a socket knows what it sent last; an older one is sent once more in vain.
MAX_REMEMBERED: Final = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a browser asks to be kept up to date, and by which session."""

    #: path of the page
    path: str
    #: its query string
    query: str
    #: the key up to which the browser shows tasks; empty: none
    at: str
    #: value of the session cookie
    session: str | None


def address_of(scope: Scope) -> Address:
    """Read the handshake of ``/live/?path=<path?query>&at=<key>``."""
    asked = parse_qs(scope["query_string"].decode("latin-1"), errors="replace")
    path, _, query = asked.get("path", [""])[0].partition("?")
    cookies = parse_cookie((header(scope, b"cookie") or b"").decode("latin-1"))
    return Address(
        path=path,
        query=query,
        at=asked.get("at", [""])[0],
        session=cookies.get(settings.SESSION_COOKIE_NAME),
    )


def viewer_by_session(session: str | None) -> Viewer | None:
    """Who is signed in by this session at this moment; None: nobody, or not any more."""
    user = user_by_session(session)
    return viewer_of(user) if user.is_authenticated and user.is_active else None


class LivePage:
    """One page as one socket shows it. Not for two threads at a time."""

    def __init__(self, address: Address) -> None:
        """Raises Refused."""
        self._address = address
        self._viewer = self._looker()
        #: the name of its URL
        self.name, self._page = self._open()

    @property
    def task(self) -> int | None:
        """The key of the one task it shows, or None."""
        return self._page.task

    @property
    def viewer(self) -> str:
        """The login name of who looks."""
        return self._viewer.name

    def fragments(self, changes: Changes | None) -> dict[str, str]:
        """See ``Page.fragments``."""
        return self._page.fragments(changes)

    def as_of_now(self) -> "LivePage":
        """This page, or a new one where its viewer may do other things by now. Raises Refused."""
        return self if self._looker() == self._viewer else LivePage(self._address)

    def _looker(self) -> Viewer:
        viewer = viewer_by_session(self._address.session)
        if viewer is None:
            raise Refused(401, "Sign in first.", reason="signed-out")
        return viewer

    def _open(self) -> tuple[str, Page]:
        try:
            match = resolve(self._address.path)
            page_class: Callable[..., Page] = match.func.page_class  # type: ignore[attr-defined]
            query = QueryDict(self._address.query, mutable=True)
            if self._address.at:
                query["at"] = self._address.at
            return str(match.url_name), page_class(self._viewer, query, **match.kwargs)
        except (Resolver404, Http404, AttributeError):
            raise Refused(404, "There is no such page.", reason="path") from None
        except PermissionDenied:
            raise Refused(403, "You may not see this page.", reason="permission") from None


class Sent:
    """What a browser was sent last, as a hash of each fragment; bounded."""

    def __init__(self) -> None:
        self._hashes: dict[str, int] = {}

    def forget(self) -> None:
        """Everything is news again."""
        self._hashes.clear()

    def news(self, html: dict[str, str]) -> dict[str, str]:
        """The fragments that differ from what was sent; they count as sent from now on."""
        news: dict[str, str] = {}
        for name, text in html.items():
            fresh = hash(text)
            if self._hashes.pop(name, None) != fresh:
                news[name] = text
            self._hashes[name] = fresh  # at the end: the oldest is forgotten first
        while len(self._hashes) > MAX_REMEMBERED:
            del self._hashes[next(iter(self._hashes))]
        return news


class PageThreads:
    """The threads that pages are made in."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="taskhub-pages")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of blocking work. A socket waits for one at a time, so the line is bounded."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, with_database, work)
