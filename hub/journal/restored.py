"""Rows back to values: the reverse of ``rows.py``."""

import sqlite3

from hub.core.facts import Created, Event
from hub.core.task import Participant
from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState


def event_of(row: sqlite3.Row, task_id: str, task: sqlite3.Row | None) -> Event:
    """A stored event. ``task`` is the task's row; an init cannot do without it."""
    state, stands_for = row["participant_state"], row["stands_for"]
    return Event(
        task=row["task"],
        task_id=task_id,
        seq=row["seq"],
        kind=EventKind(row["kind"]),
        event_id=row["event_id"],
        at=row["at"],
        by=row["by"],
        state=TaskState(row["state"]),
        body=row["body"],
        participant=row["participant"],
        participant_state=None if state is None else ParticipantState(state),
        stands_for=None if stands_for is None else EventKind(stands_for),
        created=_created_of(task) if row["seq"] == 1 and task is not None else None,
    )


def _created_of(task: sqlite3.Row) -> Created:
    return Created(
        action=task["action"],
        connection=task["connection"],
        start_timeout=task["start_timeout"],
        end_timeout=task["end_timeout"],
        settle=Settle(task["settle"]),
        expect=Expect(task["expect"]),
        claim=bool(task["claim"]),
    )


def participant_of(row: sqlite3.Row) -> Participant:
    """A stored participant."""
    return Participant(
        number=row["number"],
        client=row["client"],
        connection=row["connection"],
        group=bool(row["group"]),
        offered_at=row["offered_at"],
        state=ParticipantState(row["state"]),
        started_at=row["started_at"],
        done_at=row["done_at"],
        body=row["body"],
    )
