"""Lists of tasks, against plain Python: whatever the filter, the viewer and the page's size.

On SQLite and on PostgreSQL, whose database has a locale that orders text unlike bytes.
"""

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.access import Access, access
from hub.core.values import ParticipantState, TaskState
from hub.models import Participation, TaskEvent
from hub.selectors import walk
from hub.selectors.tasks import (
    TaskFilter,
    TaskRow,
    task_body,
    task_count,
    task_events,
    task_find,
    task_page,
    task_participants,
    tasks_by_key,
    tasks_newer,
)
from tests.django.task_worlds import (
    ACTIONS,
    BEGIN,
    CLIENTS,
    NEEDLES,
    PATTERNS,
    REASONS,
    STATES,
    TASK_IDS,
    MadeUp,
    json_text,
    lists,
    made_up_tasks,
    may_see,
    store,
    wanted,
)
from tests.postgres import on_postgres, postgres_database, postgres_server

__all__ = ["on_postgres", "postgres_database", "postgres_server"]

CI = os.environ.get("TASKHUB_REQUIRE_SERVICES") == "1"
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has looked at enough after a few tasks, however slow the machine."""
    monkeypatch.setattr(walk, "WINDOWS", (1, 2, 3))
    monkeypatch.setattr(walk, "BUDGET_S", 60.0)


def walked(by: TaskFilter, viewer: Access | None, limit: int) -> list[TaskRow]:
    """All pages, one after the other."""
    found: list[TaskRow] = []
    before: int | None = None
    while True:
        page = task_page(by, viewer=viewer, before=before, limit=limit)
        assert len(page.tasks) <= limit
        assert len(page.tasks) == limit or page.next is None or page.searched_to is not None
        found += page.tasks
        if page.next is None:
            return found
        assert before is None or page.next < before
        before = page.next


def check(tasks: list[MadeUp], by: TaskFilter, viewer: Access | None, limit: int) -> None:
    """This list of the stored tasks says what plain Python says."""
    rows = walked(by, viewer, limit)
    right = [t for t in reversed(tasks) if wanted(t, by) and may_see(t, viewer)]
    assert [row.key for row in rows] == [task.key for task in right]
    for row, task in zip(rows, right, strict=True):
        assert (row.task_id, row.action, row.publisher) == (
            task.task_id,
            task.action,
            task.publisher,
        )
        assert (row.state, row.outcome) == (task.state, task.outcome)
        assert row.services == tuple(dict.fromkeys(task.participants))
        assert row.update == (task.updates[-1] if task.open and task.updates else None)
    for task in tasks:
        found = task_find(task.task_id, viewer=viewer)
        assert (found is not None) is may_see(task, viewer)


Lists = list[tuple[TaskFilter, Access | None]]
seeds = st.integers(0, 2**32)
given_all = given(seeds, lists, st.integers(1, 5))


@pytest.mark.usefixtures("db", "small_windows")
@settings(max_examples=300 if CI else 60, deadline=None, suppress_health_check=SHARED)
@given_all
def test_all_pages_together_are_the_plain_answer(seed: int, asked: Lists, limit: int) -> None:
    tasks = made_up_tasks(seed)
    store(tasks)
    for by, viewer in asked:
        check(tasks, by, viewer, limit)


@pytest.mark.usefixtures("on_postgres", "small_windows")
@settings(max_examples=80 if CI else 25, deadline=None, suppress_health_check=SHARED)
@given_all
def test_all_pages_together_are_the_plain_answer_on_postgresql(
    seed: int, asked: Lists, limit: int
) -> None:
    tasks = made_up_tasks(seed)
    store(tasks)
    for by, viewer in asked:
        check(tasks, by, viewer, limit)


@pytest.mark.usefixtures("db", "small_windows")
@settings(max_examples=200 if CI else 30, deadline=None, suppress_health_check=SHARED)
@given(seeds, lists, st.integers(0, 60), st.integers(1, 9))
def test_counts_never_say_more_than_there_is(
    seed: int, asked: Lists, after: int, limit: int
) -> None:
    tasks = made_up_tasks(seed)
    store(tasks)
    for by, viewer in asked:
        right = [t for t in tasks if wanted(t, by)]
        count, more = task_count(by, limit=limit)
        assert count <= min(limit, len(right))
        assert more is True or count == len(right)
        newer = sum(t.key > after and may_see(t, viewer) for t in right)
        assert tasks_newer(by, after=after, viewer=viewer, limit=limit) <= min(limit, newer)
        page = task_page(by, limit=limit)
        if page.searched_to is None:
            assert count == min(limit, len(right))


@pytest.mark.django_db
@settings(max_examples=20, deadline=None, suppress_health_check=SHARED)
@given(seeds, lists, st.integers(0, 60), st.integers(1, 9))
def test_counts_of_few_tasks_are_exact(seed: int, asked: Lists, after: int, limit: int) -> None:
    tasks = made_up_tasks(seed)
    store(tasks)
    for by, viewer in asked:
        right = [t for t in tasks if wanted(t, by)]
        assert task_count(by, limit=limit) == (min(limit, len(right)), len(right) > limit)
        newer = sum(t.key > after and may_see(t, viewer) for t in right)
        assert tasks_newer(by, after=after, viewer=viewer, limit=limit) == min(limit, newer)


def made_up(key: int, **more: Any) -> MadeUp:
    """A task that ended well, unless told otherwise."""
    usual: dict[str, Any] = {
        "task_id": f"t{key}",
        "action": "email:send",
        "publisher": "web",
        "state": TaskState.END,
        "outcome": TaskState.SUCCESS,
        "created_at": BEGIN + key,
    }
    return MadeUp(key=key, **{**usual, **more})


def alone() -> Iterator[tuple[TaskFilter, Access | None]]:
    """Each word of a filter and each right of a viewer by itself."""
    yield from ((TaskFilter(actions=(pattern,)), None) for pattern in PATTERNS)
    yield from ((TaskFilter(reason=needle), None) for needle in NEEDLES)
    yield from ((TaskFilter(task_id=begin), None) for begin in TASK_IDS)
    for states in subsets(tuple(TaskState)):
        for outcomes in subsets((TaskState.SUCCESS, TaskState.FAIL)):
            yield TaskFilter(states=states, outcomes=outcomes), None
    for unended, client in itertools.product((True, False), CLIENTS):
        yield TaskFilter(open=unended, publisher=client), None
        yield TaskFilter(open=unended, service=client), None
    for pattern, client in itertools.product(PATTERNS, ("x", "nobody")):
        yield TaskFilter(), access(client, sub=[pattern])
        yield TaskFilter(), access(client, watch=[pattern])
    yield TaskFilter(since=BEGIN + 3, until=BEGIN + 20), None


def subsets(states: tuple[TaskState, ...]) -> list[frozenset[TaskState]]:
    """All of them."""
    sizes = range(len(states) + 1)
    return [frozenset(c) for size in sizes for c in itertools.combinations(states, size)]


def one_of_each() -> list[MadeUp]:
    """A task of each action, each state, each id and each way to write each reason."""
    failed = {"outcome": TaskState.FAIL, "participants": ("web", "x")}
    made: list[dict[str, Any]] = [{"action": a, "participants": ("x",)} for a in ACTIONS]
    for state, outcome in STATES:
        reason = "null" if outcome is TaskState.FAIL else None
        made.append({"state": state, "outcome": outcome, "reason": reason})
    made += [{"task_id": f"{begin}~"} for begin in TASK_IDS]
    made += [{"reason": json_text(r, way), **failed} for r in REASONS for way in range(3)]
    return [made_up(key, **more) for key, more in enumerate(made, 1)]


def check_each_alone() -> None:
    """Each of these lists of these tasks."""
    tasks = one_of_each()
    store(tasks)
    for by, viewer in alone():
        rows = walked(by, viewer, 200)
        right = [t.key for t in reversed(tasks) if wanted(t, by) and may_see(t, viewer)]
        assert [row.key for row in rows] == right, (by, viewer)


@pytest.mark.django_db
def test_each_word_of_a_filter_alone() -> None:
    check_each_alone()


@pytest.mark.usefixtures("on_postgres")
def test_each_word_of_a_filter_alone_on_postgresql() -> None:
    check_each_alone()


@pytest.mark.usefixtures("db", "small_windows")
def test_a_page_that_has_looked_at_enough_says_how_far() -> None:
    store([made_up(key, publisher="x" if key == 1 else "web") for key in range(1, 31)])
    noun = TaskFilter(actions=("nothing",))
    page = task_page(noun)
    assert (page.tasks, page.next, page.searched_to) == ((), 25, BEGIN + 25)
    assert task_count(noun) == (0, True)
    page = task_page(noun, before=4)
    assert (page.tasks, page.next, page.searched_to) == ((), None, None)
    assert [row.key for row in task_page(TaskFilter(publisher="x")).tasks] == [1]


@pytest.mark.usefixtures("db", "small_windows")
def test_what_was_deleted_is_passed_over() -> None:
    store([made_up(1, action="old:x"), made_up(10**12), made_up(2 * 10**12)])
    page = task_page(TaskFilter(actions=("old",)))
    assert [row.key for row in page.tasks] == [1]


@pytest.mark.django_db
@pytest.mark.parametrize("tasks", [1, 60])
def test_a_page_takes_as_many_queries_however_many_tasks_it_has(
    tasks: int, django_assert_max_num_queries: Any
) -> None:
    both: dict[str, Any] = {"participants": ("a", "b", "a"), "updates": ("1", "2")}
    store(
        [made_up(key, state=TaskState.START, outcome=None, **both) for key in range(1, tasks + 1)]
    )
    with django_assert_max_num_queries(4):
        page = task_page(TaskFilter())
    assert {(row.services, row.update) for row in page.tasks} == {(("a", "b"), "2")}
    with django_assert_max_num_queries(3):
        assert len(tasks_by_key(list(range(tasks + 9)))) == tasks


@pytest.mark.django_db
def test_only_the_begin_of_a_long_list_of_services_and_no_long_update_is_read() -> None:
    crowd = tuple(f"c{number}" for number in range(150))
    store([made_up(1, state=TaskState.START, outcome=None, participants=crowd)])
    TaskEvent.objects.filter(task=1).delete()
    assert tasks_by_key([1])[1].services == crowd[:100]
    long = made_up(1, state=TaskState.START, outcome=None, updates=("1", f'"{"x" * 5_000}"'))
    store([long])
    assert tasks_by_key([1, 2, 10**30])[1].update is None


def check_details() -> None:
    """One task whole."""
    task = made_up(7, updates=('"é"', "2"), participants=("a", "b"))
    store([task, made_up(8)])
    Participation.objects.filter(task=7, number=1).update(body='"éé"')
    events = task_events(7)
    assert [(e.seq, e.kind, e.size) for e in events][1:] == [
        (2, "update", 4),
        (3, "update", 1),
        (4, "success", 11),
    ]
    assert [e.body for e in task_events(7, from_seq=2, limit=1, body_limit=2)] == ['"é']
    assert task_body(7, 2) == '"é"'
    assert task_body(7, 99) is None
    parts = task_participants(7)
    assert [(p.number, p.client, p.body, p.size) for p in parts] == [
        (1, "a", '"éé"', 6),
        (2, "b", None, 0),
    ]
    assert [p.body for p in task_participants(7, limit=1, body_limit=1)] == ['"']
    assert parts[0].group is False
    assert parts[0].state is ParticipantState.OFFERED
    assert task_events(10**30) == task_events(9) == []


@pytest.mark.django_db
def test_details_of_a_task() -> None:
    check_details()


@pytest.mark.usefixtures("on_postgres")
def test_details_of_a_task_on_postgresql() -> None:
    check_details()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["\0", "\ud800", ""])
def test_text_that_no_task_can_have_finds_nothing(text: str) -> None:
    store([made_up(1)])
    assert task_find(text) is None
    assert not task_page(TaskFilter(publisher=text)).tasks
    assert not task_page(TaskFilter(service=text)).tasks
    assert not task_page(TaskFilter(actions=(text,))).tasks


@pytest.mark.usefixtures("db")
def test_numbers_that_no_task_can_have_find_nothing() -> None:
    store([made_up(1)])
    assert not task_page(TaskFilter(), before=-(10**30)).tasks
    assert task_page(TaskFilter(), before=10**30).tasks
    assert tasks_newer(TaskFilter(), after=10**30) == 0
