"""Tasks, connections and clients in the admin: what each user sees and may do."""

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.fixtures import Settings

from credentials.models import Client
from hub import runtime as hub_runtime
from hub.admin import common
from hub.admin import tasks as task_pages
from hub.core.access import access
from hub.models import Connection, Task
from hub.selectors.again import again_as
from hub.services import NewTask, task_publish
from tests.django.admin_pages import staff, text
from tests.services.conftest import HubHere

TASKS = "admin:hub_task_changelist"
CONNECTIONS = "admin:hub_connection_changelist"
WEB = access("web", pub=["mail"])
MARKUP = '"<script>alert(1)</script>"'


@pytest.fixture(autouse=True)
def fast_hasher(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def publish(task_id: str, payload: str = MARKUP) -> Task:
    more = {"event_id": f"e-{task_id}", "start_timeout": 60_000, "end_timeout": 120_000}
    new = NewTask(action="mail:send", payload=payload, task_id=task_id, **more)  # type: ignore[arg-type]
    task_publish(access=WEB, task=new)
    return Task.objects.get(task_id=task_id)


def page(task: Task) -> str:
    return reverse("admin:hub_task_change", args=[task.pk])


def act(browser: Browser, pages: str, action: str, *rows: Task | Connection) -> HttpResponse:
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return browser.post(reverse(pages), chosen, follow=True)  # type: ignore[return-value]


def shown(browser: Browser, pages: str, **query: str) -> set[str]:
    """The task ids in the list."""
    answer = browser.get(reverse(pages), query)
    assert answer.status_code == 200
    return {task.task_id for task in answer.context["cl"].result_list}


def test_who_may_only_view_sees_tasks_without_contents_and_can_do_nothing(hub: HubHere) -> None:
    task = publish("t-1")
    browser = staff("view_task")
    listed = text(browser.get(reverse(TASKS)))  # type: ignore[arg-type]
    assert "t-1" in listed
    assert 'name="action"' not in listed
    one = text(browser.get(page(task)))  # type: ignore[arg-type]
    assert "mail:send" in one
    assert "init" in one
    assert 'href="/tasks/t-1/"' in one
    assert "alert(1)" not in one
    assert "_save" not in one
    for action in ("cancel", "publish_again", "delete_selected"):
        act(browser, TASKS, action, task)
    assert browser.post(page(task), {"action": "x:y"}).status_code == 403
    assert browser.get(reverse("admin:hub_task_add")).status_code == 403
    assert browser.post(reverse("admin:hub_task_delete", args=[task.pk])).status_code == 403
    task.refresh_from_db()
    assert (task.state, Task.objects.count()) == ("init", 1)


def test_who_may_not_view_sees_nothing(hub: HubHere) -> None:
    task = publish("t-1")
    browser = staff("cancel_task", "view_client")
    assert browser.get(reverse(TASKS)).status_code == 403
    assert browser.get(page(task)).status_code == 403
    assert browser.get(reverse(CONNECTIONS)).status_code == 403
    assert Browser().get(page(task)).status_code == 302


def test_contents_are_shown_to_who_may_view_them_and_as_text(hub: HubHere) -> None:
    browser = staff("view_task", "view_payload")
    answer = browser.get(page(publish("t-1")))
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in answer.content
    assert b"<script>alert" not in answer.content
    long = browser.get(page(publish("t-2", f'"</textarea>{"<script>" * 20_000}"'))).content
    assert len(long) < 50_000
    assert b"&lt;/textarea&gt;&lt;script&gt;" in long
    assert b"<script><script>" not in long


def test_tasks_are_cancelled_by_who_may(hub: HubHere) -> None:
    tasks = [publish("t-1"), publish("t-2")]
    browser = staff("view_task", "cancel_task")
    assert "Cancelled: t-1, t-2." in text(act(browser, TASKS, "cancel", *tasks))
    assert set(Task.objects.values_list("state", "outcome")) == {("end", "fail")}
    assert "Not done with t-1: This task has ended." in text(
        act(browser, TASKS, "cancel", tasks[0])
    )
    act(browser, TASKS, "publish_again", tasks[0])
    assert Task.objects.count() == 2


def test_tasks_are_published_again_by_who_may(hub: HubHere) -> None:
    task = publish("t-1")
    browser = staff("view_task", "publish_task")
    answer = text(act(browser, TASKS, "publish_again", task))
    (row,) = again_as("t-1")
    assert f'Published again: t-1 as <a href="/tasks/{row.task_id}/">' in answer
    assert row.by == "staff"
    assert f"as {row.task_id} by staff" in text(browser.get(page(task)))  # type: ignore[arg-type]
    new = Task.objects.get(task_id=row.task_id)
    assert "from t-1 by staff" in text(browser.get(page(new)))  # type: ignore[arg-type]
    act(browser, TASKS, "cancel", task)
    assert set(Task.objects.values_list("state", flat=True)) == {"init"}


def test_a_bounded_number_is_done_at_once(hub: HubHere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "AT_ONCE", 1)
    tasks = [publish("t-1"), publish("t-2")]
    answer = text(act(staff("view_task", "cancel_task"), TASKS, "cancel", *tasks))
    assert "Choose at most 1 at once; nothing was done." in answer
    assert set(Task.objects.values_list("state", flat=True)) == {"init"}


def test_without_a_hub_the_page_says_what_to_do(
    hub: HubHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = publish("t-1")
    monkeypatch.setattr(hub_runtime._process, "current", None)
    answer = text(act(staff("view_task", "cancel_task"), TASKS, "cancel", task))
    assert "Start the hub with manage.py runhub" in answer


def test_tasks_are_found_by_the_beginning_of_their_id_and_by_filters(
    hub: HubHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("order-1", "order-2", "Order-3", "mail-4"):
        publish(name)
    browser = staff("view_task", "cancel_task")
    act(browser, TASKS, "cancel", Task.objects.get(task_id="mail-4"))
    everything = {"order-1", "order-2", "Order-3", "mail-4"}
    assert shown(browser, TASKS) == everything
    assert shown(browser, TASKS, q=" order ") == {"order-1", "order-2"}
    assert shown(browser, TASKS, q="order-2") == {"order-2"}
    assert shown(browser, TASKS, q="%") == set()
    assert shown(browser, TASKS, outcome__exact="fail") == {"mail-4"}
    assert shown(browser, TASKS, state__exact="init") == everything - {"mail-4"}
    assert shown(browser, TASKS, age="15") == everything
    Task.objects.filter(task_id="order-1").update(created_at=1)
    assert shown(browser, TASKS, age="15") == everything - {"order-1"}
    assert shown(browser, TASKS, age="nonsense") == everything
    monkeypatch.setattr(task_pages, "NEWEST", 2)
    assert shown(browser, TASKS) == {"Order-3", "mail-4"}
    assert shown(browser, TASKS, q="order-1") == {"order-1"}, "a search is of all"
    monkeypatch.setattr(task_pages, "LISTED", 1)
    assert browser.get(reverse(TASKS)).context["cl"].result_count == 1


def test_no_list_reads_more_than_its_part_of_the_history(hub: HubHere) -> None:
    """Each statement on tasks is bounded by the key, by an index, or by a number of rows."""
    publish("order-1")
    browser = staff("view_task")
    for query in ({}, {"q": "order"}, {"state__exact": "end"}, {"age": "60"}):
        with CaptureQueriesContext(
            connection,
        ) as done:
            shown(browser, TASKS, **query)
        asked = [q["sql"] for q in done if 'FROM "hub_task"' in q["sql"]]
        assert len(asked) == 3 if "q" not in query else 2
        with connection.cursor() as cursor:
            for sql in asked:
                plan = cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
                steps = " ".join(str(step[-1]) for step in plan)
                searched = "SEARCH hub_task USING" in steps
                assert searched or "LIMIT 1" in sql, (sql, steps)
                assert "TEMP B-TREE" not in steps or "q" in query, (sql, steps)


def test_a_task_with_many_events_shows_the_newest(hub: HubHere) -> None:
    service = hub.service("mail", event="start")
    task = publish("t-1")
    service.hears(event="start")
    for number in range(task_pages.SHOWN + 10):
        service.say(cmd="pub", event="update", taskId="t-1", eventId=f"u{number}", update=number)
    service.hears(event="update", eventId=f"u{number}")
    answer = staff("view_task").get(page(task))
    assert len(answer.context["events"]) == task_pages.SHOWN
    assert answer.context["events"][0]["seq"] == task_pages.SHOWN + 12
    assert 'The newest 100; <a href="/tasks/t-1/">all of them' in text(answer)  # type: ignore[arg-type]


@pytest.fixture
def service(hub: HubHere) -> Connection:
    hub.service("mail")
    hub.run(hub.runtime.house.write_presence)
    return Connection.objects.get()


def test_connections_are_looked_at_and_closed_by_who_may(hub: HubHere, service: Connection) -> None:
    viewer = staff("view_connection")
    listed = text(viewer.get(reverse(CONNECTIONS)))  # type: ignore[arg-type]
    for word in ("service", "192.0.2.1", "a peer/1", "mail", "taskhub.v1"):
        assert word in listed
    url = reverse("admin:hub_connection_change", args=[service.pk])
    assert "mail" in text(viewer.get(url))  # type: ignore[arg-type]
    assert viewer.post(url, {"client": "x"}).status_code == 403
    act(viewer, CONNECTIONS, "disconnect", service)
    sink = hub.runtime.pipeline.router.sink(service.pk)
    assert sink is not None
    assert sink.closed is None  # type: ignore[attr-defined]


def test_a_connection_is_closed_by_who_may(hub: HubHere, service: Connection) -> None:
    closer = staff("view_connection", "disconnect_connection")
    answer = text(act(closer, CONNECTIONS, "disconnect", service))
    assert f"Disconnected: {service.pk} of service." in answer
    sink = hub.runtime.pipeline.router.sink(service.pk)
    assert sink is not None
    assert sink.closed == 4503  # type: ignore[attr-defined]


def test_clients_are_listed_with_their_connections(hub: HubHere, service: Connection) -> None:
    for name in ("service", "idle"):
        Client.objects.create(name=name)
    browser = staff("view_client", "change_client")
    rows = browser.get(reverse("admin:credentials_client_changelist")).context["cl"].result_list
    assert {row.name: row.connections for row in rows} == {"service": 1, "idle": 0}
    client = Client.objects.get(name="service")
    one = text(browser.get(reverse("admin:credentials_client_change", args=[client.pk])))  # type: ignore[arg-type]
    assert f'<a href="{reverse(CONNECTIONS)}?q=service">1</a>' in one
    assert '<a href="/">View site</a>' in one
