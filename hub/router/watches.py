"""Who watches what: one task from a seq on, or an action pattern live (docs/protocol.md §3).

A watch of a task begins with a replay of its stored events, read outside the event
loop while the task goes on. Events that arrive meanwhile are not sent but noted; the
replay reads on until it has caught up with them. An event that was routed is
committed, so the next read finds it: no gap, and none twice.

What a resumed connection missed (§6) is told in the same way, by a watch that does not
stay: after the replay it only keeps out what the replay has told, and then it is gone.
"""

from hub.core.connections import Watching
from hub.core.interest import Interest


class Watch:
    """One connection's watch of one task."""

    __slots__ = ("_missed", "_replaying", "after", "first", "stays", "task_id")

    def __init__(self, task_id: str, from_seq: int, *, stays: bool = True) -> None:
        self.task_id = task_id
        #: the seq that was asked for
        self.first = from_seq
        #: tells live events after the replay; else they come in the ordinary way, or not at all
        self.stays = stays
        #: the last seq that was sent
        self.after = from_seq - 1
        self._replaying = True
        self._missed = 0

    def takes(self, seq: int) -> bool:
        """Whether to send this live event now."""
        if seq <= self.after:
            return False
        if self._replaying:
            self._missed = max(self._missed, seq)
            return False
        self.after = seq
        return True

    def caught_up(self) -> bool:
        """End the replay, unless an event came meanwhile that it has not read yet."""
        if self._missed > self.after:
            return False
        self._replaying = False
        return True

    def done_before(self, seq: int) -> bool:
        """Whether it has nothing to say about this live event, nor about later ones."""
        return not self.stays and not self._replaying and seq > self.after


class Watches:
    """All watches of this process."""

    def __init__(self) -> None:
        self._tasks: dict[int, dict[str, Watch]] = {}
        self._patterns = Interest()
        #: connection → what it watches: task keys and patterns
        self._of: dict[str, set[int | str]] = {}

    def count(self, connection: str) -> int:
        """How many watches a connection holds, replays of a resume aside."""
        held = self._of.get(connection, ())
        return sum(isinstance(what, str) or self._tasks[what][connection].stays for what in held)

    def on_task(self, task: int) -> dict[str, Watch] | None:
        """Watches of one task by connection."""
        return self._tasks.get(task)

    def on_event(self, task: int, seq: int) -> dict[str, Watch] | None:
        """As ``on_task``, for a live event: those that have nothing more to say are ended."""
        watching = self._tasks.get(task)
        if watching is None:
            return None
        for connection, watch in list(watching.items()):
            if watch.done_before(seq):
                self.end(connection, task)
        return watching

    def holds(self, connection: str, task: int, watch: Watch) -> bool:
        """Whether this very watch is still wanted."""
        return self._tasks.get(task, {}).get(connection) is watch

    def on_action(self, action: str) -> list[str]:
        """Connections that watch a pattern covering this action."""
        return [subscriber.connection for subscriber in self._patterns.covering(action)]

    def begin(self, connection: str, task: int, watch: Watch) -> None:
        """Watch a task; a watch that is there already starts over."""
        self._tasks.setdefault(task, {})[connection] = watch
        self._of.setdefault(connection, set()).add(task)

    def add_pattern(self, connection: str, pattern: str) -> None:
        """Watch a pattern, live only."""
        self._patterns.add(connection, pattern, exact=False)
        self._of.setdefault(connection, set()).add(pattern)

    def end(self, connection: str, what: int | str) -> None:
        """Stop one watch; nothing happens when there is none."""
        if isinstance(what, str):
            self._patterns.remove(connection, what, exact=False)
        else:
            watching = self._tasks.get(what, {})
            watching.pop(connection, None)
            if not watching:
                self._tasks.pop(what, None)
        held = self._of.get(connection)
        if held is not None:
            held.discard(what)
            if not held:
                del self._of[connection]

    def end_task(self, task: int) -> None:
        """The task has ended; watches that are still replaying end themselves."""
        for connection, watch in list(self._tasks.get(task, {}).items()):
            if watch.caught_up():
                self.end(connection, task)

    def held_by(self, connection: str) -> list[int | str]:
        """What a connection watches: task keys and patterns."""
        return list(self._of.get(connection, ()))

    def leave(self, connection: str) -> Watching:
        """The connection is gone; returns what it watched."""
        held = self.held_by(connection)
        on_tasks = [self._tasks[key][connection] for key in held if isinstance(key, int)]
        for what in held:
            self.end(connection, what)
        return Watching(
            tasks={watch.task_id: watch.first for watch in on_tasks if watch.stays},
            patterns=tuple([pattern for pattern in held if isinstance(pattern, str)]),
        )
