"""Rates, failures and durations over time, out of sums kept for each minute.

A duration is the time from the publishing of a task to its outcome. Percentiles come from buckets
of growing width: within a tenth of the truth.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from hub.core.access import PatternSet
from hub.core.values import TaskState
from hub.durations import bucket_of, percentile
from hub.models import Task


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
    begin = since // width_ms * width_ms
    outcomes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    durations: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for _, outcome, ended, duration in _ended(begin, until, patterns):
        at = ended // width_ms * width_ms
        outcomes[at][outcome] += 1
        durations[at][bucket_of(duration)] += 1
    return [
        Bucket(
            at=at,
            width_ms=width_ms,
            succeeded=outcomes[at][TaskState.SUCCESS],
            failed=outcomes[at][TaskState.FAIL],
            p50=percentile(durations[at], 0.5),
            p95=percentile(durations[at], 0.95),
        )
        for at in range(begin, until, width_ms)
    ]


def by_action(
    *, since: int, until: int, patterns: tuple[str, ...] = (), points: int = 30, limit: int = 500
) -> list[ActionStats]:
    """Actions with tasks that ended in this window, by name; ``limit`` of the busiest at most."""
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    durations: defaultdict[str, Counter[int]] = defaultdict(Counter)
    parts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for action, outcome, ended, duration in _ended(since, until, patterns):
        outcomes[action][outcome] += 1
        durations[action][bucket_of(duration)] += 1
        parts[action][(ended - since) * points // (until - since)] += 1
    busiest = sorted(outcomes, key=lambda action: (-outcomes[action].total(), action))[:limit]
    return [
        ActionStats(
            action=action,
            succeeded=outcomes[action][TaskState.SUCCESS],
            failed=outcomes[action][TaskState.FAIL],
            per_minute=outcomes[action].total() * 60_000 / (until - since),
            p50=percentile(durations[action], 0.5),
            p95=percentile(durations[action], 0.95),
            spark=tuple(parts[action][part] for part in range(points)),
        )
        for action in sorted(busiest)
    ]


def _ended(
    since: int, until: int, patterns: tuple[str, ...]
) -> Iterator[tuple[str, str, int, int]]:
    wanted = PatternSet(patterns)
    found = Task.objects.filter(ended_at__gte=since, ended_at__lt=until).values_list(
        "action", "outcome", "ended_at", "created_at", "settled_at"
    )
    for action, outcome, ended, created, settled in found.iterator():
        if ended is not None and settled is not None and (not wanted or wanted.covers(action)):
            yield action, outcome, ended, settled - created
