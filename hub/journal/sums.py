"""Sums of ended tasks: how many, of which action and outcome, and how long they took.

A sum counts the tasks that ended in one minute, or hour, with a duration of one bucket
(``hub.durations``). Sums are made from the rows, later, and say up to which time they are
made: the note moves in the transaction that adds, so each task counts once, also across
``kill -9``. What ended since is for the reader to count.

These steps are the same for every database; a driver gives ``run``, which executes a statement
of its transaction, and opens that transaction around them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final, Protocol

import msgspec

from hub.durations import bucket_sql
from hub.journal.statements import for_rows, statements

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
#: Minutes are kept for so long before where the sums stand; hours as long as the tasks.
MINUTES_KEPT_MS: Final = 48 * HOUR_MS
#: Minutes, or hours, deleted in one transaction.
_PRUNED_AT_ONCE: Final = 10
_MAX_ROWS: Final = 256

_SQL = {
    name: text.replace("{bucket}", bucket_sql("settled_at - created_at"))
    for name, text in statements("sums.sql").items()
}

#: width in ms, begin, action, outcome, bucket, how many
SumRow = tuple[int, int, str, str, int, int]


class Cursor(Protocol):
    """What a statement left behind (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """Rows it touched."""

    def fetchall(self) -> list[Any]:
        """Rows it found."""


#: Executes a statement with ``?`` for its parameters.
Run = Callable[[str, Sequence[object]], Cursor]


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What to add to the sums."""

    #: where the sums stood, and where they stand once this is added (ms)
    since: int
    until: int
    rows: tuple[SumRow, ...]


def tally(run: Run, until: int, limit: int) -> Tally:
    """Count what ended from where the sums stand to ``until``; of about ``limit`` tasks at most.

    Everything that ended before ``until`` must be stored.
    """
    since = _summed_until(run)
    with_minutes = until - MINUTES_KEPT_MS
    beyond = run(_SQL["step_end"], (since, until, limit)).fetchall()
    if beyond:
        until = max(beyond[0][0], since + 1)
    width = MINUTE_MS if until > with_minutes else HOUR_MS
    found = run(_SQL["tally"], (width, width, since, until)).fetchall()
    return Tally(since=since, until=until, rows=tuple(_rows(width, found)))


def _rows(width: int, found: list[Any]) -> list[SumRow]:
    hours: Counter[tuple[int, str, str, int]] = Counter()
    rows: list[SumRow] = []
    for at, action, outcome, bucket, n in found:
        if width == MINUTE_MS:
            rows.append((MINUTE_MS, at, action, outcome, bucket, n))
        hours[at // HOUR_MS * HOUR_MS, action, outcome, bucket] += n
    return rows + [(HOUR_MS, *key, n) for key, n in hours.items()]


def add(run: Run, made: Tally) -> bool:
    """Add to the sums; False: they have moved since, and nothing was added."""
    run(_SQL["begin_sums"], ())
    if run(_SQL["move_sums"], (str(made.until), str(made.since))).rowcount != 1:
        return False
    for start in range(0, len(made.rows), _MAX_ROWS):
        rows = made.rows[start : start + _MAX_ROWS]
        run(for_rows(_SQL["add_sums"], 6, len(rows)), tuple(chain.from_iterable(rows)))
    return True


def rewind(run: Run, to: int) -> None:
    """Forget the sums from the hour of ``to`` on, so that they are made again.

    Nothing happens when they do not reach that far.
    """
    stood, hour = _summed_until(run), to // HOUR_MS * HOUR_MS
    if stood > to and run(_SQL["move_sums"], (str(hour), str(stood))).rowcount == 1:
        for width in (MINUTE_MS, HOUR_MS):
            run(_SQL["delete_sums_from"], (width, hour))


def prune(run: Run, hours_before: int | None) -> bool:
    """Delete some old minutes, and some hours before this time (ms; None: none); if more are left.

    Old for a minute is told by where the sums stand, not by a clock: a reader can tell as well.
    """
    more = _prune(run, MINUTE_MS, _summed_until(run) - MINUTES_KEPT_MS - HOUR_MS)
    if hours_before is not None:
        more = _prune(run, HOUR_MS, hours_before) or more
    return more


def _prune(run: Run, width: int, before: int) -> bool:
    found = run(_SQL["oldest_sum"], (width,)).fetchall()
    oldest: int | None = found[0][0]
    end = before // width * width
    if oldest is None or oldest >= end:
        return False
    stop = min(end, oldest + _PRUNED_AT_ONCE * width)
    run(_SQL["delete_sums_before"], (width, stop))
    return stop < end


def _summed_until(run: Run) -> int:
    found = run(_SQL["summed_until"], ()).fetchall()
    return int(found[0][0]) if found else 0
