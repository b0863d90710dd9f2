"""Rows back to values: the reverse of ``rows.py``."""

from typing import Any, Protocol

from hub.core.facts import Created, Event
from hub.core.task import Participant
from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState


class StoredRow(Protocol):
    """A row whose columns are found by name, as each driver gives it."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


def event_of(row: StoredRow, task_id: str, task: StoredRow | None) -> Event:
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


def _created_of(task: StoredRow) -> Created:
    return Created(
        action=task["action"],
        connection=task["connection"],
        start_timeout=task["start_timeout"],
        end_timeout=task["end_timeout"],
        settle=Settle(task["settle"]),
        expect=Expect(task["expect"]),
        claim=bool(task["claim"]),
    )


def participant_of(row: StoredRow) -> Participant:
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
