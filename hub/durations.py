"""Durations in buckets of growing width, so that a sum stands for any number of them.

A bucket is told by one number, its representative, which differs by a tenth of the truth at most
from every duration in it. Percentiles made of buckets are as good. Milliseconds, in integers:
SQL (``hub/journal/sql``) and Python agree about each border.
"""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

#: What lies above two years is as long as that.
_LONGEST_MS = 1 << 36


def _buckets() -> tuple[tuple[int, int], ...]:
    """(first duration, representative) of each: as wide as a tenth to either side allows."""
    found, first = [(0, 0)], 1
    while first <= _LONGEST_MS:
        representative = 11 * first // 10
        found.append((first, representative))
        first = 10 * representative // 9 + 1
    return tuple(found)


_BUCKETS = _buckets()
#: The first duration of each bucket. What is below the second lies in bucket 0: also a duration
#: below nothing, which a clock that was set back has made.
BORDERS = tuple(first for first, _ in _BUCKETS)


def bucket_of(duration_ms: int) -> int:
    """The bucket of a duration."""
    return max(bisect_right(BORDERS, duration_ms) - 1, 0)


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The duration (ms) that this share (0 to 1) of them does not exceed; None: there are none.

    ``counts``: bucket → how many.
    """
    if not counts:
        return None
    buckets = sorted(counts)
    running = list(accumulate(counts[bucket] for bucket in buckets))
    wanted = share * running[-1]
    place = next(place for place, below in enumerate(running) if below >= wanted)
    return _BUCKETS[buckets[place]][1]


def bucket_sql(duration: str) -> str:
    """An SQL expression for the bucket of the duration that another expression gives.

    Borders are compared as in a binary search; no database's logarithm is needed.
    """

    def among(low: int, high: int) -> str:
        if low == high:
            return str(low)
        middle = (low + high + 1) // 2
        below, above = among(low, middle - 1), among(middle, high)
        return f"CASE WHEN {duration} < {BORDERS[middle]} THEN {below} ELSE {above} END"

    return among(0, len(BORDERS) - 1)
