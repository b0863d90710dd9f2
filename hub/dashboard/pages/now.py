"""``/``: how it goes at this moment, and what needs attention."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.utils.html import format_html

from hub.core.values import ParticipantState, TaskState
from hub.dashboard.pages.base import BasePage, clock
from hub.dashboard.pages.charts import HOUR, Hours, Line
from hub.dashboard.pages.format import (
    capped,
    counted,
    duration,
    minute,
    number,
    percent,
    short_id,
)
from hub.dashboard.pages.links import action_url, searched, task_url, tasks_url
from hub.dashboard.pages.rows import Row, row_of
from hub.dashboard.pages.states import FAILED, PARTICIPANT, Mark
from hub.selectors.attention import tasks_near_deadline, unserved_by_action
from hub.selectors.connections import connections_by_client
from hub.selectors.stats import by_action
from hub.selectors.tasks import TaskFilter, task_count, task_page

_COUNTED: Final = 10_000
_NEWEST: Final = 10
#: of each kind of trouble
_LISTED: Final = 5
_MINUTE: Final = 60_000
#: an open task is near its deadline when less than this part of its time is left, in percent
_NEAR: Final = 20

_LATE: Final = PARTICIPANT[ParticipantState.TIMED_OUT]
_NOBODY: Final = PARTICIPANT[ParticipantState.LOST]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its name."""

    label: str
    value: str
    url: str = ""
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What somebody should look at, and where."""

    mark: Mark
    what: str
    detail: str
    url: str
    do: str


class NowPage(BasePage):
    """Figures, an hour as charts, what needs attention, the newest tasks."""

    template = "dashboard/now.html"
    title = "Now"
    section = "now"
    parts = {
        "figures": 1_000,
        "attention": 3_000,
        "newest": 0,
        "chart_throughput": 5_000,
        "chart_latency": 5_000,
    }

    def prepare(self) -> None:
        """Nothing is asked for."""
        self._hours = Hours(clock)

    def figures(self) -> list[Figure]:
        """The numbers on top."""
        pace = self._hours.pace()
        since = format_html("since {}", minute(pace.since)) if pace.since else ""
        figures = [
            _tasks("Running", "running", TaskState.START),
            _tasks("Waiting", "waiting", TaskState.INIT),
            Figure(
                label="Finished a minute",
                value=number(pace.succeeded + pace.failed),
                note="over 5 minutes",
            ),
            Figure(
                label="Failed a minute",
                value=number(pace.failed),
                note="over 5 minutes",
                tone="bad" if pace.failed else "",
                url=tasks_url(state="failed", range="15m"),
            ),
            Figure(label="Duration p50", value=pace.p50, note=since),
            Figure(label="Duration p95", value=pace.p95, note=since),
        ]
        if self.viewer.view_connection:
            figures.append(_connections())
        return figures

    def attention(self) -> list[Concern]:
        """Actions that fail, tasks that nobody serves, tasks near their deadline."""
        now = clock()
        # From the begin of a minute, as all figures of the hour.
        since = (now - HOUR) // _MINUTE * _MINUTE
        unserved = unserved_by_action(since=since)
        return [*_nobody(unserved), *_failing(since, now, unserved), *_late(now)]

    def newest(self) -> list[Row]:
        """The newest tasks."""
        now = clock()
        return [
            row_of(task, now, self.viewer) for task in task_page(TaskFilter(), limit=_NEWEST).tasks
        ]

    def chart_throughput(self) -> list[Line]:
        """Finished and failed tasks, by minutes."""
        return self._hours.throughput()

    def chart_latency(self) -> list[Line]:
        """Durations, by minutes."""
        return self._hours.latency()

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs."""
        context = super().context()
        return {**context, "empty": context["at"] == 0}


def _tasks(label: str, name: str, state: TaskState) -> Figure:
    count, more = task_count(TaskFilter(states=frozenset({state})), limit=_COUNTED)
    return Figure(label=label, value=capped(count, more=more), url=tasks_url(state=name))


def _connections() -> Figure:
    held = connections_by_client()
    return Figure(
        label="Connections",
        value=number(sum(held.values())),
        note=f"of {counted(len(held), 'client')}",
        url="/connections/",
    )


def _failing(since: int, now: int, unserved: Counter[str]) -> list[Concern]:
    # An action whose fails are all for want of a subscriber is named once.
    failing = [
        one for one in by_action(since=since, until=now) if one.failed > unserved[one.action]
    ]
    failing.sort(key=lambda one: (-one.failed, one.action))
    return [
        Concern(
            mark=FAILED,
            what=one.action,
            detail=f"{number(one.failed)} of {number(one.succeeded + one.failed)} failed in the "
            f"last hour ({percent(one.failed, one.succeeded + one.failed)})",
            url=tasks_url(q=searched("action", one.action), state="failed", range="1h"),
            do="See which",
        )
        for one in failing[:_LISTED]
    ]


def _nobody(unserved: Counter[str]) -> list[Concern]:
    return [
        Concern(
            mark=_NOBODY,
            what=action,
            detail=f"{counted(count, 'task')} without a subscriber in the last hour",
            url=action_url(action),
            do="How to serve it",
        )
        for action, count in unserved.most_common(_LISTED)
    ]


def _late(now: int) -> list[Concern]:
    return [
        Concern(
            mark=_LATE,
            what=f"{task.action} {short_id(task.task_id)}",
            detail=f"its deadline is in {duration(task.end_deadline - now)}, after "
            f"{duration(task.end_deadline - task.created_at)}",
            url=task_url(task.task_id),
            do="Look at it",
        )
        for task in tasks_near_deadline(now=now, percent=_NEAR, limit=_LISTED)
    ]
