"""The journal in memory: for tests, and the floor that drivers are measured against.

It keeps the facts themselves and answers by folding them, so it shares no code with a
driver of rows. What it gives is never what it keeps.
"""

from collections import Counter
from collections.abc import Sequence

from hub.core.facts import Event, Fact
from hub.core.presence import Presence
from hub.core.task import Task, fold
from hub.core.values import EventKind, TaskState
from hub.durations import bucket_of
from hub.journal.sums import HOUR_MS, MINUTE_MS, MINUTES_KEPT_MS, SumRow, Tally

_SETTLING = (EventKind.SUCCESS, EventKind.FAIL)


class MemoryJournal:
    """Part of ``Journal``; loses everything with its process."""

    def __init__(self) -> None:
        #: stored facts by task key, in order
        self.facts: dict[int, list[Fact]] = {}
        self._keys: dict[str, int] = {}
        #: open connections, and until when they may be believed
        self.presence: dict[str, Presence] = {}
        self.lease_until = 0
        #: when each task ended that has, and its key
        self._ended: list[tuple[int, int]] = []
        #: sums of ended tasks: a ``SumRow`` without its last column → how many
        self.sums: Counter[tuple[int, int, str, str, int]] = Counter()
        self.summed_until = 0

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
                if isinstance(fact, Event) and fact.kind is EventKind.END:
                    self._ended.append((fact.at, fact.task))
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
        self._ended = [one for one in self._ended if one[1] in self.facts]
        return min(len(ended), limit)

    def tally(self, until: int, limit: int) -> Tally:
        """Part of ``Journal``."""
        since, with_minutes = self.summed_until, until - MINUTES_KEPT_MS
        found = sorted(one for one in self._ended if since <= one[0] < until)
        if len(found) > limit:
            until = max(found[limit][0], since + 1)
        rows = Counter(
            (width, at // width * width, *self._sort_of(key))
            for at, key in found
            if at < until
            for width in (MINUTE_MS, HOUR_MS)
            if width == HOUR_MS or until > with_minutes
        )
        made: list[SumRow] = [(*key, n) for key, n in rows.items()]
        return Tally(since=since, until=until, rows=tuple(made))

    def _sort_of(self, key: int) -> tuple[str, str, int]:
        init, *facts = self.facts[key]
        assert isinstance(init, Event)
        assert init.created is not None
        settled = next(f for f in facts if isinstance(f, Event) and f.kind in _SETTLING)
        return init.created.action, str(settled.kind), bucket_of(settled.at - init.at)

    def add_sums(self, made: Tally) -> bool:
        """Part of ``Journal``."""
        if self.summed_until != made.since:
            return False
        self.summed_until = made.until
        for *key, n in made.rows:
            self.sums[tuple(key)] += n  # type: ignore[index]
        return True

    def rewind_sums(self, to: int) -> None:
        """Part of ``Journal``."""
        if self.summed_until > to:
            self.summed_until = to // HOUR_MS * HOUR_MS
            for key in [key for key in self.sums if key[1] >= self.summed_until]:
                del self.sums[key]

    def prune_sums(self, hours_before: int | None) -> bool:
        """Part of ``Journal``."""
        minutes_before = self.summed_until - MINUTES_KEPT_MS - HOUR_MS
        for key in list(self.sums):
            before = minutes_before if key[0] == MINUTE_MS else hours_before or 0
            if key[1] < before // key[0] * key[0]:
                del self.sums[key]
        return False

    def epoch(self) -> str:
        """Part of ``Journal``."""
        return "memory"
