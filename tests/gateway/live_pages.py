"""A page for the tests of the live socket, and the server that keeps it up to date."""

import threading
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import path

from hub.dashboard.page import Viewer
from hub.router.feed import Changes


class BoardPage:
    """Shows what a test writes on it."""

    template = ""
    #: all fragments of all pages; a test changes them
    board: ClassVar[dict[str, str]] = {}
    #: what pages were asked for
    asked: ClassVar[list[Changes | None]] = []
    #: the queries of the pages that were made
    made: ClassVar[list[tuple[Viewer, dict[str, Any], dict[str, str]]]] = []
    threads: ClassVar[set[str]] = set()
    broken: ClassVar[bool] = False
    hold: ClassVar[threading.Event | None] = None

    def __init__(self, viewer: Viewer, query: QueryDict, **arguments: str) -> None:
        if not viewer.view_task:
            raise PermissionDenied
        if arguments.get("name") == "nothing":
            raise Http404
        self.task = 7 if arguments else None
        BoardPage.made.append((viewer, query.dict(), arguments))

    def context(self) -> dict[str, Any]:
        return {}

    def fragments(self, changes: Changes | None) -> dict[str, str]:
        BoardPage.asked.append(changes)
        BoardPage.threads.add(threading.current_thread().name)
        if BoardPage.hold is not None:
            BoardPage.hold.wait(5)
        if BoardPage.broken:
            raise RuntimeError("the disk is gone")
        return dict(BoardPage.board)


def _board(request: HttpRequest, **arguments: str) -> HttpResponse:
    raise AssertionError("only its page is looked at")


def _other(request: HttpRequest) -> HttpResponse:
    raise AssertionError("no page")


_board.page_class = BoardPage  # type: ignore[attr-defined]

urlpatterns = [
    path("board/", _board, name="board"),
    path("board/<path:name>/", _board, name="one"),
    path("other/", _other),
]
