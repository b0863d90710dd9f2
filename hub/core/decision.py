"""A decision: what one input means for one task, and how it is written down."""

from collections.abc import Callable, Sequence

import msgspec

from hub.core.books import Books
from hub.core.effects import Deliver, Effect, Offer, Refuse, Unchanged
from hub.core.errors import Code, Rejection
from hub.core.facts import Event, Fact
from hub.core.inputs import Cancel, Command, Init, OperatorCancel, Report
from hub.core.task import Task
from hub.core.turn import Turn
from hub.core.values import EventKind, TaskState

TaskCommand = Init | Report | Cancel | OperatorCancel

_ENDED = TaskState.END
_FAIL = EventKind.FAIL
_DROP = EventKind.DROP
_END = EventKind.END


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one input means for one task (or for none: no facts)."""

    #: the task's integer key; 0: no task
    key: int
    facts: list[Fact]
    effects: list[Effect]
    #: the command that asked for it, to be decided again if the task turns out to exist
    command: Command | None = None


class Desk:
    """Where turns are taken and their decisions written: books, fresh ids, nothing else."""

    def __init__(self, books: Books, new_id: Callable[[], str]) -> None:
        self.books = books
        self.new_id = new_id

    def turn(self, task: Task, now: int) -> Turn:
        """Begin to decide about a task."""
        return Turn(task, now, self.new_id)

    def decision(
        self, turn: Turn, command: TaskCommand | None = None, offers: Sequence[Offer] = ()
    ) -> Decision:
        """Move the books on and say what is to be told, in the order it happened."""
        task, books, facts = turn.task, self.books, turn.facts
        books.note(task, facts)
        effects: list[Effect] = [*offers]
        events = tuple([fact for fact in facts if type(fact) is Event])
        if events:
            effects.append(_delivery(events, books.audience(task), task.action, command))
        if task.state is _ENDED:
            books.retire(task)
        return Decision(key=task.key, facts=facts, effects=effects, command=command)


def _delivery(
    events: tuple[Event, ...], audience: tuple[str, ...], action: str, command: TaskCommand | None
) -> Deliver:
    answer = None if command is None else _answer(events, command)
    if command is None or answer is None:
        return Deliver(events=events, to=audience, action=action)
    return Deliver(
        events=events,
        to=audience,
        action=action,
        sender=command.connection,
        command_id=command.command_id,
        answer=answer,
    )


def _answer(events: tuple[Event, ...], command: TaskCommand) -> int | None:
    """Which of the events answers the command."""
    if isinstance(command, Cancel | OperatorCancel):
        return next((n for n, event in enumerate(events) if event.kind is _FAIL), None)
    event_id = command.event_id
    for number, event in enumerate(events):
        if event.event_id == event_id:
            return number
    # docs/protocol.md §5.4: an ``end`` counts as a drop, which has an id of the hub's
    if isinstance(command, Init) or command.kind is not _END:
        return None
    return next((n for n, e in enumerate(events) if e.kind is _DROP and e.participant), None)


def unchanged(command: Init | Report, task: int | None = None, seq: int | None = None) -> Decision:
    """The answer to an event that changes nothing; with a key and a seq, the stored one again."""
    effect = Unchanged(
        to=command.connection,
        task_id=command.task_id,
        event_id=command.event_id,
        task=task,
        seq=seq,
        command_id=command.command_id,
    )
    return Decision(key=task or 0, facts=[], effects=[effect], command=command if task else None)


def refusal(command: Command, rejection: Rejection) -> Refuse:
    """The answer to a command that is refused (§7)."""
    return Refuse(
        to=command.connection,
        rejection=rejection,
        command_id=command.command_id,
        task_id=getattr(command, "task_id", None),
        event_id=getattr(command, "event_id", None),
        request=command.request,
        refused_init=isinstance(command, Init),
    )


def unknown_task() -> Rejection:
    """The one answer for a task that is not, and for one that is none of the client's (§5.5)."""
    return Rejection(Code.UNKNOWN_TASK, "There is no such task, or this client has no part in it.")


def event_conflict() -> Rejection:
    """The refusal of an eventId that has been used (§4.7)."""
    return Rejection(
        Code.EVENT_CONFLICT, "This eventId was used for another event; make a fresh one."
    )


def shown(name: str) -> str:
    """An action or pattern in a message: as it is when short, else cut."""
    return name if len(name) <= 64 else f"{name[:64]}…"


def says_unknown(decision: Decision) -> bool:
    """Whether it tells a stranger that there is no such task, which a failed commit leaves true."""
    return any(
        isinstance(effect, Refuse) and effect.rejection.code is Code.UNKNOWN_TASK
        for effect in decision.effects
    )
