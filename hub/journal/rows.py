"""The rows that a batch of facts makes: pure, and from the facts alone.

The live task may be ahead of the batch by the time it is written, so nothing here
looks at one. A batch coalesces: whatever happened to a task or to a participant is
one row, of its last state; only events are kept each. The columns stand in the
order of the statements in ``sql/write.sql``. Words go out as exact ``str``: sqlite3
binds an enum's member four times slower, as it first asks it to adapt itself.
"""

from collections.abc import Container, Sequence

import msgspec

from hub.core.facts import Closed, Event, Fact, Moved, Offered, WindowMoved
from hub.core.values import Body, EventKind, ParticipantState

#: One row to write. ``None`` in a change means: as it was.
Row = tuple[str | int | None, ...]

# Bound once: a member looked up on its class costs as much as the comparison it is for.
_OFFERED = ParticipantState.OFFERED
_STARTED = ParticipantState.STARTED
_START = EventKind.START
_UPDATE = EventKind.UPDATE
_SETTLING = (EventKind.SUCCESS, EventKind.FAIL)
_END = EventKind.END


class Rows(msgspec.Struct, kw_only=True):
    """What to write, by statement. Each row's first column is the task's key."""

    new_tasks: list[Row]
    #: second column: the version that the task must still have
    changed_tasks: list[Row]
    events: list[Row]
    new_participants: list[Row]
    changed_participants: list[Row]
    #: start deadlines that moved, of tasks made in earlier batches
    windows: list[Row]

    def drop(self, keys: Container[int | str | None]) -> None:
        """Take out the rows of these tasks, which are new ones that cannot be stored."""
        self.new_tasks = [row for row in self.new_tasks if row[0] not in keys]
        self.events = [row for row in self.events if row[0] not in keys]
        self.new_participants = [row for row in self.new_participants if row[0] not in keys]


class _TaskRow(msgspec.Struct):
    """What a batch says of one task."""

    #: the first event of the batch; the init, for a new task
    first: Event
    last: Event
    outcome: str | None = None
    started_at: int | None = None
    settled_at: int | None = None
    settled_seq: int | None = None
    ended_at: int | None = None

    def add(self, event: Event) -> None:
        self.last = event
        kind = event.kind
        if kind is _START:
            if self.started_at is None:
                self.started_at = event.at
        elif kind in _SETTLING:
            self.outcome = str(kind)
            self.settled_at = event.at
            self.settled_seq = event.seq
        elif kind is _END:
            self.ended_at = event.at

    def new(self, start_deadline: int | None) -> Row:
        init = self.first
        created = init.created
        assert created is not None, "the first event of a task is its init"
        return (
            init.task,
            init.task_id,
            created.action,
            init.by,
            created.connection,
            str(self.last.state),
            self.outcome or "",
            self.last.seq,
            init.at,
            self.started_at,
            self.settled_at,
            self.ended_at,
            self.settled_seq,
            created.start_timeout,
            created.end_timeout,
            init.at + created.start_timeout if start_deadline is None else start_deadline,
            init.at + created.end_timeout,
            str(created.settle),
            str(created.expect),
            created.claim,
        )

    def change(self) -> Row:
        return (
            self.first.task,
            self.first.seq - 1,
            self.last.seq,
            str(self.last.state),
            self.outcome,
            self.started_at,
            self.settled_at,
            self.ended_at,
            self.settled_seq,
        )


class _ParticipantRow(msgspec.Struct):
    """What a batch says of one participant."""

    task: int
    number: int
    #: set when it is new in this batch
    offered: Offered | None = None
    connection: str | None = None
    state: ParticipantState | None = None
    started_at: int | None = None
    done_at: int | None = None
    body: Body | None = None

    def move_to(self, state: ParticipantState, at: int) -> None:
        """As ``hub.core.task`` does: the first time in a state is the one that counts."""
        self.state = state
        if state is _STARTED:
            if self.started_at is None:
                self.started_at = at
        elif self.done_at is None:
            self.done_at = at

    def new(self, offered: Offered) -> Row:
        return (
            self.task,
            self.number,
            offered.client,
            self.connection,
            offered.group,
            str(self.state or _OFFERED),
            offered.at,
            self.started_at,
            self.done_at,
            self.body,
        )

    def change(self) -> Row:
        return (
            self.task,
            self.number,
            self.connection,
            None if self.state is None else str(self.state),
            self.started_at,
            self.done_at,
            self.body,
        )


class _Batch:
    """Facts on their way to rows."""

    def __init__(self) -> None:
        self.tasks: dict[int, _TaskRow] = {}
        self.participants: dict[tuple[int, int], _ParticipantRow] = {}
        self.windows: dict[int, int] = {}
        self.events: list[Row] = []

    def participant(self, task: int, number: int) -> _ParticipantRow:
        row = self.participants.get((task, number))
        if row is None:
            row = self.participants[task, number] = _ParticipantRow(task, number)
        return row

    def add(self, fact: Fact) -> None:
        match fact:
            case Event():
                self.add_event(fact)
            case Offered():
                row = self.participant(fact.task, fact.participant)
                row.offered = fact
                row.connection = fact.connection
            case Closed():
                self.participant(fact.task, fact.participant).move_to(fact.state, fact.at)
            case Moved():
                self.participant(fact.task, fact.participant).connection = fact.connection
            case WindowMoved():
                self.windows[fact.task] = fact.start_deadline

    def add_event(self, event: Event) -> None:
        self.events.append(_event_row(event))
        row = self.tasks.get(event.task)
        if row is None:
            row = self.tasks[event.task] = _TaskRow(event, event)
        row.add(event)
        if not event.participant:
            return
        state, word = event.participant_state, event.body
        if event.kind is _UPDATE:
            word = None
        if state is None and word is None:
            return
        participant = self.participant(event.task, event.participant)
        if state is not None:
            participant.move_to(state, event.at)
        if word is not None:
            participant.body = word


def rows_of(facts: Sequence[Fact]) -> Rows:
    """The rows of a batch; the facts of each task come in their order."""
    batch = _Batch()
    for fact in facts:
        batch.add(fact)
    tasks = batch.tasks.values()
    participants = batch.participants.values()
    windows = batch.windows
    return Rows(
        new_tasks=[t.new(windows.pop(t.first.task, None)) for t in tasks if t.first.created],
        changed_tasks=[t.change() for t in tasks if not t.first.created],
        events=batch.events,
        new_participants=[p.new(p.offered) for p in participants if p.offered],
        changed_participants=[p.change() for p in participants if not p.offered],
        windows=list(windows.items()),
    )


def _event_row(event: Event) -> Row:
    state, stands_for = event.participant_state, event.stands_for
    return (
        event.task,
        event.seq,
        str(event.kind),
        event.event_id,
        event.at,
        event.by,
        str(event.state),
        event.body,
        event.participant,
        None if state is None else str(state),
        None if stands_for is None else str(stands_for),
    )
