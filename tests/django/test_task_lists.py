"""Lists of tasks, against plain Python: whatever the filter, the viewer and the page's size.

On SQLite and on PostgreSQL, whose database has a locale that orders text unlike bytes.
"""

import os
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.access import Access, access
from hub.core.values import TaskState
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
    MadeUp,
    filters,
    made_up_tasks,
    may_see,
    store,
    viewers,
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
    """Every list of these tasks says what plain Python says."""
    store(tasks)
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


given_all = given(made_up_tasks(), filters, viewers, st.integers(1, 4))


@pytest.mark.usefixtures("db", "small_windows")
@settings(max_examples=1_000 if CI else 150, deadline=None, suppress_health_check=SHARED)
@given_all
def test_all_pages_together_are_the_plain_answer(
    tasks: list[MadeUp], by: TaskFilter, viewer: Access | None, limit: int
) -> None:
    check(tasks, by, viewer, limit)


@pytest.mark.usefixtures("on_postgres", "small_windows")
@settings(max_examples=200 if CI else 60, deadline=None, suppress_health_check=SHARED)
@given_all
def test_all_pages_together_are_the_plain_answer_on_postgresql(
    tasks: list[MadeUp], by: TaskFilter, viewer: Access | None, limit: int
) -> None:
    check(tasks, by, viewer, limit)
