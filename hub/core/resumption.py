"""``resume``: a connection takes the place of one that was lost (docs/protocol.md §6)."""

from hub.core.connections import FORMER_KEPT, Connection
from hub.core.decision import Decision, Desk
from hub.core.effects import Resumed
from hub.core.inputs import Resume
from hub.core.membership import Membership
from hub.core.turn import move
from hub.core.values import ParticipantState


class Resumption:
    """Decides what of a lost connection goes over to another one of the same client."""

    def __init__(self, membership: Membership, desk: Desk, epoch: str) -> None:
        self._books = membership.books
        self._membership = membership
        self._desk = desk
        self._epoch = epoch

    def lost(self, command: Resume) -> Connection | None:
        """The connection that is to be resumed, live or away; None: there is none for this one."""
        by = self._books.connections[command.connection]
        found = self._books.sessions.find(command.session)
        if found is None or found is by or command.epoch != self._epoch:
            return None
        return found if found.access.client == by.access.client else None

    def resume(self, command: Resume, now: int) -> list[Decision]:
        """Answer, then move everything over; the lost connection has to be away."""
        lost = self.lost(command)
        if lost is None:
            # One answer for all, word for word: nothing is told about another's session.
            answer = Resumed(to=command.connection, command_id=command.command_id)
            return [Decision(key=0, facts=[], effects=[answer])]
        heir = self._books.connections[command.connection]
        self._books.sessions.end(lost)
        heir.former = (*lost.former, lost.id, *heir.former)[-FORMER_KEPT:]
        if heir.lazy_payload is None:
            heir.lazy_payload = lost.lazy_payload
        replays = dict(lost.watching.tasks)
        for key in list(lost.published):
            task = self._books.by_key[key]
            self._books.publish_on(task, heir.id)
            replays[task.task_id] = 1
        moved = self._move(lost, heir, replays, now)
        replays.update({task_id: seq + 1 for task_id, seq in command.tasks.items()})
        answer = Resumed(
            to=heir.id,
            previous=lost.id,
            replays=replays,
            watching=lost.watching,
            lazy_payload=heir.lazy_payload,
            command_id=command.command_id,
        )
        decisions = [Decision(key=0, facts=[], effects=[answer]), *moved]
        decisions += self._membership.withdraw(heir, now)
        decisions += self._membership.take_subscriptions(lost, heir, now, told=replays)
        self._books.let_go(lost)
        return decisions

    def _move(
        self, lost: Connection, heir: Connection, replays: dict[str, int], now: int
    ) -> list[Decision]:
        """Its participations go on, but for tasks in which the other one takes part already."""
        decisions = []
        for key, number in list(lost.participations.items()):
            task = self._books.by_key[key]
            participant = task.participants[number]
            if participant.state is ParticipantState.LOST or key in heir.participations:
                continue
            replays[task.task_id] = 1
            turn = self._desk.turn(task, now)
            self._books.unbind(task, participant)
            move(turn, participant, heir.id)
            decisions.append(self._desk.decision(turn))
        return decisions
