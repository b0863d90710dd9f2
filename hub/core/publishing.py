"""Commands on tasks: init, the reports of participants, cancel (docs/protocol.md §4, §5)."""

from hub.core import lifecycle, reasons
from hub.core.books import Books, kept_bytes
from hub.core.connections import Connection
from hub.core.decision import Decision, Desk, event_conflict, shown, unchanged, unknown_task
from hub.core.errors import Code, Rejection, TaskNotLoaded
from hub.core.facts import Created
from hub.core.inputs import Cancel, Command, Init, OperatorCancel, Report
from hub.core.limits import Limits
from hub.core.offers import Offers
from hub.core.remembered import Remembered, visible
from hub.core.task import Participant, Task, fingerprint
from hub.core.turn import create, move, offer
from hub.core.values import HUB, Body, EventKind, ParticipantState

_LOST = ParticipantState.LOST
_STARTED = ParticipantState.STARTED
_START = EventKind.START
_END = EventKind.END

_TAKEN = "This taskId is taken; choose another one."


class Publishing:
    """Decides what clients and operators may do to tasks."""

    def __init__(
        self, books: Books, desk: Desk, offers: Offers, limits: Limits, last_key: int
    ) -> None:
        #: why no new tasks are taken, or None
        self.refuses_new: str | None = None
        self.books = books
        self._desk = desk
        self._offers = offers
        self._limits = limits
        self._last_key = last_key

    def absent(self, command: Command) -> list[Decision]:
        """Decide about a command on a task that is nowhere."""
        if isinstance(command, Report) and command.kind is EventKind.END:
            return [unchanged(command)]
        if isinstance(command, OperatorCancel):
            raise Rejection(Code.UNKNOWN_TASK, "There is no such task.")
        raise unknown_task()

    def init(self, command: Init, now: int) -> list[Decision]:
        """Publish a new task, or the same one again (§5.1, §4.7)."""
        connection = self.books.connections[command.connection]
        client = connection.access.client
        if not connection.access.pub.covers(command.action):
            raise Rejection(Code.FORBIDDEN, f"This client may not publish {shown(command.action)}.")
        created = self._created(command)
        known = self.books.open.get(command.task_id) or self.books.recent.get(command.task_id)
        if known is not None:
            return self._init_again(known, command, client, created)
        if command.event_id in self.books.event_owner:
            raise event_conflict()
        self._check_room(client, command.payload)
        self._last_key += 1
        turn = create(
            key=self._last_key,
            task_id=command.task_id,
            event_id=command.event_id,
            by=client,
            payload=command.payload,
            created=created,
            now=now,
            new_id=self._desk.new_id,
        )
        self.books.admit(turn.task)
        for taker in self._offers.takers(command.action):
            offer(turn, client=taker.client, connection=taker.connection, group=taker.group)
        return [self._desk.decision(turn, command)]

    def _created(self, command: Init) -> Created:
        limits = self._limits
        start, end = command.start_timeout, command.end_timeout
        return Created(
            action=command.action,
            connection=command.connection,
            start_timeout=limits.start_timeout_ms if start is None else start,
            end_timeout=limits.end_timeout_ms if end is None else end,
            settle=command.settle,
            expect=command.expect,
            claim=command.claim,
        )

    def _init_again(
        self, task: Task | Remembered, command: Init, client: str, created: Created
    ) -> list[Decision]:
        if task.publisher != client:
            # docs/protocol.md §5.1: nothing is told about the other task.
            raise Rejection(Code.DUPLICATE_TASK, _TAKEN)
        sent = (client, fingerprint(EventKind.INIT, command.payload, created), 1)
        stored = task.event_ids.get(command.event_id)
        if stored == sent:
            if isinstance(task, Task):
                self.books.publisher_returned(task, command.connection)
            return [unchanged(command, task.key, 1)]
        if stored is not None:
            raise event_conflict()
        raise Rejection(Code.DUPLICATE_TASK, _TAKEN)

    def _check_room(self, client: str, payload: Body) -> None:
        limits = self._limits
        if self.refuses_new is not None:
            raise Rejection(Code.UNAVAILABLE, self.refuses_new, limit="min_free_disk_bytes")
        if len(self.books.open) >= limits.max_open_tasks:
            raise Rejection(
                Code.LIMIT,
                f"The hub has {limits.max_open_tasks} open tasks, its limit; try later.",
                retry=True,
                limit="max_open_tasks",
            )
        size = kept_bytes(payload)
        if self.books.open_bytes + size > limits.max_open_bytes:
            raise Rejection(
                Code.LIMIT,
                f"The payloads of open tasks would take more than {limits.max_open_bytes} bytes, "
                "the hub's limit; try later, or send a smaller one.",
                retry=size <= limits.max_open_bytes,
                limit="max_open_bytes",
            )
        if self.books.open_by_client.get(client, 0) >= limits.max_open_tasks_per_client:
            raise Rejection(
                Code.LIMIT,
                f"This client has {limits.max_open_tasks_per_client} open tasks, its limit; "
                "wait until some have ended.",
                retry=True,
                limit="max_open_tasks_per_client",
            )

    # Reports of participants

    def report(self, command: Report, now: int) -> list[Decision]:
        """Take what a participant or the publisher says of a task (§5.2 to §5.5)."""
        task = self.books.open.get(command.task_id)
        if task is None:
            return self._report_ended(command)
        connection = self.books.connections[command.connection]
        if command.event_id in self.books.event_owner:
            stored = _stored(task, command, connection.access.client)
            if stored is not None:
                return [unchanged(command, task.key, stored)]
        number = self._role(task, connection)
        if number is None:
            return self.absent(command)
        self._check_event_id(command)
        lifecycle.check(task, number, command.kind, self._limits.max_events_per_task)
        participant = task.participants.get(number)
        silent = _changes_nothing(participant, command.kind)
        if silent and not _takes_over(participant, connection):
            return [unchanged(command)]
        turn = self._desk.turn(task, now)
        if participant is None:
            number = offer(
                turn, client=connection.access.client, connection=connection.id, group=False
            )
        elif participant.connection != connection.id:
            self.books.unbind(task, participant)
            move(turn, participant, connection.id)
        if silent:  # docs/protocol.md §5.5: a second start, but from a new connection
            taken = self._desk.decision(turn, command)
            taken.effects.extend(unchanged(command).effects)
            return [taken]
        lifecycle.report(turn, number, command.kind, event_id=command.event_id, body=command.body)
        return [self._desk.decision(turn, command)]

    def _role(self, task: Task, connection: Connection) -> int | None:
        """Participant number; 0: the publisher, not yet taking part; None: a stranger (§5.5)."""
        number = connection.participations.get(task.key)
        if number is not None and task.participants[number].state is not _LOST:
            return number
        access = connection.access
        owner = access.client == task.publisher
        if owner or access.sub.covers(task.action):
            for participant in task.active():
                if participant.client == access.client and not self.books.live(
                    participant.connection
                ):
                    return participant.number
        return 0 if owner else None

    def _check_event_id(self, command: Report) -> None:
        """Refuse an eventId that was used for something else (§4.7), except on ``end`` (§5.4)."""
        if command.event_id in self.books.event_owner and command.kind is not _END:
            raise event_conflict()

    def _report_ended(self, command: Report) -> list[Decision]:
        """docs/protocol.md §5.8: repeats and a client's ``end`` are silent, the rest refused."""
        if command.kind is EventKind.END:
            return [unchanged(command)]
        ended = self._ended(command.task_id)
        access = self.books.connections[command.connection].access
        took_part = access.client in ended.clients and access.sub.covers(ended.action)
        if access.client != ended.publisher and not took_part:
            return self.absent(command)
        stored = _stored(ended, command, access.client)
        if stored is not None:
            return [unchanged(command, ended.key, stored)]
        self._check_event_id(command)
        raise Rejection(Code.TASK_ENDED, "This task has ended.")

    def _ended(self, task_id: str) -> Remembered:
        ended = self.books.recent.get(task_id)
        if ended is None:
            raise TaskNotLoaded(task_id)
        return ended

    # Cancelling

    def cancel(self, command: Cancel, now: int) -> list[Decision]:
        """End a task at its publisher's wish (§5.4)."""
        access = self.books.connections[command.connection].access
        task = self.books.open.get(command.task_id)
        target = self._ended(command.task_id) if task is None else task
        if not visible(target, access):
            raise unknown_task()
        if access.client != target.publisher:
            raise Rejection(Code.FORBIDDEN, "Only its publisher may cancel a task.")
        if task is None:
            raise Rejection(Code.TASK_ENDED, "This task has ended.")
        turn = self._desk.turn(task, now)
        why = reasons.cancelled(access.client, command.reason)
        lifecycle.cancel(turn, by=access.client, reason=why)
        return [self._desk.decision(turn, command)]

    def operator_cancel(self, item: OperatorCancel, now: int) -> list[Decision]:
        """End a task at an operator's wish (§5.4)."""
        task = self.books.open.get(item.task_id)
        if task is None:
            self._ended(item.task_id)
            raise Rejection(Code.TASK_ENDED, "This task has ended.")
        turn = self._desk.turn(task, now)
        why = reasons.cancelled(f"operator {item.operator}", item.reason)
        lifecycle.cancel(turn, by=HUB, reason=why)
        return [self._desk.decision(turn, item)]


def _stored(task: Task | Remembered, command: Report, client: str) -> int | None:
    """The seq of this very event from this client, if it is stored already (§4.7)."""
    stored = task.event_ids.get(command.event_id)
    if stored is None or stored[:2] != (client, fingerprint(command.kind, command.body)):
        return None
    return stored[2]


def _takes_over(participant: Participant | None, connection: Connection) -> bool:
    """Whether it has been at work on another connection, which is lost (§5.5)."""
    return (
        participant is not None and participant.active and participant.connection != connection.id
    )


def _changes_nothing(participant: Participant | None, kind: EventKind) -> bool:
    """docs/protocol.md §5.2: a second start; §5.4: the ``end`` of one who is done."""
    if participant is None:
        return kind is _END
    if kind is _START:
        return participant.state is _STARTED
    return kind is _END and not participant.active
