"""Rates, failures and durations over time, out of sums kept for each minute.

A duration is the time from the publishing of a task to its outcome. Percentiles come from buckets
of growing width: within a tenth of the truth.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What ended in one stretch of time."""

    #: its begin, ms since the epoch
    at: int
    width_ms: int
    succeeded: int
    failed: int
    #: milliseconds; None: nothing ended
    p50: int | None
    p95: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStats:
    """One action over a window."""

    action: str
    succeeded: int
    failed: int
    #: ended tasks a minute
    per_minute: float
    p50: int | None
    p95: int | None
    #: ended tasks in equal parts of the window, oldest first
    spark: tuple[int, ...]


def throughput(
    *, since: int, until: int, width_ms: int, patterns: tuple[str, ...] = ()
) -> list[Bucket]:
    """Buckets from ``since`` (rounded down to a bucket) to ``until``, empty ones included."""
    raise NotImplementedError


def by_action(
    *, since: int, until: int, patterns: tuple[str, ...] = (), points: int = 30, limit: int = 500
) -> list[ActionStats]:
    """Actions with tasks that ended in this window, by name; ``limit`` of the busiest at most."""
    raise NotImplementedError
