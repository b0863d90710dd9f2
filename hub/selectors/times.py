"""Times as keys: tasks are numbered as they come, so a time is a place in the primary key."""

from hub.selectors.sql import Sql, first_number, rows

#: A key may be older than the one before it by so much (ms): a clock that was set back a little
#: while the hub was stopped, several processes with a clock each.
SLACK_MS = 10_000

_NEXT = "SELECT id, created_at FROM hub_task WHERE id >= %s ORDER BY id LIMIT 1"


def first_key_at(at: int) -> int:
    """A key below which every task was published before this time; binary search."""
    low = first_number(Sql("SELECT min(id) FROM hub_task"))
    high = first_number(Sql("SELECT max(id) FROM hub_task"))
    if low is None or high is None:
        return 0
    high += 1
    while low < high:
        middle = (low + high) // 2
        found = rows(Sql(_NEXT, (middle,)))
        if not found:
            high = middle
            continue
        key, created = (int(str(value)) for value in found[0])
        if created < at:
            low = key + 1
        else:
            high = middle
    return low
