"""Lists of tasks by filter, newest first, and one task whole.

A list is read in keyset pages by the task's key, and a page looks at a bounded number of tasks:
a rare match costs more pages, never a slow one. No list is counted exactly.
"""

from dataclasses import dataclass, field

from hub.core.access import Access
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
    #: text in the reason it failed for, whatever its case
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
    #: client names of the participants, in the order of the offers, none twice
    services: tuple[str, ...] = ()
    #: JSON of the last update of a task that is open
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
    body: str | None = field(repr=False)


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
    raise NotImplementedError


def tasks_newer(
    filter: TaskFilter,  # noqa: A002
    *,
    after: int,
    viewer: Access | None = None,
    limit: int = 100,
) -> int:
    """How many tasks of the list have a key above ``after``; counts to ``limit`` at most."""
    raise NotImplementedError


def task_count(
    filter: TaskFilter,  # noqa: A002
    *,
    limit: int = 10_000,
) -> tuple[int, bool]:
    """How many there are among the newest, and whether it is more than that ("10 000+")."""
    raise NotImplementedError


def tasks_by_key(keys: list[int]) -> dict[int, TaskRow]:
    """Those of these tasks that are there."""
    raise NotImplementedError


def task_find(task_id: str, *, viewer: Access | None = None) -> TaskRow | None:
    """The task, if it is there and the viewer may know of it."""
    raise NotImplementedError


def task_events(
    key: int, *, from_seq: int = 1, limit: int = 100, body_limit: int | None = None
) -> list[EventRow]:
    """Events of a task in order; bodies cut to ``body_limit`` characters."""
    raise NotImplementedError


def task_participants(key: int, *, limit: int = 1_000) -> list[ParticipantRow]:
    """Participants of a task in the order of the offers."""
    raise NotImplementedError


def task_body(key: int, seq: int) -> str | None:
    """The JSON of one event as received."""
    raise NotImplementedError
