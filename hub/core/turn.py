"""One decision under way, and the first facts of a task: made here, and nowhere else.

Deciding never changes a task; facts do. A turn evolves the task with each fact as it
is decided, so that the next step of the same turn sees it.
"""

from collections.abc import Callable

from hub.core.facts import Closed, Created, Event, Fact, Moved, Offered, WindowMoved
from hub.core.task import Participant, Task, evolve, evolve_event, task_from
from hub.core.transitions import TASK
from hub.core.values import HUB, Body, EventKind, ParticipantState, TaskState


class Turn:
    """One decision about one task under way: the facts so far, the time, and fresh ids."""

    __slots__ = ("facts", "new_id", "now", "task")

    def __init__(self, task: Task, now: int, new_id: Callable[[], str]) -> None:
        self.task = task
        self.now = now
        self.new_id = new_id
        self.facts: list[Fact] = []

    def record(self, fact: Fact) -> None:
        """Add a fact and let it change the task."""
        self.facts.append(fact)
        evolve(self.task, fact)

    def tell(
        self,
        kind: EventKind,
        *,
        by: str = HUB,
        body: Body | None = None,
        event_id: str | None = None,
        participant: int = 0,
        participant_state: ParticipantState | None = None,
        stands_for: EventKind | None = None,
    ) -> None:
        """Record an event in the task's one order."""
        task = self.task
        event = Event(
            task=task.key,
            task_id=task.task_id,
            seq=task.seq + 1,
            kind=kind,
            event_id=event_id or self.new_id(),
            at=self.now,
            by=by,
            state=TASK[task.state, kind],
            body=body,
            participant=participant,
            participant_state=participant_state,
            stands_for=stands_for,
        )
        self.facts.append(event)
        evolve_event(task, event)

    def close(self, participant: Participant, state: ParticipantState) -> None:
        """Record that a participant is done without a word of its own."""
        self.record(
            Closed(task=self.task.key, participant=participant.number, state=state, at=self.now)
        )


def create(
    *,
    key: int,
    task_id: str,
    event_id: str,
    by: str,
    payload: Body,
    created: Created,
    now: int,
    new_id: Callable[[], str],
) -> Turn:
    """A new task (§5.1); offers follow with ``offer``."""
    init = Event(
        task=key,
        task_id=task_id,
        seq=1,
        kind=EventKind.INIT,
        event_id=event_id,
        at=now,
        by=by,
        state=TaskState.INIT,
        body=payload,
        created=created,
    )
    turn = Turn(task_from(init), now, new_id)
    turn.facts.append(init)
    return turn


def offer(turn: Turn, *, client: str, connection: str, group: bool) -> int:
    """One more participant; returns its number."""
    number = len(turn.task.participants) + 1
    turn.record(
        Offered(
            task=turn.task.key,
            participant=number,
            client=client,
            connection=connection,
            group=group,
            at=turn.now,
        )
    )
    return number


def move(turn: Turn, participant: Participant, connection: str) -> None:
    """A participant goes on, on another connection of its client."""
    turn.record(
        Moved(
            task=turn.task.key,
            participant=participant.number,
            connection=connection,
            at=turn.now,
        )
    )


def reopen_window(turn: Turn, until: int) -> None:
    """Give those who were offered the task until then to start."""
    turn.record(WindowMoved(task=turn.task.key, start_deadline=until, at=turn.now))
