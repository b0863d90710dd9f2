"""Worse hubs, each of which a check of ``resume`` has to notice."""

from hub.core.connections import Connection
from hub.core.effects import Resumed
from hub.core.inputs import Resume
from hub.core.resumption import Resumption
from hub.resuming import Missed, Resuming
from hub.router.port import Sink


def nothing_told_again() -> None:
    """What was missed is missed."""

    def nothing(_: Resuming, sink: Sink, effect: Resumed) -> Missed:
        return Missed(sink)

    Resuming._begin = nothing  # type: ignore[assignment]


def all_told_again() -> None:
    """The seqs that the client has seen are nothing to the hub."""
    begin = Resuming._begin

    def from_the_first(self: Resuming, sink: Sink, effect: Resumed) -> Missed:
        effect.replays.update(dict.fromkeys(effect.replays, 1))
        return begin(self, sink, effect)

    Resuming._begin = from_the_first  # type: ignore[method-assign]


def sessions_of_anybody() -> None:
    """A session is enough, whoever presents it."""

    def lost(self: Resumption, command: Resume) -> Connection | None:
        return self._books.sessions.find(command.session)

    Resumption.lost = lost  # type: ignore[method-assign]


def sessions_for_ever() -> None:
    """A session can be resumed again and again."""

    def lost(self: Resumption, command: Resume) -> Connection | None:
        return _known.setdefault(command.session, self._books.sessions.find(command.session))

    _known: dict[str, Connection | None] = {}
    Resumption.lost = lost  # type: ignore[method-assign]
