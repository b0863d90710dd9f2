"""Who is sent a task: subscribers at its init, late ones, and the next of a group (§3, §5.6)."""

from collections.abc import Iterator

import msgspec

from hub.core.access import PatternSet
from hub.core.books import Books
from hub.core.connections import Connection
from hub.core.effects import Offer
from hub.core.task import Participant, Task
from hub.core.turn import Turn, move, offer, reopen_window
from hub.core.values import ParticipantState


class Taker(msgspec.Struct, frozen=True, gc=False):
    """A connection that gets a task."""

    client: str
    connection: str
    group: bool


class Offers:
    """Chooses takers from the books; changes tasks only by way of a turn."""

    def __init__(self, books: Books, max_participants: int) -> None:
        self._books = books
        self._max = max_participants

    def takers(self, action: str, unseen: int = 0) -> list[Taker]:
        """Everyone who gets a new task of this action: one connection for each group.

        With the key of a task as ``unseen``: of those that have not had it yet.
        """
        found: list[Taker] = []
        groups: dict[str, Connection] = {}
        subscribers, connections = self._books.interest.covering(action), self._books.connections
        for subscriber in subscribers[: self._max]:
            connection = connections[subscriber.connection]
            if unseen in connection.participations:
                continue
            access = connection.access
            if not (subscriber.group or access.group):
                found.append(Taker(access.client, connection.id, False))
                continue
            best = groups.get(access.client)
            if best is None or connection.busy < best.busy:
                groups[access.client] = connection
        found.extend(Taker(client, least.id, True) for client, least in groups.items())
        return found

    def group_taker(self, task: Task, client: str) -> str | None:
        """The least busy connection in this client's group that has not had the task, or None."""
        for taker in self.takers(task.action, unseen=task.key):
            if taker.group and taker.client == client:
                return taker.connection
        return None

    def waiting(self, pattern: str, *, exact: bool, now: int) -> Iterator[Task]:
        """Open tasks a new subscription to ``pattern`` still gets (§3 sub)."""
        windows = self._books.windows
        wanted = PatternSet((pattern,))
        actions = [pattern] if exact else [a for a in windows if wanted.covers(a)]
        for action in actions:
            for task in list(windows.get(action, {}).values()):
                if _is_waiting(task, now):
                    yield task

    def all_waiting(self, now: int) -> list[Task]:
        """Every open task that late subscribers still get."""
        tasks = (task for tasks in self._books.windows.values() for task in tasks.values())
        return [task for task in tasks if _is_waiting(task, now)]

    def late(self, turn: Turn, connection: Connection, *, group: bool) -> list[Offer]:
        """Offer a waiting task to a late subscriber; no facts when it has it already."""
        task = turn.task
        if task.key in connection.participations:
            return []
        client = connection.access.client
        group = group or connection.access.group
        mine = [p for p in task.participants.values() if p.client == client]
        away = [p for p in mine if p.active and not self._books.live(p.connection)]
        for participant in away:
            if participant.state is ParticipantState.OFFERED:
                self._books.unbind(task, participant)
                move(turn, participant, connection.id)
                return self._init_to(connection.id, task)
        if away:
            return []  # its work is under way, and has the grace to be gone on with (§5.4)
        if group and any(p.group and p.state is not ParticipantState.LOST for p in mine):
            return []
        if len(task.participants) >= self._max:
            return []
        offer(turn, client=client, connection=connection.id, group=group)
        return self._init_to(connection.id, task)

    def again(self, turn: Turn, lost: Participant) -> list[Offer]:
        """Offer a task to the next of a group, whose participant is about to be lost (§5.6)."""
        task = turn.task
        connection = self.group_taker(task, lost.client)
        if connection is None:
            return []
        offer(turn, client=lost.client, connection=connection, group=True)
        reopen_window(turn, max(task.start_deadline, turn.now + task.start_timeout))
        return self._init_to(connection, task)

    def _init_to(self, connection: str, task: Task) -> list[Offer]:
        """The init for a new participant; the publisher's connection has heard it (§4.4)."""
        if connection == self._books.publisher_on(task):
            return []
        return [Offer(event=task.init, to=connection)]


def _is_waiting(task: Task, now: int) -> bool:
    return now < task.start_deadline and task.outcome is None and not task.claimed_by
