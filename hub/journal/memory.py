"""The journal in memory: for tests, and the floor that drivers are measured against.

It keeps the facts themselves and answers by folding them, so it shares no code with a
driver of rows. What it gives is never what it keeps.
"""

from collections.abc import Sequence

from hub.core.facts import Event, Fact
from hub.core.presence import Presence
from hub.core.task import Task, fold
from hub.core.values import TaskState


class MemoryJournal:
    """Part of ``Journal``; loses everything with its process."""

    def __init__(self) -> None:
        #: stored facts by task key, in order
        self.facts: dict[int, list[Fact]] = {}
        self._keys: dict[str, int] = {}
        #: open connections, and until when they may be believed
        self.presence: dict[str, Presence] = {}
        self.lease_until = 0

    def open(self) -> None:
        """Part of ``Journal``."""

    def close(self) -> None:
        """Part of ``Journal``."""

    def last_key(self) -> int:
        """Part of ``Journal``."""
        return max(self.facts, default=0)

    def commit(self, facts: Sequence[Fact]) -> frozenset[int]:
        """Part of ``Journal``."""
        refused: set[int] = set()
        for fact in facts:
            if isinstance(fact, Event) and fact.created is not None:
                if self._keys.setdefault(fact.task_id, fact.task) != fact.task:
                    refused.add(fact.task)
                else:
                    self.facts[fact.task] = []
            if fact.task not in refused:
                self.facts[fact.task].append(fact)
        return frozenset(refused)

    def load(self, task_id: str) -> Task | None:
        """Part of ``Journal``."""
        key = self._keys.get(task_id)
        return None if key is None else fold(self.facts[key])

    def load_open(self) -> list[Task]:
        """Part of ``Journal``."""
        tasks = (fold(facts) for _, facts in sorted(self.facts.items()))
        return [task for task in tasks if task.state is not TaskState.END]

    def events(self, task: int, from_seq: int, limit: int) -> list[Event]:
        """Part of ``Journal``."""
        facts = self.facts.get(task, [])
        found = [f for f in facts if isinstance(f, Event) and f.seq >= from_seq]
        return found[:limit]

    def record_presence(
        self, opened: Sequence[Presence], closed: Sequence[str], lease_until: int
    ) -> None:
        """Part of ``Journal``."""
        for connection in closed:
            self.presence.pop(connection, None)
        self.presence |= {p.connection: p for p in opened}
        self.lease_until = lease_until

    def sweep_presence(self) -> None:
        """Part of ``Journal``."""
        self.presence.clear()

    def prune(self, ended_before: int, limit: int) -> int:
        """Part of ``Journal``."""
        ended = [
            task
            for task in (fold(facts) for facts in self.facts.values())
            if task.ended_at is not None and task.ended_at < ended_before
        ]
        for task in sorted(ended, key=lambda task: task.ended_at or 0)[:limit]:
            del self.facts[task.key], self._keys[task.task_id]
        return min(len(ended), limit)

    def epoch(self) -> str:
        """Part of ``Journal``."""
        return "memory"
