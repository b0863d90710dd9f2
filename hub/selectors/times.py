"""Times as keys: tasks are numbered as they come, so a time is a place in the primary key."""

from hub.selectors.sql import Sql, bounded, first_number

#: A key may be older than the one before it by so much (ms): a clock that was set back a little
#: while the hub was stopped, several processes with a clock each.
SLACK_MS = 10_000

#: A binary search in one statement: a page asks for several places, of twenty looks each.
_SEARCH = """
WITH RECURSIVE stretch (low, high) AS (
    SELECT CAST((SELECT min(id) FROM hub_task) AS bigint),
        CAST((SELECT max(id) FROM hub_task) AS bigint) + 1
    UNION ALL
    SELECT CASE WHEN t.created_at < %s THEN t.id + 1 ELSE s.low END,
        CASE WHEN t.created_at < %s THEN s.high ELSE (s.low + s.high) / 2 END
    FROM stretch s CROSS JOIN hub_task t
    WHERE s.low < s.high
        AND t.id = (SELECT min(n.id) FROM hub_task n WHERE n.id >= (s.low + s.high) / 2)
)
SELECT low FROM stretch WHERE low >= high
"""


def first_key_at(at: int) -> int:
    """A key below which every task was published before this time; binary search."""
    at = bounded(at)
    return first_number(Sql(_SEARCH, (at, at))) or 0
