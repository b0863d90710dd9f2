"""The shapes of the lists of tasks; read by ``hub.selectors.tasks``, which gives them on."""

from dataclasses import dataclass, field

from hub.core.values import Expect, ParticipantState, Settle, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """What a list is about. Everything given must hold; of several in one field, any."""

    #: patterns (docs/protocol.md §1)
    actions: tuple[str, ...] = ()
    #: the state last reached; with ``outcome``, either may hold
    states: frozenset[TaskState] = frozenset()
    #: ``success`` and ``fail``
    outcomes: frozenset[TaskState] = frozenset()
    #: True: not ended; False: ended; None: both
    open: bool | None = None
    #: client name of the publisher
    publisher: str | None = None
    #: client name of a participant
    service: str | None = None
    #: the task's id begins so
    task_id: str | None = None
    #: published at or after, before (ms)
    since: int | None = None
    until: int | None = None
    #: text in the reason it failed for, whatever its case and however its JSON writes it
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One task at a glance. Times are milliseconds since the epoch."""

    key: int
    task_id: str
    action: str
    publisher: str
    state: TaskState
    #: None: not settled
    outcome: TaskState | None
    seq: int
    created_at: int
    started_at: int | None
    settled_at: int | None
    ended_at: int | None
    start_deadline: int
    end_deadline: int
    settle: Settle
    expect: Expect
    claim: bool
    #: client names of the first hundred participants, in the order of the offers, none twice
    services: tuple[str, ...] = ()
    #: JSON of the last update of a task that is open; None too when it is longer than 4,096
    #: characters, which no progress is
    update: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """One page of a list."""

    tasks: tuple[TaskRow, ...]
    #: pass as ``before`` for the next page; None: there is none
    next: int | None
    #: the page ended because it had looked at enough tasks; the last of them was published then
    searched_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event. ``body`` is JSON as received, cut when ``size`` says more."""

    seq: int
    kind: str
    event_id: str
    at: int
    by: str
    state: TaskState
    participant: int
    participant_state: ParticipantState | None
    stands_for: str | None
    body: str | None = field(repr=False)
    #: bytes of the whole body as UTF-8; 0: none
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRow:
    """One participant's part in a task."""

    number: int
    client: str
    connection: str
    group: bool
    state: ParticipantState
    offered_at: int
    started_at: int | None
    done_at: int | None
    #: its own result or reason, JSON as received, cut when ``size`` says more
    body: str | None = field(repr=False)
    #: bytes of the whole body as UTF-8; 0: none
    size: int
