"""What operators do: cancel, publish again, disconnect; each is told in the log with their name."""

import logging
import time
from typing import Any

import pytest

from hub.core.access import access
from hub.core.errors import Code
from hub.models import Again
from hub.selectors.again import again_as, again_of
from hub.services import (
    NewTask,
    Operator,
    connection_disconnect,
    task_cancel,
    task_publish,
    task_publish_again,
)
from tests.services.conftest import HubHere, refused

ADA = Operator(name="ada")
WEB = access("web", pub=["mail"])
TASK = NewTask(
    action="mail:send",
    payload='{"to": 1.0}',
    task_id="t-1",
    event_id="e-1",
    start_timeout=60_000,
    end_timeout=120_000,
    claim=True,
)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> "list[dict[str, Any]]":
    """What the log tells of operators, as fields."""
    lines: list[dict[str, Any]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.msg, dict) and record.msg.get("event") == "operator_action":
                kept = {"what", "operator", "outcome", "task_id", "connection"}
                lines.append({k: v for k, v in record.msg.items() if k in kept})

    logger = logging.getLogger("hub.services")
    caplog.set_level(logging.INFO, logger="hub.services")
    handler = Handler()
    logger.addHandler(handler)
    caplog._item.addfinalizer(lambda: logger.removeHandler(handler))
    return lines


def test_a_cancel_reaches_the_service_and_is_in_the_history(
    hub: HubHere, told: list[dict[str, Any]]
) -> None:
    service = hub.service("mail")
    task_publish(access=WEB, task=TASK)
    task_cancel(task_id="t-1", by=ADA, reason='"wrong customer"')
    reason = service.hears(event="fail", taskId="t-1")["reason"]
    assert reason["message"] == "Cancelled by operator ada."
    assert reason["reason"] == "wrong customer"
    task = hub.run(lambda: hub.runtime.inside.load("t-1"))
    assert task is not None
    assert task.ended_at is not None
    with refused(Code.TASK_ENDED):
        task_cancel(task_id="t-1", by=ADA)
    for unknown in ("t-2", "no id at all\0"):
        with refused(Code.UNKNOWN_TASK):
            task_cancel(task_id=unknown, by=ADA)
    with refused(Code.BAD_JSON):
        task_cancel(task_id="t-1", by=ADA, reason="wrong customer")
    line = {"what": "cancel", "operator": "ada"}
    assert told == [
        {**line, "task_id": "t-1", "outcome": "done"},
        {**line, "task_id": "t-1", "outcome": "task-ended"},
        {**line, "task_id": "t-2", "outcome": "unknown-task"},
        {**line, "task_id": "no id at all\0", "outcome": "unknown-task"},
        {**line, "task_id": "t-1", "outcome": "bad-json"},
    ]


def test_a_task_is_published_again_in_the_name_of_its_first_publisher(
    hub: HubHere, told: list[dict[str, Any]]
) -> None:
    service = hub.service("mail")
    task_publish(access=WEB, task=TASK)
    new = task_publish_again(task_id="t-1", by=ADA)
    first, second = service.hears(taskId="t-1"), service.hears(taskId=new)
    for field in ("action", "payload", "by", "startTimeout", "endTimeout", "claim"):
        assert first[field] == second[field], field
    assert first["eventId"] != second["eventId"]
    newest = task_publish_again(task_id=new, by=ADA)
    row = again_of(newest)
    assert row is not None
    assert (row.of, row.by) == (new, "ada")
    assert [one.task_id for one in again_as("t-1")] == [new]
    assert again_of("t-1") is None
    with refused(Code.UNKNOWN_TASK):
        task_publish_again(task_id="t-2", by=ADA)
    assert [(line["what"], line["outcome"]) for line in told] == [
        ("again", "done"),
        ("again", "done"),
        ("again", "unknown-task"),
    ]


def test_what_was_published_again_is_pruned_with_the_new_task(hub: HubHere) -> None:
    task_publish(access=WEB, task=TASK)
    new = task_publish_again(task_id="t-1", by=ADA)
    newer = task_publish_again(task_id="t-1", by=ADA)
    Again.objects.create(task_id="lone", of="t-1", by="ada", at=1)
    task_cancel(task_id=new, by=ADA)
    soon = time.time_ns() // 1_000_000 + 60_000
    assert hub.runtime._journal.prune(soon, 1) == 1
    assert set(Again.objects.values_list("task_id", flat=True)) == {newer, "lone"}
    assert hub.runtime._journal.prune(soon, 1) == 0
    assert set(Again.objects.values_list("task_id", flat=True)) == {newer}


def test_a_connection_is_closed_with_a_code_that_lets_it_come_back(
    hub: HubHere, told: list[dict[str, Any]]
) -> None:
    service = hub.service("mail")
    assert connection_disconnect(connection=service.connection, operator=ADA)
    assert service.closed == 4503
    hub.do(hub.runtime.pipeline.disconnect, service.connection)
    assert not connection_disconnect(connection=service.connection, operator=ADA)
    line = {"what": "disconnect", "operator": "ada", "connection": service.connection}
    assert told == [{**line, "outcome": "done"}, {**line, "outcome": "not-open"}]
