"""Decides about every input, with all that is known in memory (docs/protocol.md §3 to §5).

``decide`` answers with decisions: the facts to commit for one task, and the effects
to perform once they are. The books are moved on at once, so the next input sees
them; should a commit fail, the shell restores the engine from the journal.
"""

from collections.abc import Callable, Iterable

from hub.core.books import Books
from hub.core.connections import Connection
from hub.core.decision import Decision, Desk
from hub.core.inputs import (
    AccessChanged,
    Cancel,
    Command,
    Connected,
    Decided,
    Disconnected,
    Init,
    OperatorCancel,
    Report,
    Resume,
    Subscribe,
    Tick,
    Unsubscribe,
)
from hub.core.limits import Limits
from hub.core.membership import Membership
from hub.core.offers import Offers
from hub.core.publishing import Publishing
from hub.core.resumption import Resumption
from hub.core.task import Task


class Engine:
    """Takes inputs, gives decisions. Not thread-safe; never blocks."""

    def __init__(
        self, limits: Limits, new_id: Callable[[], str], last_key: int = 0, epoch: str = ""
    ) -> None:
        self.books = Books()
        desk = Desk(self.books, new_id)
        offers = Offers(self.books, limits.max_participants_per_task)
        self._publishing = Publishing(self.books, desk, offers, limits, last_key)
        self._membership = Membership(self.books, desk, offers, limits)
        self._resumption = Resumption(self._membership, desk, epoch)

    @property
    def refuses_new(self) -> str | None:
        """Why no new tasks are taken, or None."""
        return self._publishing.refuses_new

    def refuse_new(self, why: str | None) -> None:
        """Take no new tasks, and say why; None: take them again."""
        self._publishing.refuses_new = why

    def decide(self, item: Decided, now: int) -> list[Decision]:
        """Decide about one input at ``now`` (ms).

        Raises Rejection when a command is refused, TaskNotLoaded when the task has
        to be read from the journal first.
        """
        match item:
            case Report():
                return self._publishing.report(item, now)
            case Init():
                return self._publishing.init(item, now)
            case Cancel():
                return self._publishing.cancel(item, now)
            case OperatorCancel():
                return self._publishing.operator_cancel(item, now)
            case Subscribe():
                return self._membership.subscribe(item, now)
            case Unsubscribe():
                return self._membership.unsubscribe(item)
            case Resume():
                return self._resumption.resume(item, now)
            case _:
                return self._decide_event(item, now)

    def _decide_event(
        self, item: Connected | Disconnected | AccessChanged | Tick, now: int
    ) -> list[Decision]:
        match item:
            case Tick():
                return self._membership.tick(now)
            case Connected():
                self._membership.connected(item)
                return []
            case Disconnected():
                return self._membership.disconnected(item, now)
            case AccessChanged():
                return self._membership.access_changed(item, now)

    def lost(self, command: Resume) -> Connection | None:
        """The connection whose place this command would take; it may still seem to be open."""
        return self._resumption.lost(command)

    def decide_absent(self, command: Command) -> list[Decision]:
        """Decide about a command on a task that is nowhere. Raises Rejection."""
        return self._publishing.absent(command)

    def restore(self, tasks: Iterable[Task], now: int) -> list[Decision]:
        """Take the journal's word for all open tasks: at the start, or after a failed commit."""
        return self._membership.restore(tasks, now)
