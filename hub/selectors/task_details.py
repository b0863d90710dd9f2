"""One task whole: its events, its participants, its bodies."""

from typing import cast

from hub.core.values import ParticipantState, TaskState
from hub.models import TaskEvent
from hub.selectors.sql import Sql, Value, bounded, bytes_of, rows
from hub.selectors.task_shapes import EventRow, ParticipantRow

_EVENTS = """
    SELECT e.seq, e.kind, e.event_id, e.at, e."by", e.state, e.participant, e.participant_state,
        e.stands_for, {body}, {size}
    FROM hub_task_event e WHERE e.task = %s AND e.seq >= %s ORDER BY e.seq LIMIT %s
"""
_PARTICIPANTS = """
    SELECT e.number, e.client, e.connection, e."group", e.state, e.offered_at, e.started_at,
        e.done_at, {body}, {size}
    FROM hub_participation e WHERE e.task = %s ORDER BY e.number LIMIT %s
"""


def task_events(
    key: int, *, from_seq: int = 1, limit: int = 100, body_limit: int | None = None
) -> list[EventRow]:
    """Events of a task in order; bodies cut to ``body_limit`` characters."""
    what = (bounded(key), bounded(from_seq), limit)
    return [_event(*row) for row in rows(_with_bodies(_EVENTS, body_limit, what))]


def task_participants(
    key: int, *, limit: int = 1_000, body_limit: int | None = None
) -> list[ParticipantRow]:
    """Participants of a task in the order of the offers; bodies cut as those of events."""
    what = (bounded(key), limit)
    return [_participant(*row) for row in rows(_with_bodies(_PARTICIPANTS, body_limit, what))]


def task_body(key: int, seq: int) -> str | None:
    """The JSON of one event as received."""
    found = TaskEvent.objects.filter(task=bounded(key), seq=bounded(seq))
    return found.values_list("body", flat=True).first()


def _with_bodies(text: str, body_limit: int | None, parameters: tuple[Value, ...]) -> Sql:
    size = bytes_of("e.body")
    if body_limit is None:
        return Sql(text.format(body="e.body", size=size), parameters)
    cut = "substr(e.body, 1, %s)"
    return Sql(text.format(body=cut, size=size), (bounded(body_limit), *parameters))


def _event(*row: Value) -> EventRow:
    seq, kind, event_id, at, by, state, participant, its_state, stands_for, body, size = row
    return EventRow(
        seq=cast("int", seq),
        kind=cast("str", kind),
        event_id=cast("str", event_id),
        at=cast("int", at),
        by=cast("str", by),
        state=TaskState(cast("str", state)),
        participant=cast("int", participant),
        participant_state=None if its_state is None else ParticipantState(str(its_state)),
        stands_for=cast("str | None", stands_for),
        body=cast("str | None", body),
        size=cast("int | None", size) or 0,
    )


def _participant(*row: Value) -> ParticipantRow:
    number, client, connection, group, state, offered_at, started_at, done_at, body, size = row
    return ParticipantRow(
        number=cast("int", number),
        client=cast("str", client),
        connection=cast("str", connection),
        group=bool(group),
        state=ParticipantState(cast("str", state)),
        offered_at=cast("int", offered_at),
        started_at=cast("int | None", started_at),
        done_at=cast("int | None", done_at),
        body=cast("str | None", body),
        size=cast("int | None", size) or 0,
    )
