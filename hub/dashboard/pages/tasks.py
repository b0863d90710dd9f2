"""``/tasks/``: the history as a list, by words, states and time."""

from dataclasses import dataclass, replace
from typing import Any, Final

from django.utils.functional import cached_property

from hub.core.values import TaskState
from hub.dashboard.pages.base import BasePage, clock, part_html, whole_number
from hub.dashboard.pages.format import capped, moment
from hub.dashboard.pages.links import tasks_url
from hub.dashboard.pages.rows import Row, row_of
from hub.dashboard.pages.states import FAILED, RUNNING, SUCCEEDED, WAITING, Mark
from hub.router.feed import Changes
from hub.selectors.search import search_parse
from hub.selectors.tasks import (
    TaskFilter,
    TaskPage,
    task_count,
    task_page,
    tasks_by_key,
    tasks_newer,
)

#: tasks of one page
ROWS: Final = 50
#: a chip counts so far
_COUNTED: Final = 10_000
_NEW: Final = 100

_HOUR: Final = 3_600_000
#: in the query string → in words, milliseconds
RANGES: Final = {
    "": ("Any time", None),
    "15m": ("15 minutes", _HOUR // 4),
    "1h": ("Hour", _HOUR),
    "24h": ("Day", 24 * _HOUR),
    "7d": ("Week", 7 * 24 * _HOUR),
}
#: in the query string → how it is shown, and what it asks for
STATES: Final = {
    "waiting": (WAITING, TaskState.INIT),
    "running": (RUNNING, TaskState.START),
    "succeeded": (SUCCEEDED, TaskState.SUCCESS),
    "failed": (FAILED, TaskState.FAIL),
}
_OUTCOMES: Final = {TaskState.SUCCESS, TaskState.FAIL}
_NO_REASONS: Final = (
    "Reasons are contents of tasks, and your login may not see those: the word was left out. "
    "Ask an administrator for the permission “view payload”."
)
_MAX_LINE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A link that narrows the list."""

    label: str
    url: str
    current: bool
    mark: Mark | None = None
    count: str = ""


class TasksPage(BasePage):
    """Lists of tasks, newest first, in keyset pages."""

    template = "dashboard/tasks.html"
    title = "Tasks"
    section = "tasks"
    parts = {"new_tasks": 0, "states": 10_000}

    def prepare(self) -> None:
        """Read the search line, the preset, the state and the page."""
        self.line = self.query.get("q", "")[:_MAX_LINE].strip()
        self.range = self._known("range", RANGES)
        self.state = self._known("state", STATES)
        self.before = whole_number(self.query.get("before"))
        search = search_parse(self.line, clock())
        self.problems = search.problems
        self._filter = search.filter
        if self._filter.reason is not None and not self.viewer.view_payload:
            self._filter = replace(self._filter, reason=None)
            self.problems = (*self.problems, _NO_REASONS)

    def _known(self, name: str, words: Any) -> str:
        given = self.query.get(name, "")
        return given if given in words else ""

    def filter(self, state: str | None = None) -> TaskFilter:
        """What the list is about, with another state than the chosen one if given."""
        asked = self._filter
        span = RANGES[self.range][1]
        if span is not None and asked.since is None:
            asked = replace(asked, since=clock() - span)
        chosen = self.state if state is None else state
        if not chosen:
            return asked
        state_asked = frozenset({STATES[chosen][1]})
        return replace(
            asked, states=state_asked - _OUTCOMES, outcomes=state_asked & _OUTCOMES, open=None
        )

    @cached_property
    def _found(self) -> TaskPage:
        before = self.anchor + 1 if self.before is None else min(self.before, self.anchor + 1)
        return task_page(self.filter(), before=before, limit=ROWS)

    @property
    def rows(self) -> list[Row]:
        """The tasks of this page."""
        now = clock()
        return [row_of(task, now, self.viewer) for task in self._found.tasks]

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs."""
        return {
            **super().context(),
            "rows": self.rows,
            "ranges": self.ranges(),
            "older": self._older(),
            "newest": self._url() if self.before is not None else None,
            "searched_to": moment(self._found.searched_to) if self._found.searched_to else None,
            "narrowed": bool(self.line or self.range or self.state),
        }

    def _older(self) -> str | None:
        following = self._found.next
        return None if following is None else self._url(before=str(following))

    def _url(self, **other: str) -> str:
        asked = {"q": self.line, "range": self.range, "state": self.state}
        return tasks_url(**{**asked, **other})

    def ranges(self) -> list[Choice]:
        """The presets of time."""
        return [
            Choice(label=label, url=self._url(range=name), current=name == self.range)
            for name, (label, _) in RANGES.items()
        ]

    def states(self) -> list[Choice]:
        """The chips, each with how many there are."""
        chips = [Choice(label="all", url=self._url(state=""), current=not self.state)]
        for name, (mark, _) in STATES.items():
            count, more = task_count(self.filter(name), limit=_COUNTED)
            chips.append(
                Choice(
                    label=mark.word,
                    url=self._url(state=name),
                    current=name == self.state,
                    mark=mark,
                    count=capped(count, more=more),
                )
            )
        return chips

    def new_tasks(self) -> dict[str, Any]:
        """How many tasks of the list have come since the page was made."""
        count = tasks_newer(self.filter(), after=self.anchor, limit=_NEW)
        return {"count": count, "more": count >= _NEW, "url": self._url()}

    def fragments(self, changes: Changes | None) -> dict[str, str]:
        """The parts, and those rows of this page whose tasks have changed."""
        found = super().fragments(changes)
        keys = [task.key for task in self._found.tasks]
        if changes is not None and not changes.overflowed:
            keys = [key for key in keys if key in changes.tasks]
        now = clock()
        for key, task in tasks_by_key(keys).items():
            row = row_of(task, now, self.viewer)
            found[f"row-{key}"] = part_html("task_row", {"row": row})
        return found
