"""What has happened: the only things that change a task, and what the journal keeps.

``Event`` is what the wire tells (it has a ``seq``); the others are the hub's own
book-keeping about participants and the start window. A task is the fold of its
facts (``hub.core.task.evolve``); its rows are a projection of the same facts.
"""

import msgspec

from hub.core.values import Body, EventKind, Expect, ParticipantState, Settle, TaskState


class Created(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What only the first event of a task says."""

    action: str
    #: connection that sent the init
    connection: str
    #: milliseconds, as asked for or the hub's default
    start_timeout: int
    end_timeout: int
    settle: Settle
    expect: Expect
    claim: bool


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened to a task, as the wire tells it (docs/protocol.md §4.3)."""

    #: integer primary key of the task, given by the hub
    task: int
    task_id: str
    #: 1, 2, 3 … without gaps
    seq: int
    kind: EventKind
    event_id: str
    #: milliseconds since the epoch
    at: int
    #: client name, or ``hub``
    by: str
    #: state of the task after this event
    state: TaskState
    #: payload, update, result or reason; a drop may have a result or reason too
    body: Body | None = None
    #: number of the participant whose word this is; 0: the publisher's or the hub's
    participant: int = 0
    #: state of that participant after this event
    participant_state: ParticipantState | None = None
    #: on a drop: what was sent, ``success`` or ``fail``, when it did not settle the task
    stands_for: EventKind | None = None
    #: on init only
    created: Created | None = None

    def sent_kind(self) -> EventKind:
        """The event the sender sent, before the rules of §5.3 made a drop of it."""
        return self.stands_for or self.kind


class Offered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A connection was sent the task because it subscribes to the action."""

    task: int
    #: 1, 2, 3 … in the order of the offers
    participant: int
    client: str
    connection: str
    #: shares the task with the other connections of its client (§5.6)
    group: bool
    at: int


class Moved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A participant came back on another connection of the same client."""

    task: int
    participant: int
    connection: str
    at: int


class Closed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A participant is done without a word of its own: timed out, or cut off."""

    task: int
    participant: int
    state: ParticipantState
    at: int


class WindowMoved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The start window was opened again, for a redelivery or after a restart."""

    task: int
    start_deadline: int
    at: int


Fact = Event | Offered | Moved | Closed | WindowMoved
