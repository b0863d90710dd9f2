"""A decision: what one input means for one task, and how it is written down."""

from collections.abc import Callable, Sequence

import msgspec

from hub.core.books import Books
from hub.core.effects import Deliver, Effect, Offer, Unchanged
from hub.core.errors import Code, Rejection
from hub.core.facts import Event, Fact
from hub.core.inputs import Cancel, Command, Init, Report
from hub.core.task import Task
from hub.core.turn import Turn
from hub.core.values import EventKind, TaskState

TaskCommand = Init | Report | Cancel


class Decision(msgspec.Struct, frozen=True, kw_only=True):
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
        task = turn.task
        self.books.note(task, turn.facts)
        audience = self.books.audience(task)
        effects: list[Effect] = [*offers]
        effects += [
            _delivery(fact, audience, task.action, command)
            for fact in turn.facts
            if isinstance(fact, Event)
        ]
        if task.state is TaskState.END:
            self.books.retire(task)
        return Decision(key=task.key, facts=turn.facts, effects=effects, command=command)


def _delivery(
    event: Event, audience: tuple[str, ...], action: str, command: TaskCommand | None
) -> Deliver:
    if command is not None and _answers(event, command):
        if command.connection not in audience:
            audience = (*audience, command.connection)
        return Deliver(
            event=event,
            to=audience,
            action=action,
            sender=command.connection,
            command_id=command.command_id,
        )
    return Deliver(event=event, to=audience, action=action)


def _answers(event: Event, command: TaskCommand) -> bool:
    if isinstance(command, Cancel):
        return event.kind is EventKind.FAIL
    if isinstance(command, Report) and command.kind is EventKind.END:
        # docs/protocol.md §5.4: it counts as a drop, which has an id of the hub's
        return event.kind is EventKind.DROP and event.participant > 0
    return event.event_id == command.event_id


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
