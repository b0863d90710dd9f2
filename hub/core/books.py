"""What the engine knows by heart: open tasks, connections, and the indexes between them.

Everything here can be thrown away and made again from the journal and the open
connections; nothing here decides.
"""

import sys
from collections import OrderedDict
from collections.abc import Collection

from hub.core.connections import Connection, Sessions
from hub.core.deadlines import Deadlines
from hub.core.facts import Closed, Event, Fact, Moved, Offered, WindowMoved
from hub.core.interest import Interest
from hub.core.remembered import Remembered, remembered
from hub.core.task import Participant, Task
from hub.core.values import Body, EventKind, ParticipantState

_STARTED = ParticipantState.STARTED
_LOST = ParticipantState.LOST
_UPDATE = EventKind.UPDATE

#: Ended tasks whose event ids are remembered, so that a repeated event costs no read.
RECENT_TASKS = 4_096


def kept_bytes(body: Body | None) -> int:
    """What a body takes in memory: one emoji in it makes four bytes of each character."""
    return 0 if body is None else sys.getsizeof(body)


class Books:
    """The engine's memory."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.sessions = Sessions()
        self.interest = Interest()
        # Ordered: the oldest entry of a dict is found by walking over all that were deleted.
        self.recent: OrderedDict[str, Remembered] = OrderedDict()
        self.clear_open()

    def clear_open(self) -> None:
        """Forget every open task; open connections stay, and what has ended is remembered."""
        self.open: dict[str, Task] = {}
        self.by_key: dict[int, Task] = {}
        #: event id → task id, of all tasks known here
        self.event_owner: dict[str, str] = {
            event_id: ended.task_id
            for ended in self.recent.values()
            for event_id in ended.event_ids
        }
        self.open_by_client: dict[str, int] = {}
        #: what the bodies of open tasks take: of all together, and of each by its key
        self.open_bytes = 0
        self._bytes: dict[int, int] = {}
        #: action → tasks a late subscriber may still be offered
        self.windows: dict[str, dict[int, Task]] = {}
        self.deadlines = Deadlines()
        #: the connection a task's publisher listens on
        self._publisher_on: dict[int, str] = {}
        self._audiences: dict[int, tuple[str, ...]] = {}
        self.connections = {
            c.id: c for c in self.connections.values() if c.live or c.session is not None
        }
        for connection in self.connections.values():
            connection.participations.clear()
            connection.published.clear()
            connection.busy = 0

    def admit(self, task: Task) -> None:
        """Take an open task in, with the participants it has."""
        key = task.key
        self.open[task.task_id] = task
        self.by_key[key] = task
        self.open_by_client[task.publisher] = self.open_by_client.get(task.publisher, 0) + 1
        for event_id in task.event_ids:
            self.event_owner[event_id] = task.task_id
        assert task.init.created is not None
        self.publish_on(task, task.init.created.connection)
        self._keep(key, task.init.body)
        for participant in task.participants.values():
            self._keep(key, participant.body)
            connection = self.connections.get(participant.connection)
            if connection is not None:
                lost = participant.state is ParticipantState.LOST
                if not lost or key not in connection.participations:
                    connection.participations[key] = participant.number
                connection.busy += participant.active
        self.open_window(task)

    def open_window(self, task: Task) -> None:
        """Offer the task to late subscribers, and wake at the end of its start window."""
        self.windows.setdefault(task.action, {})[task.key] = task
        self.deadlines.arm(task.key, min(task.start_deadline, task.end_deadline))

    def close_window(self, task: Task) -> None:
        """The start window is over: from now on only the end deadline counts."""
        self._leave_window(task)
        self.deadlines.arm(task.key, task.end_deadline)

    def _leave_window(self, task: Task) -> None:
        tasks = self.windows.get(task.action)
        if tasks is not None and tasks.pop(task.key, None) is not None and not tasks:
            del self.windows[task.action]

    def note(self, task: Task, facts: list[Fact]) -> None:
        """Bring the indexes up to these facts, which the task has already taken."""
        for fact in facts:
            match fact:
                case Event():
                    self.event_owner[fact.event_id] = task.task_id
                    if fact.body is not None and fact.participant and fact.kind is not _UPDATE:
                        self._keep(task.key, fact.body)
                    state = fact.participant_state
                    if state is not None and state is not _STARTED:
                        self._one_less(task, fact.participant)
                        if state is _LOST:
                            self._audiences.pop(task.key, None)
                case Offered():
                    self._bind(task, fact.participant, fact.connection)
                case Moved():
                    self._rebind(task, fact, facts)
                case Closed():
                    self._one_less(task, fact.participant)
                case WindowMoved():
                    self.open_window(task)

    def _keep(self, key: int, body: Body | None) -> None:
        if body is not None:
            size = kept_bytes(body)
            self.open_bytes += size
            self._bytes[key] = self._bytes.get(key, 0) + size

    def _bind(self, task: Task, number: int, connection_id: str) -> None:
        self._audiences.pop(task.key, None)
        connection = self.connections[connection_id]
        connection.participations[task.key] = number
        connection.busy += 1

    def _rebind(self, task: Task, moved: Moved, facts: list[Fact]) -> None:
        number = moved.participant
        self._bind(task, number, moved.connection)
        ended = (fact for fact in facts if isinstance(fact, Event | Closed))
        if not task.participants[number].active and all(f.participant != number for f in ended):
            # It was done before: it only listens there from now on.
            self.connections[moved.connection].busy -= 1

    def _one_less(self, task: Task, number: int) -> None:
        connection = self.connections.get(task.participants[number].connection)
        if connection is not None:
            connection.busy -= 1

    def unbind(self, task: Task, participant: Participant) -> None:
        """A participant is about to move away from its connection."""
        connection = self.connections.get(participant.connection)
        if connection is not None:
            del connection.participations[task.key]
            connection.busy -= participant.active
            self.let_go(connection)

    def retire(self, task: Task) -> None:
        """The task has ended: remember its event ids for a while, forget the rest."""
        key = task.key
        del self.open[task.task_id]
        del self.by_key[key]
        self.deadlines.disarm(key)
        self._leave_window(task)
        publisher = self.connections.get(self._publisher_on.pop(key))
        if publisher is not None:
            publisher.published.discard(key)
        self._audiences.pop(key, None)
        self.open_bytes -= self._bytes.pop(key, 0)
        left = self.open_by_client[task.publisher] - 1
        if left:
            self.open_by_client[task.publisher] = left
        else:
            del self.open_by_client[task.publisher]
        for participant in task.participants.values():
            connection = self.connections.get(participant.connection)
            if connection is not None:
                connection.participations.pop(key, None)
                connection.busy -= participant.active  # only of a task that was never stored
                if not connection.live:
                    self.let_go(connection)
        self._keep_ended(remembered(task))

    def remember(self, ended: Remembered) -> None:
        """Keep an ended task that was not in memory."""
        if ended.task_id in self.open:
            # Of an init that the journal will refuse: this is the task that has the taskId.
            self.forget({self.open[ended.task_id].key})
        self.recent.pop(ended.task_id, None)
        for event_id in ended.event_ids:
            self.event_owner[event_id] = ended.task_id
        self._keep_ended(ended)

    def _keep_ended(self, ended: Remembered) -> None:
        """Keep an ended task; the oldest one gives way."""
        self.recent[ended.task_id] = ended
        if len(self.recent) > RECENT_TASKS:
            self._forget_ended(next(iter(self.recent.values())))

    def forget(self, keys: Collection[int]) -> None:
        """What was decided about these tasks is not stored: undo ``admit`` and ``remember``."""
        for key in keys:
            task = self.by_key.get(key)
            if task is not None:
                self.retire(task)
        for ended in [ended for ended in self.recent.values() if ended.key in keys]:
            self._forget_ended(ended)

    def _forget_ended(self, ended: Remembered) -> None:
        del self.recent[ended.task_id]
        for event_id in ended.event_ids:
            self.event_owner.pop(event_id, None)

    def audience(self, task: Task) -> tuple[str, ...]:
        """Publisher and participants, each once (§4.4)."""
        found = self._audiences.get(task.key)
        if found is None:
            order = dict.fromkeys((self._publisher_on[task.key],))
            for participant in task.participants.values():
                if participant.state is not _LOST:
                    order[participant.connection] = None
            found = self._audiences[task.key] = tuple(order)
        return found

    def publisher_returned(self, task: Task, connection: str) -> None:
        """The publisher asks again from a new connection: it listens there from now on."""
        before = self.connections.get(self._publisher_on[task.key])
        if before is None or not before.live:
            self.publish_on(task, connection)

    def publish_on(self, task: Task, connection: str) -> None:
        """The publisher of a task listens on this connection from now on."""
        key = task.key
        if key in self._publisher_on:
            before = self.connections.get(self._publisher_on[key])
            if before is not None:
                before.published.discard(key)
        after = self.connections.get(connection)
        if after is not None:
            after.published.add(key)
        self._publisher_on[key] = connection
        self._audiences.pop(key, None)

    def publisher_on(self, task: Task) -> str:
        """The connection that a task's publisher listens on, open or not."""
        return self._publisher_on[task.key]

    def live(self, connection_id: str) -> bool:
        """Whether this connection is open."""
        connection = self.connections.get(connection_id)
        return connection is not None and connection.live

    def let_go(self, connection: Connection) -> None:
        """Forget an away connection that has nothing left to come back to."""
        if not connection.live and not connection.participations and connection.session is None:
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Forget a connection."""
        self.sessions.end(connection)
        self.connections.pop(connection.id, None)
        self.deadlines.disarm(connection.id)
