"""What somebody should look at, on both databases."""

from typing import Any

import pytest

from hub.core import reasons
from hub.core.values import TaskState
from hub.models import Task
from hub.selectors.attention import tasks_near_deadline, unserved_by_action
from tests.django.pages import NOW, task_make
from tests.postgres import on_postgres, postgres_database, postgres_server

__all__ = ["on_postgres", "postgres_database", "postgres_server"]

FAIL = TaskState.FAIL
MINUTE = 60_000


def check_deadlines() -> None:
    # Of the ten minutes that each has, a fifth is two minutes.
    task_make(1, outcome=None, ago=9 * MINUTE)
    task_make(2, outcome=None, ago=9 * MINUTE + 30_000)
    task_make(3, outcome=None, ago=7 * MINUTE)
    task_make(4, ago=9 * MINUTE)
    newest = Task.objects.get(id=3)
    for key in range(5, 305):
        newest.id, newest.task_id = key, f"task-{key}"
        newest.save(force_insert=True)
    # Settled, while others are still at work on it.
    Task.objects.create(**_like(newest, 305, outcome="success", end_deadline=NOW()))

    found = tasks_near_deadline(now=NOW(), percent=20, limit=5)
    assert [task.task_id for task in found] == ["task-2", "task-1"]
    assert [task.key for task in tasks_near_deadline(now=NOW(), percent=20, limit=1)] == [2]


def _like(task: Task, key: int, **other: Any) -> dict[str, Any]:
    same = {field.attname: getattr(task, field.attname) for field in Task._meta.concrete_fields}
    return same | {"id": key, "task_id": f"task-{key}"} | other


def check_unserved() -> None:
    nobody: dict[str, Any] = {"outcome": FAIL, "by": "hub", "service": None}
    for key in (1, 2):
        task_make(key, action="fax:send", body=reasons.NO_SUBSCRIBER, **nobody)
    task_make(3, action="fax:send", body=reasons.START_TIMEOUT, **nobody)
    task_make(4, action="fax:send", body=reasons.NO_SUBSCRIBER, outcome=FAIL)
    task_make(5, action="old:one", body=reasons.NO_SUBSCRIBER, ago=90 * MINUTE, **nobody)
    assert unserved_by_action(since=NOW() - 60 * MINUTE) == {"fax:send": 2}


@pytest.mark.usefixtures("db")
def test_an_old_task_near_its_deadline_is_found_behind_many_new_ones() -> None:
    check_deadlines()


@pytest.mark.usefixtures("on_postgres")
def test_an_old_task_near_its_deadline_is_found_on_postgresql() -> None:
    check_deadlines()


@pytest.mark.usefixtures("db")
def test_unserved_is_what_the_hub_says_and_no_service() -> None:
    check_unserved()


@pytest.mark.usefixtures("on_postgres")
def test_unserved_is_what_the_hub_says_on_postgresql() -> None:
    check_unserved()
