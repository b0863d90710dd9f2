"""Rows of tasks at a glance: each page in a fixed number of queries, however many tasks it has."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hub.core.values import Expect, Settle, TaskState
from hub.models import Participation, Task
from hub.selectors.sql import Sql, one_of, rows
from hub.selectors.task_shapes import TaskRow

#: Tasks read by one statement.
CHUNK = 500
#: Participants of a task whose names are read, and characters of an update that is no progress.
MOST_PARTICIPANTS = 100
LONGEST_UPDATE = 4_096

_COLUMNS = (
    "id",
    "task_id",
    "action",
    "publisher",
    "state",
    "outcome",
    "seq",
    "created_at",
    "started_at",
    "settled_at",
    "ended_at",
    "start_deadline",
    "end_deadline",
    "settle",
    "expect",
    "claim",
)


def rows_by_key(keys: Sequence[int]) -> dict[int, TaskRow]:
    """Those of these tasks that are there."""
    found: dict[int, TaskRow] = {}
    for begin in range(0, len(keys), CHUNK):
        found.update((row.key, row) for row in _chunk(keys[begin : begin + CHUNK]))
    return found


def _chunk(keys: Sequence[int]) -> Iterator[TaskRow]:
    stored = list(Task.objects.filter(pk__in=keys).values(*_COLUMNS).order_by())
    services = _services([row["id"] for row in stored])
    updates = _updates([row["id"] for row in stored if row["ended_at"] is None])
    for row in stored:
        yield TaskRow(
            key=row["id"],
            task_id=row["task_id"],
            action=row["action"],
            publisher=row["publisher"],
            state=TaskState(row["state"]),
            outcome=TaskState(row["outcome"]) if row["outcome"] else None,
            seq=row["seq"],
            created_at=row["created_at"],
            started_at=row["started_at"],
            settled_at=row["settled_at"],
            ended_at=row["ended_at"],
            start_deadline=row["start_deadline"],
            end_deadline=row["end_deadline"],
            settle=Settle(row["settle"]),
            expect=Expect(row["expect"]),
            claim=row["claim"],
            services=tuple(services[row["id"]]),
            update=updates.get(row["id"]),
        )


def _services(keys: Sequence[int]) -> dict[int, list[str]]:
    """Names of participants by task, in the order of their offers."""
    found: dict[int, list[str]] = defaultdict(list)
    offered = Participation.objects.filter(task__in=keys, number__lte=MOST_PARTICIPANTS)
    for key, client in offered.order_by("task_id", "number").values_list("task_id", "client"):
        if client not in found[key]:
            found[key].append(client)
    return found


def _updates(keys: Sequence[int]) -> dict[int, str]:
    """Bodies of the last updates by task, backwards along the events of each."""
    if not keys:
        return {}
    which = one_of("t.id", keys)
    text = (
        "SELECT t.id, (SELECT CASE WHEN length(e.body) <= %s THEN e.body END"  # noqa: S608
        " FROM hub_task_event e WHERE e.task = t.id AND e.kind = 'update'"
        f" ORDER BY e.seq DESC LIMIT 1) FROM hub_task t WHERE {which.text}"
    )
    last = rows(Sql(text, (LONGEST_UPDATE, *which.parameters)))
    return {int(str(key)): str(body) for key, body in last if body is not None}
