"""Who is connected, what they subscribe to, and what time does to both (§2, §3, §5.4)."""

from collections.abc import Iterable

from hub.core import lifecycle, reasons
from hub.core.access import access
from hub.core.books import Books, Connection, Subscription
from hub.core.decision import Decision, Desk, shown
from hub.core.effects import Acknowledge
from hub.core.errors import Code, Rejection
from hub.core.inputs import AccessChanged, Connected, Disconnected, Subscribe, Unsubscribe
from hub.core.limits import Limits
from hub.core.offers import Offers
from hub.core.task import Participant, Task
from hub.core.turn import reopen_window
from hub.core.values import Body, ParticipantState


class Membership:
    """Decides what follows when connections come, go, or are given other rights."""

    def __init__(self, books: Books, desk: Desk, offers: Offers, limits: Limits) -> None:
        self.books = books
        self._desk = desk
        self._offers = offers
        self._limits = limits

    def connected(self, item: Connected) -> None:
        """A connection was accepted."""
        self.books.connections[item.connection] = Connection(id=item.connection, access=item.access)

    def subscribe(self, command: Subscribe, now: int) -> list[Decision]:
        """Subscribe, and take the open tasks still inside their start window (§3)."""
        connection = self.books.connections[command.connection]
        pattern = command.pattern
        if not connection.access.sub.covers(pattern):
            raise Rejection(Code.FORBIDDEN, f"This client may not subscribe to {shown(pattern)}.")
        known = connection.subscriptions
        if pattern not in known and len(known) >= self._limits.max_subscriptions:
            raise Rejection(
                Code.LIMIT,
                f"A connection has at most {self._limits.max_subscriptions} subscriptions; "
                "subscribe to a noun that covers several actions.",
                limit="max_subscriptions",
            )
        self._drop_subscription(connection, pattern)  # it may have been subscribed otherwise
        known[pattern] = Subscription(command.exact, command.group)
        self.books.interest.add(connection.id, pattern, exact=command.exact, group=command.group)
        answer = Acknowledge(
            to=connection.id,
            message=f"Subscribed to {pattern}.",
            action=pattern,
            command_id=command.command_id,
        )
        decisions = [Decision(key=0, facts=[], effects=[answer])]
        for task in self._offers.waiting(pattern, exact=command.exact, now=now):
            turn = self._desk.turn(task, now)
            offers = self._offers.late(turn, connection, group=command.group)
            if turn.facts:
                decisions.append(self._desk.decision(turn, offers=offers))
        return decisions

    def unsubscribe(self, command: Unsubscribe) -> list[Decision]:
        """Take no new tasks of a pattern; those at work go on."""
        connection = self.books.connections[command.connection]
        message = f"Was not subscribed to {command.pattern}."
        if self._drop_subscription(connection, command.pattern):
            message = f"Unsubscribed from {command.pattern}."
        answer = Acknowledge(
            to=connection.id,
            message=message,
            action=command.pattern,
            command_id=command.command_id,
        )
        return [Decision(key=0, facts=[], effects=[answer])]

    def _drop_subscription(self, connection: Connection, pattern: str) -> bool:
        subscription = connection.subscriptions.pop(pattern, None)
        if subscription is None:
            return False
        self.books.interest.remove(connection.id, pattern, exact=subscription.exact)
        return True

    def disconnected(self, item: Disconnected, now: int) -> list[Decision]:
        """A connection is gone: what it works on has the grace to be taken up again (§5.4)."""
        connection = self.books.connections.get(item.connection)
        if connection is None or not connection.live:
            return []
        connection.live = False
        for pattern, subscription in connection.subscriptions.items():
            self.books.interest.remove(connection.id, pattern, exact=subscription.exact)
        decisions = []
        for task, participant in self._at_work(connection):
            # docs/protocol.md §5.6: it has not started, so another one can at once.
            waiting = participant.group and participant.state is ParticipantState.OFFERED
            if waiting and self._offers.group_taker(task, participant.client):
                decisions.append(self._lose(task, participant, reasons.SERVICE_LOST, now))
        if connection.busy:
            self.books.deadlines.arm(connection.id, now + self._limits.resume_grace_ms)
        else:
            self.books.connections.pop(connection.id, None)
        return decisions

    def _at_work(self, connection: Connection) -> list[tuple[Task, Participant]]:
        pairs = []
        for key, number in connection.participations.items():
            task = self.books.by_key[key]
            participant = task.participants[number]
            if participant.active:
                pairs.append((task, participant))
        return pairs

    def _lose(self, task: Task, participant: Participant, why: Body, now: int) -> Decision:
        turn = self._desk.turn(task, now)
        offers = []
        if participant.group and task.outcome is None:
            offers = self._offers.again(turn, participant)
        lifecycle.lose(turn, participant.number, why)
        return self._desk.decision(turn, offers=offers)

    def access_changed(self, item: AccessChanged, now: int) -> list[Decision]:
        """Take away what is no longer allowed (§2.8, §5.5)."""
        connection = self.books.connections.get(item.connection)
        if connection is None:
            return []
        connection.access = item.access
        for pattern in list(connection.subscriptions):
            if not item.access.sub.covers(pattern):
                self._drop_subscription(connection, pattern)
        return self._withdraw(connection, now)

    def _withdraw(self, connection: Connection, now: int) -> list[Decision]:
        rights = connection.access
        return [
            self._lose(task, participant, reasons.FORBIDDEN, now)
            for task, participant in self._at_work(connection)
            if rights.client != task.publisher and not rights.sub.covers(task.action)
        ]

    def tick(self, now: int) -> list[Decision]:
        """Decide all that is due."""
        decisions: list[Decision] = []
        for key in self.books.deadlines.due(now):
            if isinstance(key, int):
                task = self.books.by_key.get(key)
                # Else a loss a moment ago ended it, or had its start window opened again.
                if task is not None and now >= min(task.start_deadline, task.end_deadline):
                    decisions.append(self._task_due(task, now))
            else:
                decisions += self._grace_over(key, now)
        return decisions

    def _grace_over(self, connection_id: str, now: int) -> list[Decision]:
        connection = self.books.connections.pop(connection_id, None)
        if connection is None:
            return []
        return [
            self._lose(task, participant, reasons.SERVICE_LOST, now)
            for task, participant in self._at_work(connection)
        ]

    def _task_due(self, task: Task, now: int) -> Decision:
        turn = self._desk.turn(task, now)
        if now >= task.end_deadline:
            lifecycle.end_deadline_over(turn)
        else:
            lifecycle.start_window_over(turn)
            self.books.close_window(task)
        return self._desk.decision(turn)

    def restore(self, tasks: Iterable[Task], now: int) -> list[Decision]:
        """Take the journal's word for all open tasks: at the start, or after a failed commit.

        Participants whose connection is not open have the grace to return, from now.
        """
        self.books.clear_open()
        grace_ends = now + self._limits.resume_grace_ms
        decisions = []
        for task in tasks:
            waiting = False
            for participant in task.active():
                if not self.books.live(participant.connection):
                    self._expect_back(participant, grace_ends)
                    waiting = waiting or participant.state is ParticipantState.OFFERED
            self.books.admit(task)
            if waiting and task.start_deadline < grace_ends:
                turn = self._desk.turn(task, now)
                reopen_window(turn, grace_ends)
                decisions.append(self._desk.decision(turn))
        for connection in list(self.books.connections.values()):
            if connection.live:  # its rights may have changed while nothing could be stored
                decisions += self._withdraw(connection, now)
        return decisions

    def _expect_back(self, participant: Participant, until: int) -> None:
        if participant.connection not in self.books.connections:
            self.books.connections[participant.connection] = Connection(
                id=participant.connection,
                access=access(participant.client),
                live=False,
            )
        self.books.deadlines.arm(participant.connection, until)
