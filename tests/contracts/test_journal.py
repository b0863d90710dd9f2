"""The contract of ``hub.journal.port``: one suite for every driver."""

import itertools
import json
import random
import threading

import pytest

from hub.core.access import access
from hub.core.engine import Engine
from hub.core.errors import Rejection, TaskNotLoaded
from hub.core.facts import Event, Fact
from hub.core.inputs import (
    Cancel,
    Command,
    Connected,
    Disconnected,
    Init,
    Report,
    Subscribe,
    Tick,
)
from hub.core.limits import Limits
from hub.core.presence import Presence
from hub.core.task import fold
from hub.core.values import EventKind, Settle, TaskState
from hub.journal.port import Journal

AWKWARD = [
    "null",
    '"\\u0000"',
    "9" * 5_000,
    "1.0e400",
    '"\\ud83d\\ude00 😀"',
    '{"a":[1.10,{"b":null}],"a":2}',
    json.dumps("x" * 1_048_000),
    '""',
]


class Source:
    """Facts as the engine makes them, for tests that want some."""

    def __init__(self, seed: int = 1, last_key: int = 0) -> None:
        ids = itertools.count(1)
        self.random = random.Random(seed)
        self.now = 1_000
        self.engine = Engine(Limits(), lambda: f"hub-{seed}-{next(ids)}", last_key)
        self.connections = ["p", "a", "b", "c"]
        for connection in self.connections:
            rights = access(connection, sub=["*"], pub=["*"])
            self.engine.decide(Connected(connection=connection, access=rights), 0)
        for connection in self.connections[1:]:
            self.do(Subscribe(connection=connection, pattern="x"))

    def do(self, item: Command | Tick | Disconnected) -> list[Fact]:
        """Facts of one input; none when it is refused."""
        try:
            decisions = self.engine.decide(item, self.now)  # type: ignore[arg-type]
        except (Rejection, TaskNotLoaded):
            return []
        return [fact for decision in decisions for fact in decision.facts]

    def init(self, task_id: str, payload: str = "1", **options: object) -> list[Fact]:
        """Facts of a new task."""
        command = {"connection": "p", "task_id": task_id, "event_id": f"i-{task_id}"}
        return self.do(Init(**command, action="x:y", payload=payload, **options))  # type: ignore[arg-type]

    def report(self, task_id: str, kind: str, body: str | None = None, by: str = "a") -> list[Fact]:
        """Facts of an event of a participant."""
        event_id = f"{kind}-{task_id}-{by}-{self.random.random()}"
        command = {"connection": by, "task_id": task_id, "event_id": event_id}
        return self.do(Report(**command, kind=EventKind(kind), body=body))

    def done(self, task_id: str) -> list[Fact]:
        """Facts of a task from its init to its end."""
        facts = self.init(task_id) + self.report(task_id, "success", "2")
        for by in "bc":
            facts += self.report(task_id, "drop", by=by)
        return facts

    def step(self) -> list[Fact]:
        """Facts of something at random."""
        self.now += self.random.choice([0, 1, 50, 120, 5_000])
        task_id = f"t{self.random.randrange(12)}"
        by = self.random.choice("abc")
        match self.random.randrange(12):
            case 0 | 1 | 2:
                payload = self.random.choice(AWKWARD)
                settle = self.random.choice(list(Settle))
                claim = self.random.random() < 0.3
                return self.init(task_id, payload, settle=settle, claim=claim, end_timeout=20_000)
            case 3:
                return self.do(Tick())
            case 4:
                return self.do(Cancel(connection="p", task_id=task_id, reason='"why"'))
            case 5:
                return self.reconnect(by)
            case _:
                kind = self.random.choice(["start", "update", "drop", "success", "fail", "end"])
                body = None if kind in ("start", "end") else self.random.choice(AWKWARD)
                return self.report(task_id, kind, body, by)

    def reconnect(self, connection: str) -> list[Fact]:
        """A service goes, and comes back at once under the same name."""
        facts = self.do(Disconnected(connection=connection))
        rights = access(connection, sub=["*"], pub=["*"])
        if connection not in self.engine.books.connections:
            self.engine.decide(Connected(connection=connection, access=rights), self.now)
            facts += self.do(Subscribe(connection=connection, pattern="x"))
        else:
            self.engine.books.connections[connection].live = True
            self.engine.books.deadlines.disarm(connection)
        return facts


def by_task(facts: list[Fact]) -> dict[int, list[Fact]]:
    found: dict[int, list[Fact]] = {}
    for fact in facts:
        found.setdefault(fact.task, []).append(fact)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_what_is_loaded_is_the_fold_of_what_was_committed(journal: Journal, seed: int) -> None:
    source = Source(seed)
    stored: list[Fact] = []
    batch: list[Fact] = []
    for _ in range(250):
        batch += source.step()
        if source.random.random() < 0.3:
            assert journal.commit(batch) == frozenset()
            stored += batch
            batch = []
    assert len(by_task(stored)) > 5, f"seed {seed} made too little"
    for facts in by_task(stored).values():
        expected = fold(facts)
        assert journal.load(expected.task_id) == expected
        events = [fact for fact in facts if isinstance(fact, Event)]
        assert journal.events(expected.key, 1, 10_000) == events
    still_open = [t for f in by_task(stored).values() if (t := fold(f)).state is not TaskState.END]
    assert journal.load_open() == sorted(still_open, key=lambda task: task.key)


@pytest.mark.parametrize("body", AWKWARD, ids=range(len(AWKWARD)))
def test_bodies_come_back_to_the_byte(journal: Journal, body: str) -> None:
    source = Source()
    journal.commit(source.init("t", body) + source.report("t", "success", body))
    first, _, third = journal.events(1, 1, 3)
    assert (first.body, third.body) == (body, body)


def test_events_come_in_pages(journal: Journal) -> None:
    source = Source()
    facts = source.init("t")
    for number in range(10):
        facts += source.report("t", "update", str(number))
    journal.commit(facts)
    assert [e.seq for e in journal.events(1, 1, 4)] == [1, 2, 3, 4]
    assert [e.seq for e in journal.events(1, 5, 4)] == [5, 6, 7, 8]
    assert [e.seq for e in journal.events(1, 12, 4)] == [12]
    assert journal.events(1, 13, 4) == []
    assert journal.events(99, 1, 4) == []


def test_an_unknown_task_is_none(journal: Journal) -> None:
    assert journal.load("nowhere") is None
    assert journal.last_key() == 0
    assert journal.load_open() == []


def test_a_taken_task_id_refuses_that_task_alone(journal: Journal) -> None:
    first, second = Source(1), Source(2, last_key=1)
    journal.commit(first.done("t"))
    batch = second.init("t") + second.report("t", "update", "7") + second.init("other")
    assert journal.commit(batch) == frozenset({2})
    kept = journal.load("t")
    assert kept is not None
    assert (kept.key, kept.seq) == (1, first.engine.books.recent["t"].event_ids["hub-1-4"][2])
    assert journal.events(2, 1, 10) == []
    assert journal.load("other") is not None
    assert journal.last_key() == 3


def test_two_tasks_of_one_id_in_one_batch(journal: Journal) -> None:
    batch = Source(1).init("t") + Source(2, last_key=1).init("t")
    assert journal.commit(batch) == frozenset({2})
    kept = journal.load("t")
    assert kept is not None
    assert kept.key == 1


def test_prune_deletes_the_oldest_ended_and_no_open_task(journal: Journal) -> None:
    source = Source()
    for number in range(6):
        source.now = 1_000 * (number + 1)
        journal.commit(source.done(f"t{number}"))
    journal.commit(source.init("open"))
    assert journal.prune(ended_before=4_000, limit=2) == 2
    assert [n for n in range(6) if journal.load(f"t{n}")] == [2, 3, 4, 5]
    assert journal.prune(ended_before=4_000, limit=10) == 1
    assert journal.prune(ended_before=10**12, limit=10) == 3
    assert journal.prune(ended_before=10**12, limit=10) == 0
    assert journal.load("open") is not None
    assert journal.events(1, 1, 10) == []


def test_presence_is_recorded_renewed_and_swept(journal: Journal) -> None:
    people = [
        Presence(connection=c, client="c", address="::1", protocol="legacy", since=1) for c in "ab"
    ]
    journal.record_presence(people, [], 100)
    journal.record_presence([], ["a"], 200)
    journal.record_presence([], ["never-seen"], 300)
    journal.sweep_presence()


def test_the_epoch_stays(journal: Journal) -> None:
    assert journal.epoch() == journal.epoch() != ""


def test_any_thread_may_read_while_another_writes(journal: Journal) -> None:
    source = Source()
    journal.commit(source.init("t"))
    seen: list[int] = []

    def read() -> None:
        task = journal.load("t")
        assert task is not None
        seen.append(task.seq)

    reader = threading.Thread(target=read)
    reader.start()
    journal.commit(source.report("t", "update", "1"))
    reader.join(10)
    assert seen in ([1], [3])
