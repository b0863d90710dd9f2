"""A task is the fold of its facts, and of its rows (docs/protocol.md §5)."""

import copy

import pytest

from hub.core.facts import Closed, Event, Fact, Moved, Offered, WindowMoved
from hub.core.task import Task, evolve, fingerprint, fold, restore
from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState
from tests.core.helpers import check
from tests.core.world import BEGIN, World

STORIES = {
    "nobody": "p init start=7 end=9 expect=delivery settle=first claim | init p > p",
    "offered": "a sub\np init | init p > p a",
    "at work": """
        a sub
        b sub
        p init     | init p > p a b
        a start    | start a > p a b
        a update 1 | update a 1 > p a b
        b drop 2   | start b > p a b
                   | drop b 2 > p a b
    """,
    "settled": """
        a sub
        b sub
        p init      | init p > p a b
        b start     | start b > p a b
        a success 1 | start a > p a b
                    | success a 1 > p a b
    """,
    "timed out": """
        a sub
        b sub
        p init  | init p > p a b
        a start | start a > p a b
        +96
    """,
    "all": """
        a sub
        b sub
        c sub
        p init settle=all | init p > p a b c
        a success 1 | start a > p a b c
                    | drop a =success 1 > p a b c
        b fail 2    | start b > p a b c
                    | drop b =fail 2 > p a b c
    """,
    "claimed": """
        a sub
        b sub
        p init claim | init p > p a b
        b start      | start b > p a b
    """,
    "moved, redelivered": """
        g.1 sub group
        g.2 sub group
        p init claim | init p > p g.1
        g.1 start    | start g > p g.1
        +96
        g.1 lost
        +10000       | offer > g.2
                     | drop hub service-lost > p g.2
        g.2 lost
        g.3 sub group | offer > g.3
    """,
    "restarted": """
        a sub
        p init  | init p > p a
        restart
        a.2 sub | offer > a.2
    """,
    "ended": """
        a sub
        b sub
        p init      | init p > p a b
        a fail 1    | start a > p a b
                    | drop a =fail 1 > p a b
        b fail 2    | start b > p a b
                    | drop b =fail 2 > p a b
                    | fail a 1 > p a b
                    | end hub > p a b
    """,
    "cancelled": """
        a sub
        p init   | init p > p a
        a start  | start a > p a
        p cancel | fail p cancelled > p a
                 | end hub > p a
    """,
    "end deadline": """
        a sub
        p init end=1000 | init p > p a
        a start         | start a > p a
        +1000           | fail hub end-timeout > p a
                        | end hub > p a
    """,
}


def facts_of(world: World) -> list[Fact]:
    return world.facts[world.keys["t"]]


def from_rows(facts: list[Fact]) -> Task:
    """What a driver does: events and participants as they were last stored."""
    task = fold(facts)
    participants = copy.deepcopy(list(task.participants.values()))
    events = [fact for fact in facts if isinstance(fact, Event)]
    return restore(events, participants, task.start_deadline)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_live_task_is_the_fold_of_its_facts_and_of_its_rows(story: str) -> None:
    facts = facts_of(check(story))
    for n in range(1, len(facts) + 1):
        assert from_rows(facts[:n]) == fold(facts[:n])


def test_a_new_task_is_what_its_init_says() -> None:
    task = fold(facts_of(check(STORIES["nobody"])))
    assert (task.task_id, task.action, task.publisher) == ("t", "x:y", "p")
    assert (task.settle, task.expect, task.claim) == (Settle.FIRST, Expect.DELIVERY, True)
    assert (task.created_at, task.start_timeout, task.end_timeout) == (BEGIN, 7, 9)
    assert (task.start_deadline, task.end_deadline) == (BEGIN + 7, BEGIN + 9)
    assert (task.state, task.outcome, task.seq) == (TaskState.INIT, None, 1)
    assert not task.hopeful
    assert task.active() == []


def test_times_and_numbers() -> None:
    world = check(
        """
        a sub
        b sub
        p init      | init p > p a b
        +10
        a start     | start a > p a b
        +10
        a success 1 | success a 1 > p a b
        b start     | start b > p a b
        +10
        b drop      | drop b > p a b
                    | end hub > p a b
        """
    )
    task = world.task()
    assert (task.started_at, task.settled_at, task.ended_at) == (
        BEGIN + 10,
        BEGIN + 20,
        BEGIN + 30,
    )
    assert (task.settled_seq, task.seq) == (3, 6)
    assert (task.state, task.outcome) == (TaskState.END, TaskState.SUCCESS)
    first, second = task.participants.values()
    assert (first.offered_at, first.started_at, first.done_at) == (BEGIN, BEGIN + 10, BEGIN + 20)
    assert (second.started_at, second.done_at) == (BEGIN + 20, BEGIN + 30)
    assert not first.active


def test_an_update_is_nobodys_last_word() -> None:
    task = check("p init | init p > p\np update 1 | start p > p\n | update p 1 > p").task()
    assert task.participants[1].body is None


def test_what_happened_twice_happened_once() -> None:
    """A participant that is done stays done, at the time it was."""
    facts = facts_of(check(STORIES["timed out"]))
    task = fold(facts)
    before = copy.deepcopy(task)
    evolve(task, Closed(task=1, participant=2, state=ParticipantState.TIMED_OUT, at=BEGIN * 2))
    assert task == before
    evolve(task, Closed(task=1, participant=2, state=ParticipantState.LOST, at=BEGIN * 2))
    assert (task.offered, task.started) == (before.offered, before.started)


def test_facts_of_a_participant() -> None:
    task = fold(facts_of(check("p init | init p > p")))
    evolve(
        task, Offered(task=1, participant=1, client="a", connection="a", group=True, at=BEGIN + 1)
    )
    assert (task.offered, task.started, task.hopeful) == (1, 0, True)
    evolve(task, Moved(task=1, participant=1, connection="a.2", at=BEGIN + 2))
    assert task.participants[1].connection == "a.2"
    evolve(task, WindowMoved(task=1, start_deadline=BEGIN + 500, at=BEGIN + 3))
    assert task.start_deadline == BEGIN + 500
    evolve(task, Closed(task=1, participant=1, state=ParticipantState.LOST, at=BEGIN + 4))
    assert (task.offered, task.hopeful, task.dropped) == (0, False, False)
    assert task.participants[1].done_at == BEGIN + 4


def test_what_makes_two_events_the_same() -> None:
    one = fingerprint(EventKind.UPDATE, "1")
    assert one == fingerprint(EventKind.UPDATE, "1")
    assert one != fingerprint(EventKind.SUCCESS, "1")
    assert one != fingerprint(EventKind.UPDATE, "1.0")
    assert one != fingerprint(EventKind.UPDATE, None)


def test_a_stored_event_says_what_was_sent() -> None:
    events = [f for f in facts_of(check(STORIES["ended"])) if isinstance(f, Event)]
    kinds = [(str(e.kind), str(e.sent_kind())) for e in events]
    assert ("drop", "fail") in kinds
    assert ("fail", "fail") in kinds
