"""One task in memory, and the fold that makes it from its facts."""

from collections.abc import Iterable, Sequence

import msgspec

from hub.core.facts import Closed, Created, Event, Fact, Moved, Offered, WindowMoved
from hub.core.values import Body, EventKind, Expect, ParticipantState, Settle, TaskState

_OFFERED = ParticipantState.OFFERED
_STARTED = ParticipantState.STARTED
_DROPPED = ParticipantState.DROPPED
_LOST = ParticipantState.LOST
_ACTIVE = (_OFFERED, _STARTED)

# Bound once: a member looked up on its class costs as much as the comparison it is for.
_START = EventKind.START
_SUCCESS = EventKind.SUCCESS
_FAIL = EventKind.FAIL
_END = EventKind.END


class Participant(msgspec.Struct, kw_only=True):
    """One participant's part in one task."""

    number: int
    client: str
    connection: str
    group: bool
    offered_at: int
    state: ParticipantState = _OFFERED
    started_at: int | None = None
    done_at: int | None = None
    #: its own result or reason, also when it did not settle the task
    body: Body | None = None

    @property
    def active(self) -> bool:
        """Whether it may still do something."""
        return self.state in _ACTIVE


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one participant said: kept until the task is settled."""

    by: str
    body: Body


class Task(msgspec.Struct, kw_only=True):
    """A task, folded from its facts. Only ``evolve`` changes it."""

    key: int
    task_id: str
    action: str
    publisher: str
    #: the first event, whose body is the payload
    init: Event
    created_at: int
    start_timeout: int
    end_timeout: int
    start_deadline: int
    end_deadline: int
    settle: Settle
    expect: Expect
    claim: bool
    state: TaskState = TaskState.INIT
    #: ``success`` or ``fail``, once settled; also after the end
    outcome: TaskState | None = None
    #: last event; also the task's version
    seq: int = 1
    started_at: int | None = None
    settled_at: int | None = None
    settled_seq: int | None = None
    ended_at: int | None = None
    participants: dict[int, Participant] = {}
    #: how many participants are in these states
    offered: int = 0
    started: int = 0
    #: somebody said that it drops
    dropped: bool = False
    #: somebody who had started was lost
    lost: bool = False
    first_fail: Verdict | None = None
    #: for ``settle: all``: in order of arrival
    successes: list[Verdict] = []
    #: who started a ``claim`` task
    claimed_by: int = 0
    #: event id → (sender, fingerprint of what was sent, seq), for §4.7
    event_ids: dict[str, tuple[str, int, int]] = {}

    @property
    def hopeful(self) -> bool:
        """Whether somebody is at work, or may still start."""
        return self.started > 0 or self.offered > 0

    def active(self) -> list[Participant]:
        """Participants that may still do something."""
        if not self.hopeful:
            return []
        return [p for p in self.participants.values() if p.state in _ACTIVE]


def fingerprint(kind: EventKind, body: Body | None, created: Created | None = None) -> int:
    """What makes two events with one id the same (§4.7); equal only within one process."""
    if created is None:
        return hash((kind, body))
    options = (created.start_timeout, created.end_timeout, created.settle, created.expect)
    return hash((kind, body, created.action, options, created.claim))


def task_from(event: Event) -> Task:
    """The task that an init creates. Takes an event with ``created`` set."""
    created = event.created
    assert created is not None, "the first event of a task is its init"
    return Task(
        key=event.task,
        task_id=event.task_id,
        action=created.action,
        publisher=event.by,
        init=event,
        created_at=event.at,
        start_timeout=created.start_timeout,
        end_timeout=created.end_timeout,
        start_deadline=event.at + created.start_timeout,
        end_deadline=event.at + created.end_timeout,
        settle=created.settle,
        expect=created.expect,
        claim=created.claim,
        event_ids={event.event_id: (event.by, fingerprint(event.kind, event.body, created), 1)},
    )


def fold(facts: Iterable[Fact]) -> Task:
    """The task that these facts make; the first is its init."""
    remaining = iter(facts)
    first = next(remaining)
    assert isinstance(first, Event)
    task = task_from(first)
    for fact in remaining:
        evolve(task, fact)
    return task


def restore(
    events: Sequence[Event], participants: Iterable[Participant], start_deadline: int
) -> Task:
    """The task that its rows tell of: all its events in order, and its participants as they are."""
    stored = list(participants)
    task = task_from(events[0])
    for row in stored:
        offer = Offered(
            task=task.key,
            participant=row.number,
            client=row.client,
            connection=row.connection,
            group=row.group,
            at=row.offered_at,
        )
        evolve(task, offer)
    for event in events[1:]:
        evolve(task, event)
    for row in stored:
        if task.participants[row.number].state is not row.state:
            at = row.offered_at if row.done_at is None else row.done_at
            evolve(task, Closed(task=task.key, participant=row.number, state=row.state, at=at))
    task.start_deadline = start_deadline
    return task


def evolve(task: Task, fact: Fact) -> None:
    """Apply one fact. Never refuses: what has happened has happened."""
    match fact:
        case Event():
            evolve_event(task, fact)
        case Offered():
            task.participants[fact.participant] = Participant(
                number=fact.participant,
                client=fact.client,
                connection=fact.connection,
                group=fact.group,
                offered_at=fact.at,
            )
            task.offered += 1
        case Closed():
            participant = task.participants[fact.participant]
            _move_participant(task, participant, fact.state, fact.at)
        case Moved():
            task.participants[fact.participant].connection = fact.connection
        case WindowMoved():
            task.start_deadline = fact.start_deadline


def evolve_event(task: Task, event: Event) -> None:
    """Apply an event; ``evolve`` for the most frequent fact."""
    kind = event.kind
    task.seq = event.seq
    task.state = event.state
    sent = fingerprint(event.sent_kind(), event.body)
    task.event_ids[event.event_id] = (event.by, sent, event.seq)
    if event.participant:
        _evolve_participant(task, event)
    if kind is _START:
        if task.started_at is None:
            task.started_at = event.at
        if task.claim and not task.claimed_by:
            task.claimed_by = event.participant
    elif kind is _SUCCESS or kind is _FAIL:
        task.outcome = event.state
        task.settled_at = event.at
        task.settled_seq = event.seq
    elif kind is _END:
        task.ended_at = event.at


def _evolve_participant(task: Task, event: Event) -> None:
    participant = task.participants[event.participant]
    state = event.participant_state
    if state is not None:
        _move_participant(task, participant, state, event.at)
        if state is _DROPPED:
            # By its own word: whom a claim closed out has not said that nothing is to be done.
            task.dropped = True
        elif state is _LOST and task.claimed_by == event.participant:
            task.claimed_by = 0  # whoever it is redelivered to may claim it anew
    if event.body is not None and event.kind is not EventKind.UPDATE:
        participant.body = event.body
        _remember_verdict(task, event)


def _remember_verdict(task: Task, event: Event) -> None:
    if task.outcome is not None or event.body is None:
        return
    sent = event.sent_kind()
    if sent is EventKind.FAIL and task.first_fail is None:
        task.first_fail = Verdict(by=event.by, body=event.body)
    elif sent is EventKind.SUCCESS and task.settle is Settle.ALL:
        task.successes.append(Verdict(by=event.by, body=event.body))


def _move_participant(
    task: Task, participant: Participant, state: ParticipantState, at: int
) -> None:
    before = participant.state
    if before is state:
        return
    if before is _OFFERED:
        task.offered -= 1
    elif before is _STARTED:
        task.started -= 1
    participant.state = state
    if state is _STARTED:
        task.started += 1
        participant.started_at = at
        return
    participant.done_at = at
    if state is _LOST and before is _STARTED:
        task.lost = True
