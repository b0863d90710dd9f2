"""The walk along a list: down the keys, in windows of a bounded number of tasks.

What one index answers alone is read at once. Where tasks have to be looked at one by one, the
walk takes the index that gets furthest back with so many of its entries, and ends when it has
looked at enough: the next page goes on from there.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from hub.core.access import Access
from hub.selectors.conditions import EVERY_TASK, Source, conditions_of
from hub.selectors.sql import ALWAYS, LARGEST, Sql, all_of, bounded, by_index, first_number, rows
from hub.selectors.task_shapes import TaskFilter
from hub.selectors.times import SLACK_MS, first_key_at

#: Tasks looked at in one step; all together in one walk. The first are few: most pages are full
#: after them.
WINDOWS = (500, 1_000, 1_500, 2_000, 3_000, 4_000, 4_000, 4_000)
#: Of the entries of an index so many times fewer: their tasks lie apart, neighbours by key do not.
APART = 4
#: No further step after this: a hundred patterns, or reasons of a megabyte, take their time.
BUDGET_S = 0.03


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of keys to look at: along one source, for tasks of which the rest holds too."""

    source: Source
    rest: Sql
    #: keys from ``low`` on, below ``high``
    low: int
    high: int
    #: nothing of the list is below
    last: bool

    def keys(self, limit: int) -> list[int]:
        """The newest that match."""
        return [int(str(key)) for (key,) in rows(self._select("t.id", limit))]

    def count(self, limit: int) -> int:
        """How many match, up to a limit."""
        inner = self._select("t.id", limit)
        text = f"SELECT count(*) FROM ({inner.text}) AS found"  # noqa: S608
        return first_number(Sql(text, inner.parameters)) or 0

    def _select(self, what: str, limit: int) -> Sql:
        stretch = Sql("t.id >= %s AND t.id < %s", (self.low, self.high))
        where = all_of([self.source.condition, stretch, self.rest])
        return _newest(what, self.source, where, Sql("%s", (limit,)))


class Walk:
    """One list, from a key downwards."""

    def __init__(
        self,
        wanted: TaskFilter,
        viewer: Access | None,
        *,
        after: int = 0,
        before: int | None = None,
    ) -> None:
        self._began = time.monotonic()
        found = conditions_of(wanted, viewer)
        self._sources, self._rest = found.sources, found.rest
        self._low, self._high = _between(wanted, after, before)

    def windows(self) -> Iterator[Window]:
        """Stretches to look at, each below the one before, until the end or far enough."""
        if len(self._sources) == 1 and self._rest is ALWAYS:
            yield Window(self._sources[0], ALWAYS, self._low, self._high, last=True)
            return
        high = self._high
        for size in WINDOWS:
            window = self._window(high, size)
            yield window
            high = window.low
            if window.last or time.monotonic() - self._began > BUDGET_S:
                return

    def _window(self, high: int, size: int) -> Window:
        """The longest stretch that holds so many entries of one of the sources."""
        along = self._sources if EVERY_TASK in self._sources else (*self._sources, EVERY_TASK)
        reached = [self._reach(source, high, size) for source in along]
        low = min(reached)
        source = along[reached.index(low)]
        others = [other.condition for other in self._sources if other is not source]
        return Window(source, all_of([*others, self._rest]), low, high, last=low <= self._low)

    def _reach(self, source: Source, high: int, size: int) -> int:
        """The key of the last of the next entries of a source."""
        if source is EVERY_TASK:
            return self._reach_by_number(high, size)
        if source.index is None:
            return self._low
        stretch = Sql("t.id >= %s AND t.id < %s", (self._low, high))
        where = all_of([source.condition, stretch])
        nth = _newest("t.id", source, where, Sql("1 OFFSET %s", (max(1, size // APART) - 1,)))
        found = first_number(nth)
        return self._low if found is None else found

    def _reach_by_number(self, high: int, size: int) -> int:
        """Keys are numbers without gaps, but for what was deleted: nothing has to be read."""
        newest = _newest_below(high)
        if newest is None or newest - size < self._low:
            return self._low
        low = newest - size + 1
        following = _newest_below(low)
        return self._low if following is None or following < self._low else low


def published_at(key: int) -> int | None:
    """When this task was published, or the next one below it that is still there."""
    text = "SELECT created_at FROM hub_task WHERE id <= %s ORDER BY id DESC LIMIT 1"
    return first_number(Sql(text, (key,)))


def _newest(what: str, source: Source, where: Sql, limit: Sql) -> Sql:
    text = (
        f"SELECT {what} FROM {by_index(source.index)} WHERE {where.text}"  # noqa: S608
        f" ORDER BY t.id DESC LIMIT {limit.text}"
    )
    return Sql(text, (*where.parameters, *limit.parameters))


def _newest_below(key: int) -> int | None:
    return first_number(Sql("SELECT max(id) FROM hub_task WHERE id < %s", (key,)))


def _between(wanted: TaskFilter, after: int, before: int | None) -> tuple[int, int]:
    """The keys in question: from the first on, below the second."""
    low, high = bounded(after + 1), LARGEST if before is None else bounded(before)
    if wanted.since is not None:
        low = max(low, first_key_at(wanted.since - SLACK_MS))
    if wanted.until is not None:
        high = min(high, first_key_at(wanted.until + SLACK_MS))
    return low, high
