"""``/actions/``: what kinds of work there are, as a tree of nouns; and a page for each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from django.http import Http404
from django.utils.safestring import SafeString

from hub.dashboard.pages.base import BasePage, clock
from hub.dashboard.pages.charts import HOUR, Hours, Line
from hub.dashboard.pages.commands import client_command, publish_command, serve_command
from hub.dashboard.pages.format import NONE, counted, duration, number, percent
from hub.dashboard.pages.links import action_url, searched, tasks_url
from hub.dashboard.pages.now import Figure
from hub.dashboard.pages.rows import Row, row_of
from hub.dashboard.pages.spark import spark
from hub.selectors.connections import connections, subscribers_of
from hub.selectors.stats import ActionStats, by_action
from hub.selectors.tasks import TaskFilter, task_page

#: in the query string → in words, milliseconds
WINDOWS: Final = {
    "1h": ("the last hour", HOUR),
    "24h": ("the last day", 24 * HOUR),
    "7d": ("the last week", 168 * HOUR),
}
_USUAL: Final = "1h"
_POINTS: Final = 30
_LISTED: Final = 500
_NEWEST: Final = 20
_DEEPEST: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A row of the tree: a noun with the sums of what is below it, or an action."""

    name: str
    url: str
    #: how far it is moved to the right
    level: int
    noun: bool
    rate: str
    failed: str
    #: a class, where something failed
    tone: str
    p50: str = ""
    p95: str = ""
    subscribers: str = ""
    spark: SafeString | str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An action with what is known of it."""

    action: str
    subscribers: int
    stats: ActionStats | None

    @property
    def ended(self) -> int:
        """Tasks that ended in the window."""
        return self.stats.succeeded + self.stats.failed if self.stats else 0

    @property
    def failed(self) -> int:
        """Those of them that failed."""
        return self.stats.failed if self.stats else 0


class ActionsPage(BasePage):
    """The tree."""

    template = "dashboard/actions.html"
    title = "Actions"
    section = "actions"
    parts = {"actions": 3_000}

    def prepare(self) -> None:
        """Read the window."""
        given = self.query.get("range", _USUAL)
        self.range = given if given in WINDOWS else _USUAL
        self.words, self.span = WINDOWS[self.range]

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs."""
        windows = [
            {
                "label": words.removeprefix("the "),
                "url": f"?range={name}",
                "current": name == self.range,
            }
            for name, (words, _) in WINDOWS.items()
        ]
        return {**super().context(), "windows": windows}

    def actions(self) -> list[Branch]:
        """All actions that had tasks in this window, or are subscribed to now."""
        now = clock()
        stats = {
            one.action: one
            for one in by_action(since=now - self.span, until=now, points=_POINTS, limit=_LISTED)
        }
        names = sorted({*stats, *_subscribed()}, key=_path)[:_LISTED]
        serving = subscribers_of(names)
        served = [
            Served(action=name, subscribers=serving[name], stats=stats.get(name)) for name in names
        ]
        return list(_branches(served, self.span / 60_000, self.words))


def _subscribed() -> set[str]:
    return {pattern for one in connections() for pattern in one.subscriptions if ":" in pattern}


def _path(action: str) -> tuple[str, ...]:
    """``email/address:validate`` as nouns and a verb."""
    noun, colon, verb = action.partition(":")
    return (*noun.split("/"), verb) if colon else (action,)


def _branches(
    served: Iterable[Served], minutes: float, words: str, level: int = 0, above: str = ""
) -> Iterator[Branch]:
    for name, group in groupby(served, key=lambda one: _path(one.action)[level]):
        below = list(group)
        here = [one for one in below if len(_path(one.action)) == level + 1]
        deeper = [one for one in below if len(_path(one.action)) > level + 1]
        yield from (_leaf(one, name, level, words) for one in here)
        if deeper:
            path = f"{above}{name}"
            yield _noun(deeper, name, path, level, minutes)
            yield from _branches(deeper, minutes, words, level + 1, f"{path}/")


def _noun(below: list[Served], name: str, path: str, level: int, minutes: float) -> Branch:
    ended, failed = sum(one.ended for one in below), sum(one.failed for one in below)
    return Branch(
        name=name,
        url=action_url(path),
        level=min(level, _DEEPEST),
        noun=True,
        rate=_rate(ended / minutes),
        failed=_failed(failed, ended),
        tone="bad" if failed else "",
    )


def _leaf(one: Served, name: str, level: int, words: str) -> Branch:
    stats = one.stats
    return Branch(
        name=name,
        url=action_url(one.action),
        level=min(level, _DEEPEST),
        noun=False,
        rate=_rate(stats.per_minute if stats else 0),
        failed=_failed(one.failed, one.ended),
        tone="bad" if one.failed else "",
        p50=duration(stats.p50 if stats else None),
        p95=duration(stats.p95 if stats else None),
        subscribers=number(one.subscribers) if one.subscribers else "nobody",
        spark=spark(stats.spark, span=words) if stats else "",
    )


def _rate(per_minute: float) -> str:
    if not per_minute:
        return "0"
    return number(per_minute) if per_minute >= 0.05 else "under 0.1"


def _failed(failed: int, ended: int) -> str:
    if not ended:
        return NONE
    return f"{number(failed)} ({percent(failed, ended)})" if failed else "0"


class ActionPage(BasePage):
    """One action, or a noun with all below it."""

    template = "dashboard/action.html"
    section = "actions"
    parts = {
        "figures": 2_000,
        "chart_throughput": 5_000,
        "chart_latency": 5_000,
        "served_by": 2_000,
        "newest": 0,
    }

    def prepare(self) -> None:
        """Read the name. Raises Http404."""
        self.name = self.title = self.arguments["name"]
        if len(self.name) > 255 or "\0" in self.name:
            raise Http404
        self.noun = ":" not in self.name
        self._hours = Hours(clock, self.name)

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs."""
        action = f"{self.name}:VERB" if self.noun else self.name
        return {
            **super().context(),
            "name": self.name,
            "all_url": tasks_url(q=searched("action", self.name)),
            "serve": serve_command(action),
            "publish": publish_command(action),
        }

    def figures(self) -> list[Figure]:
        """The numbers on top."""
        pace = self._hours.pace()
        hour = self._hours.buckets()
        ended = sum(one.succeeded + one.failed for one in hour)
        failed = sum(one.failed for one in hour)
        figures = [
            Figure(
                label="Finished a minute",
                value=number(pace.succeeded + pace.failed),
                note="over 5 minutes",
            ),
            Figure(label="Ended in the last hour", value=number(ended)),
            Figure(
                label="Failed in the last hour",
                value=_failed(failed, ended),
                tone="bad" if failed else "",
                url=tasks_url(q=searched("action", self.name), state="failed", range="1h"),
            ),
            Figure(label="Duration p50", value=pace.p50),
            Figure(label="Duration p95", value=pace.p95),
        ]
        if not self.noun:
            count = subscribers_of([self.name])[self.name]
            figures.append(Figure(label="Subscribers now", value=number(count)))
        return figures

    def chart_throughput(self) -> list[Line]:
        """Finished and failed tasks, by minutes."""
        return self._hours.throughput()

    def chart_latency(self) -> list[Line]:
        """Durations, by minutes."""
        return self._hours.latency()

    def served_by(self) -> dict[str, Any]:
        """How many connections would be sent a task of it, and how to make one more."""
        count = 0 if self.noun else subscribers_of([self.name])[self.name]
        noun = self.name.partition(":")[0]
        return {
            "count": count,
            "words": counted(count, "connection"),
            "noun": self.noun,
            "make": client_command("NAME", "--sub", noun),
            "serve": serve_command(self.name),
        }

    def newest(self) -> list[Row]:
        """Its newest tasks."""
        now = clock()
        found = task_page(TaskFilter(actions=(self.name,)), limit=_NEWEST)
        return [row_of(task, now, self.viewer) for task in found.tasks]
