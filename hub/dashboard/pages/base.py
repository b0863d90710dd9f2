"""What all pages share: parts, each an element with a template of its own."""

from typing import Any, ClassVar, Final

from django.core.exceptions import PermissionDenied
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.functional import cached_property

from hub.clock_and_ids import wall_clock
from hub.dashboard.page import Viewer
from hub.models import Task
from hub.router.feed import Changes

#: milliseconds since the epoch
clock: Final = wall_clock()

_LARGEST_KEY: Final = 2**63 - 1


class BasePage:
    """A page made of parts.

    A part ``figures`` is a method that answers what ``parts/figures.html`` shows under that
    name, and an element with the id ``figures``. The live socket keeps one page for its whole
    life, so a part that costs something is made anew only after its time.
    """

    template: str
    #: name of the page, for its heading
    title: str
    #: entry of the navigation
    section: str
    #: watch only this task (its key)
    task: int | None = None
    #: the flag of ``Viewer`` without which the page is refused
    needs: ClassVar[str] = "view_task"
    #: each part and the milliseconds for which it holds
    parts: ClassVar[dict[str, int]] = {}

    def __init__(self, viewer: Viewer, query: QueryDict, **arguments: str) -> None:
        """Raises PermissionDenied, Http404."""
        if not getattr(viewer, self.needs):
            raise PermissionDenied
        self.viewer = viewer
        self.query = query
        self._made_at: dict[str, int] = {}
        self.arguments = arguments
        self.prepare()

    def prepare(self) -> None:
        """Read the address: its arguments and the query string. Raises Http404."""

    @cached_property
    def anchor(self) -> int:
        """The newest task's key when the page was made."""
        given = whole_number(self.query.get("at"))
        return newest_key() if given is None else given

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs."""
        parts = {name: getattr(self, name)() for name in self.parts}
        return {"page": self, "viewer": self.viewer, "at": self.anchor, **parts}

    def fragments(self, changes: Changes | None) -> dict[str, str]:
        """Element id → HTML of the parts whose time has come; None: of all."""
        now = clock()
        due = [name for name in self.parts if changes is None or self._is_due(name, now)]
        return {element_id(name): self.rendered(name, now) for name in due}

    def _is_due(self, name: str, now: int) -> bool:
        return now - self._made_at.get(name, 0) >= self.parts[name]

    def rendered(self, name: str, now: int) -> str:
        """One part as HTML."""
        self._made_at[name] = now
        values = {name: getattr(self, name)(), "viewer": self.viewer, "page": self}
        return part_html(name, values)


def part_html(name: str, values: dict[str, Any]) -> str:
    """The HTML of ``parts/<name>.html``."""
    return render_to_string(f"dashboard/parts/{name}.html", values).strip()


def element_id(part: str) -> str:
    """The id of a part's element."""
    return part.replace("_", "-")


def newest_key() -> int:
    """The key of the newest task; 0: there is none."""
    return Task.objects.order_by("-id").values_list("id", flat=True).first() or 0


def whole_number(text: str | None) -> int | None:
    """A key or seq of the query string; None: there is none, or it is something else."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return min(int(text), _LARGEST_KEY - 1)
