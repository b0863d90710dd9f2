"""A page is made of fragments: elements with an id, each from a template of its own.

The same fragments make the whole page for HTTP and its patches for the live socket, so the two
cannot differ, and a patch is always the truth of its moment.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from django.http import QueryDict

from hub.router.feed import Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at a page, and what they may do (Django permissions of ``hub``)."""

    name: str
    view_task: bool
    view_payload: bool
    cancel_task: bool
    publish_task: bool
    view_connection: bool
    disconnect: bool
    #: may open the admin
    staff: bool


class Page(Protocol):
    """One page for one viewer and one query string. Blocking: made and used in a thread."""

    #: template of the whole page
    template: str
    #: watch only this task (its key); None: every change wakes the page
    task: int | None

    def __init__(self, viewer: Viewer, query: QueryDict, **arguments: str) -> None:
        """``arguments``: those of the URL. Raises Http404, PermissionDenied."""

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs, its fragments' contexts included."""

    def fragments(self, changes: Changes | None) -> dict[str, str]:
        """Element id → its HTML, of all that these changes (or time alone) may have touched.

        None: all fragments, after a connect or when changes were missed. The live socket sends
        those that differ from what it sent last.
        """
