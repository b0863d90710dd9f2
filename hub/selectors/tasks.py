"""Lists of tasks by filter, newest first, and one task whole.

A list is read in keyset pages by the task's key, and a page looks at a bounded number of tasks:
a rare match costs more pages, never a slow one. No list is counted exactly. An action, a
publisher, what is open and what failed have indexes of their own, and are found at once however
rare they are; so are the few tasks whose ids begin in one way. A time is found by its place among
the keys; of a task that is over ten seconds older than one before it, because the clock was set
back while the hub was stopped, a bound in time may know nothing.
"""

from collections.abc import Sequence

from hub.core.access import Access
from hub.selectors.conditions import visible_to
from hub.selectors.sql import ALWAYS, LARGEST, Sql, all_of, first_number, storable
from hub.selectors.task_details import task_body, task_events, task_participants
from hub.selectors.task_rows import rows_by_key
from hub.selectors.task_shapes import (
    EventRow,
    ParticipantRow,
    TaskFilter,
    TaskPage,
    TaskRow,
)
from hub.selectors.walk import Walk, published_at

__all__ = [
    "EventRow",
    "ParticipantRow",
    "TaskFilter",
    "TaskPage",
    "TaskRow",
    "task_body",
    "task_count",
    "task_events",
    "task_find",
    "task_page",
    "task_participants",
    "tasks_by_key",
    "tasks_newer",
]


def task_page(
    filter: TaskFilter,  # noqa: A002  (the word for it)
    *,
    viewer: Access | None = None,
    before: int | None = None,
    limit: int = 50,
) -> TaskPage:
    """Tasks with a key below ``before``, newest first; of those the viewer may know of.

    ``viewer``: a client (docs/protocol.md §3, §5.5); None: who may see all.
    """
    keys: list[int] = []
    for window in Walk(filter, viewer, before=before).windows():
        keys += window.keys(limit + 1 - len(keys))
        if len(keys) > limit:
            return _page(keys[:limit], keys[limit - 1])
        reached, last = window.low, window.last
    searched_to = None if last else published_at(reached)
    return _page(keys, None if searched_to is None else reached, searched_to)


def _page(keys: list[int], following: int | None, searched_to: int | None = None) -> TaskPage:
    found = rows_by_key(keys)
    tasks = tuple(found[key] for key in keys if key in found)
    return TaskPage(tasks=tasks, next=following, searched_to=searched_to)


def tasks_newer(
    filter: TaskFilter,  # noqa: A002
    *,
    after: int,
    viewer: Access | None = None,
    limit: int = 100,
) -> int:
    """How many tasks of the list have a key above ``after``; counts to ``limit`` at most.

    Looks at as many tasks as a page does, from the newest on: of more, some are not counted.
    """
    return _count(Walk(filter, viewer, after=after), limit)[0]


def task_count(
    filter: TaskFilter,  # noqa: A002
    *,
    limit: int = 10_000,
) -> tuple[int, bool]:
    """How many there are among the newest, and whether it is more than that ("10 000+").

    Looks at as many tasks as a page does.
    """
    count, more = _count(Walk(filter, None), limit + 1)
    return min(count, limit), more or count > limit


def _count(walk: Walk, limit: int) -> tuple[int, bool]:
    """How many match, up to a limit, and whether there may be more further back."""
    count, more = 0, False
    for window in walk.windows():
        count += window.count(limit - count)
        more = not window.last
        if count >= limit:
            break
    return count, more


def tasks_by_key(keys: Sequence[int]) -> dict[int, TaskRow]:
    """Those of these tasks that are there."""
    return rows_by_key([key for key in keys if abs(key) <= LARGEST])


def task_find(task_id: str, *, viewer: Access | None = None) -> TaskRow | None:
    """The task, if it is there and the viewer may know of it."""
    if not storable(task_id):
        return None
    seen = ALWAYS if viewer is None else visible_to(viewer, TaskFilter())
    where = all_of([Sql("t.task_id = %s", (task_id,)), seen])
    text = f"SELECT t.id FROM hub_task t WHERE {where.text}"  # noqa: S608
    key = first_number(Sql(text, where.parameters))
    return None if key is None else rows_by_key([key]).get(key)
