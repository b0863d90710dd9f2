"""Who is connected, what they subscribe to, and what time does to both (§2, §3, §5.4)."""

from collections.abc import Collection, Iterable

from hub.core import lifecycle, reasons
from hub.core.access import access
from hub.core.books import Books
from hub.core.connections import Connection, Subscription
from hub.core.decision import Decision, Desk, shown
from hub.core.effects import Acknowledge, Offer
from hub.core.errors import Code, Rejection
from hub.core.inputs import AccessChanged, Connected, Disconnected, Subscribe, Unsubscribe
from hub.core.limits import Limits
from hub.core.offers import Offers
from hub.core.task import Participant, Task
from hub.core.turn import Turn, move, reopen_window
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
        connection = Connection(id=item.connection, access=item.access, session=item.session)
        self.books.connections[item.connection] = connection
        self.books.sessions.open(connection)

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
        if command.lazy_payload is not None:
            connection.lazy_payload = command.lazy_payload
        answer = Acknowledge(
            to=connection.id,
            message=f"Subscribed to {pattern}.",
            action=pattern,
            command_id=command.command_id,
        )
        taken = Subscription(command.exact, command.group)
        offers = self.take_subscription(connection, pattern, taken, now)
        return [Decision(key=0, facts=[], effects=[answer]), *offers]

    def take_subscription(
        self,
        connection: Connection,
        pattern: str,
        subscription: Subscription,
        now: int,
        told: Collection[str] = (),
    ) -> list[Decision]:
        """Subscribe, and offer what waits; the init of the tasks ``told`` is heard otherwise."""
        self._drop_subscription(connection, pattern)  # it may have been subscribed otherwise
        connection.subscriptions[pattern] = subscription
        exact, group = subscription.exact, subscription.group
        self.books.interest.add(connection.id, pattern, exact=exact, group=group)
        waiting = self._offers.waiting(pattern, exact=exact, now=now)
        decisions = []
        for task in waiting:
            turn = self._desk.turn(task, now)
            offers = self._offers.late(turn, connection, group=group)
            if turn.facts:
                offers = [] if task.task_id in told else offers
                decisions.append(self._desk.decision(turn, offers=offers))
        return decisions

    def take_subscriptions(
        self, lost: Connection, heir: Connection, now: int, told: Collection[str]
    ) -> list[Decision]:
        """Subscribe to what a lost connection was subscribed to, within rights and limits (§6)."""
        decisions = []
        for pattern, subscription in lost.subscriptions.items():
            room = len(heir.subscriptions) < self._limits.max_subscriptions
            if room and pattern not in heir.subscriptions and heir.access.sub.covers(pattern):
                decisions += self.take_subscription(heir, pattern, subscription, now, told)
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
        """A connection is gone: it has the grace to be resumed, with its work (§5.4, §6)."""
        connection = self.books.connections.get(item.connection)
        if connection is None or not connection.live:
            return []
        connection.live = False
        connection.watching = item.watching
        for pattern, subscription in connection.subscriptions.items():
            self.books.interest.remove(connection.id, pattern, exact=subscription.exact)
        decisions = []
        for task, participant in [] if item.resumed else self._at_work(connection):
            # docs/protocol.md §5.6: it has not started, so another one can at once.
            waiting = participant.group and participant.state is ParticipantState.OFFERED
            if waiting and self._offers.group_taker(task, participant.client):
                decisions.append(self._lose(task, participant, reasons.SERVICE_LOST, now))
        crowded_out = self.books.sessions.leave(connection)
        if crowded_out is not None:
            self.books.let_go(crowded_out)
        if connection.busy or connection.session is not None:
            self.books.deadlines.arm(connection.id, now + self._limits.resume_grace_ms)
        else:
            self.books.drop(connection)
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
        return self.withdraw(connection, now)

    def withdraw(self, connection: Connection, now: int) -> list[Decision]:
        """End the participations that the rights of this connection do not cover (D13)."""
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
        connection = self.books.connections.get(connection_id)
        if connection is None:
            return []
        self.books.drop(connection)
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
        heirs = {}
        for connection in self.books.connections.values():
            heirs.update(dict.fromkeys(connection.former, connection.id))
            if not connection.live:
                self.books.deadlines.arm(connection.id, grace_ends)
        decisions = []
        for task in tasks:
            turn = self._desk.turn(task, now)
            if self._admit(turn, heirs, grace_ends) and task.start_deadline < grace_ends:
                reopen_window(turn, grace_ends)
            if turn.facts:
                decisions.append(self._desk.decision(turn))
        for connection in list(self.books.connections.values()):
            if connection.live:  # its rights may have changed while nothing could be stored
                decisions += self.withdraw(connection, now)
        return decisions + self._offer_again(now)

    def _admit(self, turn: Turn, heirs: dict[str, str], grace_ends: int) -> bool:
        """Take a task in; returns whether somebody who may yet start it is away.

        What ``heirs`` took over, and could not have stored, is theirs (§6).
        """
        task, books = turn.task, self.books
        present = [p for p in task.participants.values() if p.state is not ParticipantState.LOST]
        taken = {participant.connection for participant in present}
        resumed = []
        waiting = False
        for participant in present:
            heir = heirs.get(participant.connection)
            if heir is None or heir in taken:
                heir = participant.connection
            else:
                resumed.append((participant, heir))
                taken.add(heir)
            if participant.active and not books.live(heir):
                waiting = waiting or participant.state is ParticipantState.OFFERED
                self._expect_back(participant, heir, grace_ends)
        books.admit(task)
        publisher = books.publisher_on(task)
        books.publish_on(task, heirs.get(publisher, publisher))
        for participant, heir in resumed:
            books.unbind(task, participant)
            move(turn, participant, heir)
        return waiting

    def _offer_again(self, now: int) -> list[Decision]:
        """Offer open tasks to subscribers whose offers were not stored, or not even made (§3)."""
        decisions = []
        for task in self._offers.all_waiting(now):
            turn = self._desk.turn(task, now)
            offers: list[Offer] = []
            for taker in self._offers.takers(task.action, unseen=task.key):
                connection = self.books.connections[taker.connection]
                offers += self._offers.late(turn, connection, group=taker.group)
            if turn.facts:
                decisions.append(self._desk.decision(turn, offers=offers))
        return decisions

    def _expect_back(self, participant: Participant, connection: str, until: int) -> None:
        if connection not in self.books.connections:
            self.books.connections[connection] = Connection(
                id=connection, access=access(participant.client), live=False
            )
        self.books.deadlines.arm(connection, until)
