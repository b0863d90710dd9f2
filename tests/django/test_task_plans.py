"""Every list of tasks is read along an index, from the right end, on both databases."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from hub.core.access import Access, access
from hub.core.values import TaskState
from hub.selectors.bodies import bodies_of, body_texts
from hub.selectors.tasks import TaskFilter, task_count, task_find, task_page, tasks_newer
from tests.many_tasks import BEGIN, fill
from tests.postgres import on_postgres, postgres_database, postgres_server

__all__ = ["on_postgres", "postgres_database", "postgres_server"]

FAIL = frozenset({TaskState.FAIL})
WEB = access("web", sub=["noun1"], watch=["noun2", "noun3/part:verb3"])
#: filter, viewer, and what SQLite reads a page along: an index, or the primary key.
LISTS: dict[str, tuple[TaskFilter, Access | None, str]] = {
    "all": (TaskFilter(), None, "INTEGER PRIMARY KEY"),
    "action": (TaskFilter(actions=("noun1/part:verb1",)), None, "task_action"),
    "noun": (TaskFilter(actions=("noun1",)), None, "INTEGER PRIMARY KEY"),
    "rare noun": (TaskFilter(actions=("rare",)), None, "INTEGER PRIMARY KEY"),
    "open": (TaskFilter(open=True), None, "task_open"),
    "under way": (TaskFilter(states=frozenset({TaskState.START})), None, "task_open"),
    "failed": (TaskFilter(outcomes=FAIL), None, "task_failed"),
    "init or failed": (
        TaskFilter(states=frozenset({TaskState.INIT}), outcomes=FAIL),
        None,
        "INTEGER PRIMARY KEY",
    ),
    "publisher": (TaskFilter(publisher="client1"), None, "task_publisher"),
    "publisher's action": (
        TaskFilter(publisher="client1", actions=("rare/thing:do",)),
        None,
        "task_action",
    ),
    "service": (TaskFilter(service="service1"), None, "INTEGER PRIMARY KEY"),
    "no such service": (TaskFilter(service="nobody"), None, "INTEGER PRIMARY KEY"),
    "id": (TaskFilter(task_id="task-777"), None, "INTEGER PRIMARY KEY"),
    "many ids": (TaskFilter(task_id="task-"), None, "INTEGER PRIMARY KEY"),
    "time": (
        TaskFilter(since=BEGIN + 500_000, until=BEGIN + 900_000),
        None,
        "INTEGER PRIMARY KEY",
    ),
    "reason": (TaskFilter(reason="needle/é"), None, "task_failed"),
    "a client's": (TaskFilter(), WEB, "INTEGER PRIMARY KEY"),
    "a publisher's own": (TaskFilter(), access("client1"), "task_publisher"),
}
TABLES = {"hub_task", "hub_task_event", "hub_participation", "t", "e", "p"}
Query = tuple[str, Any]


@contextmanager
def queries() -> Iterator[list[Query]]:
    """The statements that Django runs meanwhile."""
    ran: list[Query] = []

    def note(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        ran.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield ran


def read_all(by: TaskFilter, viewer: Access | None) -> tuple[list[Query], list[Query]]:
    """Read the list in every way; the queries of its first page, and all the others."""
    with queries() as first:
        page = task_page(by, viewer=viewer)
    with queries() as others:
        task_page(by, viewer=viewer, before=page.next or 1_900)
        tasks_newer(by, viewer=viewer, after=1_500)
        task_count(by)
        task_find("task-77", viewer=viewer)
    return first, others


def read_bodies() -> list[Query]:
    """Read the bodies of the largest page; the queries for them."""
    page = task_page(TaskFilter(), limit=200)
    with queries() as ran:
        found = bodies_of([task.key for task in page.tasks], ("payload", "result", "reason"))
        texts = body_texts(found)
    assert len(texts) == len(found) > 200
    return ran


def sqlite_plan(query: Query) -> list[str]:
    """What SQLite says of a statement, a line a step."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query[0]}", query[1])
        return [row[3] for row in cursor.fetchall()]


def scanned(plan: list[str]) -> list[str]:
    """The steps that walk through a whole table."""
    walks = [(step, re.match(r"SCAN (\w+)", step)) for step in plan]
    return [step for step, walk in walks if walk and walk[1] in TABLES]


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_sqlite_reads_along_an_index(name: str) -> None:
    by, viewer, index = LISTS[name]
    fill(2_000)
    first, others = read_all(by, viewer)
    plans = {query[0]: sqlite_plan(query) for query in [*first, *others]}
    for sql, plan in plans.items():
        assert not scanned(plan), (sql, plan)
    pages = [sql for sql, _ in first if re.match(r"SELECT t\.id .*LIMIT %s$", sql)]
    assert pages
    page = pages[-1]
    assert any(
        f"SEARCH t USING {word}{index}" in step
        for word in ("", "INDEX ", "COVERING INDEX ")
        for step in plans[page]
    ), (page, plans[page])
    if name != "id":
        assert not any("TEMP B-TREE" in step for step in plans[page]), (page, plans[page])


@pytest.mark.django_db
def test_sqlite_reads_bodies_one_by_one() -> None:
    fill(2_000)
    for query in read_bodies():
        plan = sqlite_plan(query)
        assert not scanned(plan), (query[0], plan)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every step of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.fixture(scope="module")
def many(postgres_database: Any, django_db_blocker: Any) -> Iterator[None]:
    """Enough tasks that walking through them all is the worst plan."""
    postgres_database.empty()
    with postgres_database.as_default(django_db_blocker):
        fill(50_000)
        yield
    postgres_database.empty()


def postgresql_scans(query: Query) -> list[dict[str, Any]]:
    """The steps that walk through a whole table."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {query[0]}", query[1])
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.usefixtures("many")
def test_postgresql_reads_along_an_index(name: str) -> None:
    by, viewer, _ = LISTS[name]
    first, others = read_all(by, viewer)
    for query in [*first, *others]:
        assert not postgresql_scans(query), query


@pytest.mark.usefixtures("many")
def test_postgresql_reads_bodies_one_by_one() -> None:
    for query in read_bodies():
        assert not postgresql_scans(query), query
