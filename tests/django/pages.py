"""People in front of the dashboard, and a history for them to look at."""

import html
import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client as Browser

from hub.clock_and_ids import wall_clock
from hub.core.values import EventKind, ParticipantState, TaskState
from hub.models import Participation, Task, TaskEvent

PASSWORD = "a-long-password-of-a-person"
#: what each page needs, and what an operator may do
LOOKING = ("view_task",)
ALL = (
    "view_task",
    "view_payload",
    "cancel_task",
    "publish_task",
    "view_connection",
    "disconnect_connection",
)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
NOW = wall_clock()


def person(name: str, *permissions: str) -> Browser:
    """Signed in with these permissions of ``hub``; CSRF is enforced."""
    user = User.objects.create_user(name, password=PASSWORD)
    found = Permission.objects.filter(content_type__app_label="hub", codename__in=permissions)
    assert found.count() == len(permissions), permissions
    user.user_permissions.set(found)
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    return browser


def text(answer: Any) -> str:
    """The page as people read it: no tags, blanks as one."""
    body = re.sub(r"<[^>]*>", " ", answer.content.decode())
    return " ".join(html.unescape(body).split())


def token(browser: Browser, url: str) -> str:
    """The CSRF token of a page's first form."""
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page(browser, url))
    assert found is not None
    return found[1]


def page(browser: Browser, url: str) -> str:
    """The HTML of a page that answers."""
    answer = browser.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    return answer.content.decode()


def post(browser: Browser, url: str, form: str, **data: str) -> HttpResponse:
    """Send the form of that page to ``url``."""
    sent = {**data, "csrfmiddlewaretoken": token(browser, form)}
    return browser.post(url, sent)  # type: ignore[return-value]


def task_make(
    key: int,
    *,
    action: str = "email:send",
    task_id: str = "",
    publisher: str = "web",
    service: str | None = "mailer",
    outcome: TaskState | None = TaskState.SUCCESS,
    payload: str = '{"to": "ada"}',
    body: str = '"sent"',
    by: str | None = None,
    update: str | None = None,
    ago: int = 60_000,
) -> Task:
    """A task as the journal stores it: published ``ago`` ms ago, started 10 ms later, done in 1 s.

    ``service`` None: nobody was subscribed. ``outcome`` None: still at work.
    """
    at = NOW() - ago
    started = None if service is None else at + 10
    settled = None if outcome is None else at + 1_000
    kinds: list[tuple[EventKind, int, str, str | None, TaskState]]
    kinds = [(EventKind.INIT, at, publisher, payload, TaskState.INIT)]
    if started is not None and service is not None:
        kinds.append((EventKind.START, started, service, None, TaskState.START))
    if update is not None and service is not None:
        kinds.append((EventKind.UPDATE, at + 20, service, update, TaskState.START))
    if settled is not None and outcome is not None:
        kinds.append((EventKind(outcome.value), settled, by or service or "hub", body, outcome))
        kinds.append((EventKind.END, settled, "hub", None, TaskState.END))
    task = Task.objects.create(
        id=key,
        task_id=task_id or f"task-{key}",
        action=action,
        publisher=publisher,
        connection="c-1",
        state=kinds[-1][4],
        outcome=outcome or "",
        seq=len(kinds),
        created_at=at,
        started_at=started,
        settled_at=settled,
        ended_at=settled,
        settled_seq=None if outcome is None else len(kinds) - 1,
        start_timeout=100,
        end_timeout=600_000,
        start_deadline=at + 100,
        end_deadline=at + 600_000,
        settle="any",
        expect="result",
        claim=False,
    )
    for seq, (kind, when, who, what, state) in enumerate(kinds, start=1):
        TaskEvent.objects.create(
            task=task,
            seq=seq,
            kind=kind,
            event_id=f"e{key}-{seq}",
            at=when,
            by=who,
            state=state,
            body=what,
            participant=int(who == service),
        )
    if service is not None:
        states = {
            TaskState.SUCCESS: ParticipantState.SUCCEEDED,
            TaskState.FAIL: ParticipantState.FAILED,
        }
        Participation.objects.create(
            task=task,
            number=1,
            client=service,
            connection="c-2",
            group=False,
            state=states[outcome] if outcome else ParticipantState.STARTED,
            offered_at=at,
            started_at=started,
            done_at=settled,
            body=None if outcome is None else body,
        )
    return task
