"""What somebody should look at: tasks near their deadline, tasks that found no subscriber."""

from collections import Counter

from hub.core import reasons
from hub.selectors.sql import Sql, by_index, rows
from hub.selectors.task_rows import rows_by_key
from hub.selectors.task_shapes import TaskRow

#: Open tasks looked through, oldest first: all that a hub holds by default (hub/core/limits.py).
#: So many take some 60 ms.
OPEN = 100_000
#: Failed tasks looked through, newest first.
FAILED = 5_000


def tasks_near_deadline(*, now: int, percent: int, limit: int) -> list[TaskRow]:
    """Open tasks without an outcome of whose time less than this is left, most urgent first.

    ``now``: ms since the epoch; ``percent``: of the time from the init to the end deadline.
    """
    text = (
        "SELECT id FROM (SELECT t.id, t.outcome, t.created_at, t.end_deadline"  # noqa: S608
        f" FROM {by_index('task_open')} WHERE t.ended_at IS NULL ORDER BY t.id LIMIT %s) AS open"
        " WHERE outcome = '' AND (end_deadline - %s) * 100 < (end_deadline - created_at) * %s"
        " ORDER BY end_deadline, id LIMIT %s"
    )
    keys = [int(str(key)) for (key,) in rows(Sql(text, (OPEN, now, percent, limit)))]
    found = rows_by_key(keys)
    return [found[key] for key in keys if key in found]


def unserved_by_action(*, since: int) -> Counter[str]:
    """Actions with how many of their tasks ended since then because nobody subscribed in time.

    That is what the hub said of them; a service that says the same is not meant.
    """
    text = (
        "SELECT action, count(*) FROM (SELECT t.id, t.action, t.settled_seq, t.ended_at"  # noqa: S608
        f" FROM {by_index('task_failed')} WHERE t.outcome = 'fail' ORDER BY t.id DESC LIMIT %s)"
        " AS failed JOIN hub_task_event e ON e.task = failed.id AND e.seq = failed.settled_seq"
        " WHERE failed.ended_at >= %s AND e.by = 'hub' AND e.body = %s GROUP BY action"
    )
    found = rows(Sql(text, (FAILED, since, reasons.NO_SUBSCRIBER)))
    return Counter({str(action): int(str(count)) for action, count in found})
