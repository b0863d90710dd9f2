"""Events of a task with as much of their bodies as a document holds."""

from collections.abc import Sequence
from typing import Any, Final

from hub.api.bodies import MAX_BODY, MAX_DOCUMENT
from hub.api.callers import VIEW_PAYLOAD, Caller
from hub.api.media import raw
from hub.core.values import BODY_FIELD, EventKind
from hub.selectors import tasks
from hub.selectors.tasks import EventRow

#: Characters of each body that are read with the events; longer ones are read one by one.
PREVIEW: Final = 8_192

Bodies = dict[int, dict[str, Any]]


def sees_bodies(caller: Caller) -> bool:
    """Whether events are told with their bodies: staff may be allowed to see tasks only."""
    return caller.may(VIEW_PAYLOAD)


def read_events(
    key: int, from_seq: int, limit: int, *, bodies: bool
) -> tuple[Sequence[EventRow], Bodies, bool]:
    """Events from that seq on, their bodies by seq, and whether more are stored.

    At most ``limit``, and no more bodies than a document holds; one event at least.
    """
    rows = tasks.task_events(key, from_seq=from_seq, limit=limit + 1, body_limit=PREVIEW)
    if not bodies:
        return rows[:limit], {}, len(rows) > limit
    told: Bodies = {}
    taken = 0
    for number, row in enumerate(rows[:limit]):
        taken += row.size if row.size <= MAX_BODY else 0
        if number and taken > MAX_DOCUMENT:
            return rows[:number], told, True
        body = _whole(key, row)
        if body is not None:
            told[row.seq] = {_name(row): raw(body)}
    return rows[:limit], told, len(rows) > limit


def _whole(key: int, row: EventRow) -> str | None:
    if row.body is None or row.size > MAX_BODY:
        return None  # its size is told; a payload and a result have an address of their own
    if len(row.body) < PREVIEW:
        return row.body
    return tasks.task_body(key, row.seq)


def _name(row: EventRow) -> str:
    """How the wire calls the body of this event (docs/protocol.md §4.1, §5.3)."""
    sent = EventKind(row.stands_for or row.kind)
    return BODY_FIELD.get(sent, "reason")
