"""Payloads, results and reasons: the JSON text as received, in pages bounded by their size."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import F, Func, IntegerField, Q
from django.db.models.functions import Substr

from hub.core.values import EventKind, TaskState
from hub.models import Task, TaskEvent

#: Characters of a body read at a time.
CHUNK = 262_144

_SEQ_OF_INIT = 1


class ByteLength(Func):
    """Bytes of a text as UTF-8."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        """Part of Func: its own octet_length is younger than the oldest SQLite we run on."""
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRow:
    """One body of a task."""

    task: int
    seq: int
    #: ``payload``, ``result`` or ``reason``
    name: str
    #: bytes, as UTF-8
    size: int
    #: None: not read, it is too long
    text: str | None = field(default=None, repr=False)


def bodies_of(keys: Collection[int], names: Collection[str]) -> list[BodyRow]:
    """Which bodies these tasks have and how large they are, without their text. One query."""
    if not keys or not names:
        return []
    wanted = Q()
    if "payload" in names:
        wanted |= Q(seq=_SEQ_OF_INIT)
    settling = {"result": EventKind.SUCCESS, "reason": EventKind.FAIL}
    kinds = [kind.value for name, kind in settling.items() if name in names]
    if kinds:
        wanted |= Q(seq=F("task__settled_seq"), kind__in=kinds)
    found = (
        TaskEvent.objects.filter(wanted, task__in=list(keys), body__isnull=False)
        .annotate(size=ByteLength("body"))
        .values_list("task_id", "seq", "kind", "size")
    )
    return [
        BodyRow(task=task, seq=seq, name=_NAMES[kind], size=size) for task, seq, kind, size in found
    ]


_NAMES: Mapping[str, str] = {
    EventKind.INIT.value: "payload",
    EventKind.SUCCESS.value: "result",
    EventKind.FAIL.value: "reason",
}


def body_texts(rows: Collection[BodyRow]) -> dict[tuple[int, int], str]:
    """The text of these bodies by task and seq. One query."""
    if not rows:
        return {}
    # Not by the ORM: conditions for two hundred tasks cost it more than all else of a page.
    # CROSS JOIN: SQLite takes the events one by one, and none that is not asked for.
    pairs = ", ".join(["(%s, %s)"] * len(rows))
    text = (
        f"WITH wanted (task, seq) AS (VALUES {pairs}) SELECT e.task, e.seq, e.body"  # noqa: S608
        " FROM wanted w CROSS JOIN hub_task_event e WHERE e.task = w.task AND e.seq = w.seq"
    )
    places = tuple(number for row in rows for number in (row.task, row.seq))
    with connection.cursor() as cursor:
        cursor.execute(text, places)
        return {(task, seq): body for task, seq, body in cursor if body is not None}


def settled_seq(key: int, outcome: TaskState) -> int | None:
    """The event that gave the task this outcome; None: it has another, or none yet."""
    found = Task.objects.filter(pk=key, outcome=outcome.value).values_list("settled_seq", flat=True)
    return found.first()


def body_chunks(key: int, seq: int, chunk: int = CHUNK) -> Iterator[str]:
    """The body of one event, a piece at a time, a query each."""
    at = 1
    while True:
        piece = (
            TaskEvent.objects.filter(task=key, seq=seq)
            .values_list(Substr("body", at, chunk), flat=True)
            .first()
        )
        if not piece:
            return
        yield piece
        at += chunk
