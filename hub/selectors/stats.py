"""Rates, failures and durations over time, out of sums kept for each minute and each hour.

A duration is the time from the publishing of a task to its outcome. Percentiles come from buckets
of growing width: within a tenth of the truth. What ended a moment ago counts: it is read from its
rows until it is in the sums. Minutes are kept for two days, hours as long as tasks.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final

from hub.clock_and_ids import system_time
from hub.core.values import TaskState
from hub.durations import bucket_sql, percentile
from hub.journal.statements import statements
from hub.journal.sums import HOUR_MS, MINUTE_MS, MINUTES_KEPT_MS
from hub.models import HubMeta
from hub.selectors.conditions import covers
from hub.selectors.sql import ALWAYS, Sql, rows

#: A longer window is read by hours: it would be too many minutes.
_READ_BY_MINUTES_MS: Final = 3 * HOUR_MS

_ENDED: Final = statements("stats.sql")["ended"].replace(
    "{bucket}", bucket_sql("settled_at - created_at")
)


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
    """Buckets from ``since`` (rounded down to a bucket) to ``until``, empty ones included.

    No ``patterns``: all actions. A width is rounded up to whole minutes; before the minutes that
    are kept, to whole hours. The answer says what it became.
    """
    width, begin = _rounded(since, width_ms)
    unit = HOUR_MS if width % HOUR_MS == 0 else MINUTE_MS
    outcomes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    durations: defaultdict[int, Counter[int]] = defaultdict(Counter)
    # Not as a parameter: PostgreSQL would not see that this is what the rows are grouped by.
    what = (f"at / {width} * {width}", "outcome", "bucket")
    for at, outcome, bucket, n in _ended(what, unit, begin, until, patterns):
        outcomes[at][outcome] += n
        durations[at][bucket] += n
    return [
        Bucket(
            at=at,
            width_ms=width,
            succeeded=outcomes[at][TaskState.SUCCESS],
            failed=outcomes[at][TaskState.FAIL],
            p50=percentile(durations[at], 0.5),
            p95=percentile(durations[at], 0.95),
        )
        for at in range(begin, until, width)
    ]


def by_action(
    *, since: int, until: int, patterns: tuple[str, ...] = (), points: int = 30, limit: int = 500
) -> list[ActionStats]:
    """Actions with tasks that ended in this window, by name; ``limit`` of the busiest at most.

    No ``patterns``: all actions. The window is rounded outwards: to whole minutes; to whole hours
    when it is longer than three, or begins before the minutes that are kept. Then the parts of
    ``spark`` share the tasks of an hour evenly.
    """
    unit = MINUTE_MS if until - since <= _READ_BY_MINUTES_MS else HOUR_MS
    unit, begin = _rounded(since, unit)
    end = -(-until // unit) * unit
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    durations: defaultdict[str, Counter[int]] = defaultdict(Counter)
    what = ("action", "outcome", "bucket")
    for action, outcome, bucket, n in _ended(what, unit, begin, end, patterns):
        outcomes[action][outcome] += n
        durations[action][bucket] += n
    stretches: defaultdict[str, Counter[int]] = defaultdict(Counter)
    if points > 1:
        for action, at, n in _ended(("action", "at"), unit, begin, end, patterns):
            stretches[action][(at - begin) // unit] += n
    # A stretch that is not over yet lasts until now.
    span = max(min(end, max(until, system_time())) - begin, 1)
    busiest = sorted(outcomes, key=lambda action: (-outcomes[action].total(), action))[:limit]
    return [
        ActionStats(
            action=action,
            succeeded=outcomes[action][TaskState.SUCCESS],
            failed=outcomes[action][TaskState.FAIL],
            per_minute=outcomes[action].total() * MINUTE_MS / span,
            p50=percentile(durations[action], 0.5),
            p95=percentile(durations[action], 0.95),
            spark=_parts(stretches[action], unit, span, points)
            if points > 1
            else (outcomes[action].total(),),
        )
        for action in sorted(busiest)
    ]


def _rounded(since: int, width_ms: int) -> tuple[int, int]:
    """Width and begin in whole minutes, if these are kept from there on; else in whole hours."""
    found = HubMeta.objects.filter(key="summed_until").values_list("value", flat=True).first()
    kept = int(found or 0) - MINUTES_KEPT_MS
    for unit in (MINUTE_MS, HOUR_MS):
        width = max(-(-width_ms // unit), 1) * unit
        begin = since // width * width
        if begin >= kept:
            break
    return width, begin


def _parts(counts: Counter[int], unit: int, span: int, points: int) -> tuple[int, ...]:
    """Equal parts of a span whose stretches of ``unit`` hold so many each, evenly spread.

    The parts are whole numbers and add up to the whole.
    """
    last = (span - 1) // unit
    below = [0, *accumulate(counts[stretch] for stretch in range(last + 1))]
    reached = []
    for point in range(points):
        stretch, into = divmod(span * point // points, unit)
        length = unit if stretch < last else span - last * unit
        reached.append(below[stretch] + counts[stretch] * into // length)
    reached.append(below[-1])
    return tuple(after - before for before, after in pairwise(reached))


def _ended(
    what: tuple[str, ...], unit: int, begin: int, end: int, patterns: tuple[str, ...]
) -> list[Any]:
    covered = covers(patterns, "action") if patterns else ALWAYS
    of = covered.parameters
    parameters = (unit, begin, end, *of, unit, unit, begin, end, *of)
    return rows(Sql(_statement(what, covered), parameters))


def _statement(what: tuple[str, ...], covered: Sql) -> str:
    names = [f"k{place}" for place in range(len(what))]
    words = {
        "{what}": ", ".join(what),
        "{names}": ", ".join(names),
        "{named}": ", ".join(f"{one} AS {name}" for one, name in zip(what, names, strict=True)),
        "{covered}": covered.text,
    }
    text = _ENDED
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text
