"""Figures over the last hour: as tables, which the browser draws as charts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString

from hub.dashboard.pages.format import NONE, duration, minute, number
from hub.selectors.stats import Bucket, throughput

HOUR: Final = 3_600_000
_MINUTE: Final = 60_000
#: what rates are taken over, and percentiles of a moment
_RECENT: Final = 5 * _MINUTE
#: a stretch with fewer ended tasks says little about how long they take
_ENOUGH: Final = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """A value for the chart, and as people read it."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table behind a chart."""

    at: int
    time: SafeString
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """Rates and durations of the last minutes."""

    succeeded: float
    failed: float
    p50: str
    p95: str
    #: since when the percentiles count; None: there are none
    since: int | None


class Hours:
    """The last hour by minutes, of these actions (none: all); read once in a few seconds."""

    def __init__(self, clock: Callable[[], int], *patterns: str, holds_ms: int = 5_000) -> None:
        self._clock = clock
        self._patterns = patterns
        self._holds = holds_ms
        self._read_at = 0
        self._buckets: list[Bucket] = []

    def buckets(self) -> list[Bucket]:
        """A bucket for each minute, the one that goes on included."""
        now = self._clock()
        if now - self._read_at >= self._holds:
            self._read_at = now
            self._buckets = throughput(
                since=now - HOUR + _MINUTE, until=now, width_ms=_MINUTE, patterns=self._patterns
            )
        return self._buckets

    def throughput(self) -> list[Line]:
        """Time, finished, failed."""
        return [
            Line(one.at, minute(one.at), (_count(one.succeeded + one.failed), _count(one.failed)))
            for one in self.buckets()
        ]

    def latency(self) -> list[Line]:
        """Time, p50, p95."""
        return [
            Line(one.at, minute(one.at), (_span(one.p50), _span(one.p95))) for one in self.buckets()
        ]

    def pace(self) -> Pace:
        """How it goes now."""
        now = self._clock()
        found = throughput(
            since=now - _RECENT, until=now, width_ms=_RECENT, patterns=self._patterns
        )
        minutes = [one for one in self.buckets() if one.at >= now - _RECENT]
        span = max(1, (now - minutes[0].at) / _MINUTE) if minutes else 1
        newest = _telling(found)
        return Pace(
            succeeded=sum(one.succeeded for one in minutes) / span,
            failed=sum(one.failed for one in minutes) / span,
            p50=duration(newest.p50) if newest else NONE,
            p95=duration(newest.p95) if newest else NONE,
            since=newest.at if newest else None,
        )


def _telling(buckets: list[Bucket]) -> Bucket | None:
    """The newest with enough in it; else the newest with anything."""
    ended = [one for one in reversed(buckets) if one.p50 is not None]
    enough = [one for one in ended if one.succeeded + one.failed >= _ENOUGH]
    return next(iter(enough or ended), None)


def _count(value: int) -> Cell:
    return Cell(str(value), number(value))


def _span(value: int | None) -> Cell:
    return Cell("", NONE) if value is None else Cell(str(value), duration(value))
