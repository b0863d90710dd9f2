"""What each page shows, to whom, and that it stays quick, small and harmless."""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from django.http import QueryDict
from django.test import Client as Browser
from django.urls import resolve, reverse
from pytest_django import DjangoAssertNumQueries

from hub.core import reasons
from hub.core.values import TaskState
from hub.dashboard.page import Viewer
from hub.dashboard.pages.connections import REASONS
from hub.dashboard.pages.tasks import TasksPage
from hub.router.feed import Changes
from hub.selectors import connections as connected
from tests.django.pages import ALL, HOSTILE, LOOKING, page, person, task_make, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fast_hasher")]

PAGES = ("/", "/tasks/", "/tasks/task-1/", "/actions/", "/actions/email:send/", "/connections/")
STATIC = Path(__file__).resolve().parents[2] / "hub" / "dashboard" / "static" / "dashboard"
FAIL, SUCCESS = TaskState.FAIL, TaskState.SUCCESS
#: session, user and permissions
SIGNED_IN = 4


@pytest.fixture
def operator() -> Browser:
    return person("ada", *ALL)


@pytest.fixture
def reader() -> Browser:
    return person("eve", *LOOKING)


@pytest.mark.parametrize("url", PAGES)
def test_who_is_signed_out_is_led_to_the_login_and_back(url: str) -> None:
    task_make(1)
    answer = Browser().get(url)
    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('login')}?next={quote(url)}"


@pytest.mark.parametrize("url", PAGES)
def test_a_login_without_permissions_sees_no_page(url: str) -> None:
    task_make(1)
    answer = person("nobody").get(url)
    assert answer.status_code == 403
    assert "Not for this login" in text(answer)


@pytest.mark.parametrize("url", [one for one in PAGES if one != "/connections/"])
def test_a_reader_sees_pages_without_buttons_and_contents(reader: Browser, url: str) -> None:
    task_make(1, payload='{"secret": "payload"}', body='"secret result"', update='"secret update"')
    task_make(2, outcome=None)
    shown = page(reader, url)
    assert "secret" not in shown
    assert "data-dialog" not in shown
    assert re.findall(r'<form method="post" action="([^"]+)"', shown) == [reverse("logout")]
    assert reader.get("/connections/").status_code == 403


@pytest.mark.parametrize("url", PAGES)
def test_pages_obey_their_own_policy(operator: Browser, url: str) -> None:
    task_make(1)
    answer = operator.get(url)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    shown = answer.content.decode()
    assert not re.search(r"<[^>]+ style=", shown)
    assert not re.search(r"<[^>]+ on\w+=", shown)
    assert "<style" not in shown
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", shown))
    assert set(answer["Cache-Control"].split(", ")) == {"no-cache", "private"}


@pytest.mark.parametrize("url", ["/", "/tasks/", "/actions/", "/connections/"])
def test_an_empty_hub_teaches_the_next_step(operator: Browser, url: str) -> None:
    shown = page(operator, url)
    assert "taskhub" in shown
    assert 'class="empty"' in shown


def test_payloads_reasons_and_names_are_text(operator: Browser) -> None:
    hostile = json.dumps({HOSTILE: HOSTILE, "list": [HOSTILE]})
    task_make(
        1,
        action=HOSTILE[:200],
        service=HOSTILE[:60],
        publisher=HOSTILE[:60],
        payload=hostile,
        body=hostile,
        update=hostile,
        outcome=FAIL,
        ago=5_000,
    )
    names = ["/", "/tasks/", "/tasks/task-1/", "/tasks/task-1/body/1/", "/actions/?range=24h"]
    for url in names:
        shown = page(operator, url)
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "alert(1)" in shown, url
    again = page(operator, f"/tasks/?q={HOSTILE}&state={HOSTILE}&range={HOSTILE}")
    assert "<script>alert" not in again
    assert page(operator, "/actions/<script>alert(1)<\\script>/").count("<script>") == 0


def test_a_hidden_payload_tells_its_size_and_the_hubs_own_word(reader: Browser) -> None:
    reason = '{"code": "cancelled", "message": "Cancelled by web.", "reason": "SECRET"}'
    task_make(1, outcome=FAIL, by="hub", body=reason)
    shown = page(reader, "/tasks/task-1/")
    assert "cancelled: Cancelled by web." in shown
    assert "SECRET" not in shown
    for url in ("/tasks/task-1/body/1/", "/tasks/task-1/body/1/download/"):
        assert reader.get(url).status_code == 403


def test_reasons_cannot_be_searched_by_who_may_not_see_them(
    reader: Browser, operator: Browser
) -> None:
    task_make(1, outcome=FAIL, body='"card declined"')
    for word, shows in (("declined", True), ("nothing-like-it", False)):
        assert ("row-1" in page(operator, f"/tasks/?q=reason:{word}")) is shows
        seen = page(reader, f"/tasks/?q=reason:{word}")
        assert "row-1" in seen
        assert "view payload" in seen


def test_a_large_body_is_cut_loaded_whole_and_downloaded_as_it_came(operator: Browser) -> None:
    payload = json.dumps({"text": "ä" * 40_000, "last": 0.10}, ensure_ascii=False)
    task_make(1, payload=payload)
    shown = page(operator, "/tasks/task-1/")
    assert "Load all 78.1 KiB" in shown
    assert len(shown) < 60_000
    whole = page(operator, "/tasks/task-1/body/1/")
    assert "ä" * 40_000 in whole
    answer = operator.get("/tasks/task-1/body/1/download/")
    assert answer.content.decode() == payload
    assert answer["Content-Disposition"] == 'attachment; filename="task-1-1.json"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    for missing in ("/tasks/task-1/body/2/", "/tasks/task-1/body/99/", "/tasks/x/body/1/"):
        assert operator.get(missing).status_code == 404


def test_the_list_by_state_time_and_words(operator: Browser) -> None:
    task_make(1, ago=3 * 3_600_000)
    task_make(2, outcome=FAIL, publisher="shop", body='"no"')
    task_make(3, outcome=None, update='{"done": 3, "total": 10}')
    task_make(4, action="report:build")

    def keys(query: str) -> list[str]:
        return re.findall(r'id="row-(\d+)"', page(operator, f"/tasks/{query}"))

    assert keys("") == ["4", "3", "2", "1"]
    assert keys("?state=failed") == ["2"]
    assert keys("?state=running") == ["3"]
    assert keys("?range=1h") == ["4", "3", "2"]
    assert keys("?q=client:shop") == ["2"]
    assert keys("?q=action:report&state=succeeded&range=24h") == ["4"]
    assert keys("?q=action:report&state=failed") == []
    shown = page(operator, "/tasks/?state=running&range=1h&q=client:web")
    assert '<progress max="10" value="3" aria-label="Progress"></progress> 3 of 10' in shown
    assert "?q=client%3Aweb&amp;range=1h&amp;state=failed" in shown
    chips = re.sub(
        r"<[^>]*>",
        "",
        shown[shown.index('id="states"') : shown.index("</nav>", shown.index('id="states"'))],
    )
    assert " ".join(chips.split()).endswith("all waiting 0 running 1 succeeded 1 failed 0")


def test_problems_of_a_search_are_said_in_words(operator: Browser) -> None:
    shown = page(operator, "/tasks/?q=colour:red")
    assert "There is no word colour:" in shown


@pytest.mark.parametrize(
    "query",
    [
        "before=abc",
        "before=-1",
        "before=99999999999999999999999",
        "at=x",
        "at=²",
        "range=zz",
        "state=zz",
        "q=%00",
        "q=" + "x" * 5_000,
        "from=x",
        "client=%00",
        "q=since:99999999999w",
        "before=0",
        "at=0",
        "before=1&before=2",
        "from=0",
        "q=%F0%9F%98%80",
        "%ff=%fe",
    ],
)
@pytest.mark.parametrize("url", PAGES)
def test_no_query_string_breaks_a_page(operator: Browser, url: str, query: str) -> None:
    task_make(1)
    page(operator, f"{url}?{query}")


@pytest.mark.parametrize(
    "url", ["/tasks/none/", "/tasks/%00/", f"/tasks/{'x' * 300}/", "/actions/%00/", "/nowhere/"]
)
def test_what_is_not_there_is_404(operator: Browser, url: str) -> None:
    answer = operator.get(url)
    assert answer.status_code == 404
    assert "There is nothing here" in text(answer)


def test_older_and_newest_pages(operator: Browser) -> None:
    for key in range(1, 61):
        task_make(key)
    first = page(operator, "/tasks/?state=succeeded")
    assert first.count('id="row-') == 50
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = page(operator, older.replace("&amp;", "&"))
    assert re.findall(r'id="row-(\d+)"', second) == [str(key) for key in range(10, 0, -1)]
    assert 'rel="first"' in second
    assert 'rel="next"' not in second


def test_new_tasks_are_counted_and_do_not_move_the_list(operator: Browser) -> None:
    task_make(1)
    task_make(2)
    shown = page(operator, "/tasks/?at=1")
    assert re.findall(r'id="row-(\d+)"', shown) == ["1"]
    assert ">1 new task<" in shown
    assert 'id="row-2"' not in page(operator, "/tasks/?at=1&before=99")
    assert 'data-at="1"' in shown
    assert re.search(r'id="new-tasks"[^>]*hidden', page(operator, "/tasks/"))


def test_how_far_a_task_is_is_told_to_who_may_read_its_updates(db: None) -> None:
    task_make(1, outcome=None, update='{"done": 3, "total": 10}')
    ada, bob = person("ada", "view_task", "view_payload"), person("bob", "view_task")
    for url in ("/", "/tasks/", "/tasks/task-1/", "/actions/email:send/"):
        assert "3 of 10" in page(ada, url)
        assert "3 of 10" not in page(bob, url)


def viewer(*may: str) -> Viewer:
    flags = (
        "view_task",
        "view_payload",
        "cancel_task",
        "publish_task",
        "view_connection",
        "disconnect",
        "staff",
    )
    return Viewer(name="ada", **{flag: flag in may for flag in flags})


def changes(*keys: int, overflowed: bool = False) -> Changes:
    return Changes(tasks=dict.fromkeys(keys, 1), actions=frozenset(), overflowed=overflowed)


def test_fragments_are_the_elements_of_the_page(operator: Browser) -> None:
    task_make(1, update='{"done": 1, "total": 2}', outcome=None)
    task_make(2, outcome=FAIL)
    everything = viewer("view_task", "view_payload", "view_connection", "cancel_task")
    for url in PAGES:
        shown = page(operator, url)
        match = resolve(url)
        made = match.func.page_class(everything, QueryDict("at=2"), **match.kwargs)  # type: ignore[attr-defined]
        fragments = made.fragments(None)
        assert fragments, url
        for name, html in fragments.items():
            assert f'id="{name}"' in html[: html.index(">")], (url, name)
            assert f'id="{name}"' in shown or not html.strip(), (url, name)
            assert "data-fragment" in html[: html.index(">")], (url, name)


def test_only_changed_rows_are_told_again() -> None:
    for key in (1, 2, 3):
        task_make(key)
    made = TasksPage(viewer("view_task"), QueryDict("at=2"))
    assert {"row-1", "row-2"} <= made.fragments(None).keys()
    assert "row-3" not in made.fragments(None)
    told = made.fragments(changes(2, 3))
    assert "row-2" in told
    assert "row-1" not in told
    assert "1 new task" in told["new-tasks"]
    assert {"row-1", "row-2"} <= made.fragments(changes(overflowed=True)).keys()


def test_a_page_of_one_task_tells_of_new_events() -> None:
    task = task_make(1, outcome=None)
    match = resolve("/tasks/task-1/")
    made = match.func.page_class(viewer("view_task"), QueryDict(), **match.kwargs)  # type: ignore[attr-defined]
    assert made.task == task.pk
    assert "event-3" not in made.fragments(None)
    task.events.create(
        seq=3,
        kind="update",
        event_id="u",
        at=task.created_at + 30,
        by="mailer",
        state="start",
        body="1",
        participant=1,
    )
    type(task).objects.filter(pk=1).update(seq=3)
    told = made.fragments(changes(1))
    assert 'data-into="events"' in told["event-3"]
    assert "event-2" not in told
    type(task).objects.filter(pk=1).delete()
    assert made.fragments(changes(1)) == {}


def test_the_task_page(operator: Browser) -> None:
    task_make(1, outcome=None, update='{"done": 1, "total": 4}')
    task_make(
        2, service=None, outcome=FAIL, by="hub", body='{"code":"no-subscriber","message":"x"}'
    )
    running = page(operator, "/tasks/task-1/")
    assert "1 of 4" in running
    assert "/tasks/task-1/cancel/" in running
    assert "started after 10 ms" in running
    assert "client.task(&quot;task-1&quot;)" in running or 'client.task("task-1")' in running
    assert "taskhub watch --task task-1" in running
    ended = page(operator, "/tasks/task-2/")
    assert 'href="/tasks/task-2/cancel/"' not in ended
    assert "Nobody was subscribed to" in ended


def test_what_needs_attention(operator: Browser) -> None:
    for key in (1, 2):
        task_make(key, outcome=FAIL, body='"no"')
    task_make(
        3,
        service=None,
        action="fax:send",
        outcome=FAIL,
        by="hub",
        body=reasons.NO_SUBSCRIBER,
    )
    task_make(4, outcome=None, action="slow:work", ago=590_000)
    shown = text(operator.get("/"))
    assert "fax:send 1 task without a subscriber in the last hour" in shown
    assert "email:send 2 of 2 failed in the last hour (100 %)" in shown
    assert "fax:send 1 of 1 failed" not in shown
    assert "slow:work task-4 its deadline is in" in shown


def test_actions_are_a_tree_of_nouns(operator: Browser) -> None:
    for key, action in enumerate(("email:send", "email/address:validate", "odd"), start=1):
        task_make(key, action=action, outcome=FAIL if key == 1 else SUCCESS)
    shown = page(operator, "/actions/")
    assert re.findall(r'class="l(\d)"><a[^>]*>([^<]+)<', shown) == [
        ("0", "email"),
        ("1", "address"),
        ("2", "validate"),
        ("1", "send"),
        ("0", "odd"),
    ]
    assert "1 (50 %)" in shown
    assert "style=" not in shown


def test_connections_and_refusals(operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    row = connected.ConnectionRow(
        connection="c-9",
        client="mailer",
        address="10.0.0.1",
        protocol="taskhub.v1",
        agent=HOSTILE,
        since=1_700_000_000_000,
        subscriptions=("email", "sms:send"),
        busy=2,
        unsent=2_048,
        rate=1.5,
    )
    refused = connected.RefusalRow(
        at=1_700_000_000_000, address="10.0.0.9", name="eve", reason="wrong-key", status=401
    )
    monkeypatch.setattr("hub.dashboard.pages.connections.connections", lambda client=None: [row])
    monkeypatch.setattr("hub.dashboard.pages.connections.refusals", lambda: [refused])
    shown = page(operator, "/connections/")
    for part in ("mailer", "10.0.0.1", "sms:send", "2 KiB", "1.5", "/connections/c-9/disconnect/"):
        assert part in shown
    assert REASONS["wrong-key"] in shown
    assert "<script>alert" not in shown
    looker = person("lou", "view_connection", "view_task")
    assert "Disconnect" not in page(looker, "/connections/")


@pytest.mark.parametrize(
    ("url", "most"),
    [("/", 34), ("/tasks/", 16), ("/tasks/task-1/", 16), ("/actions/", 10), ("/connections/", 3)],
)
def test_queries_do_not_grow_with_rows(
    operator: Browser, url: str, most: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for key in range(1, 31):
        task_make(key, action=f"a{key}:b", outcome=FAIL if key % 2 else None)
    page(operator, url)  # templates are read once
    with django_assert_max_num_queries(SIGNED_IN + most):
        page(operator, url)


def test_the_first_page_is_small(operator: Browser) -> None:
    for key in range(1, 61):
        task_make(key, action=f"noun{key}/deeper:verb", outcome=FAIL if key % 2 else SUCCESS)
    answer = operator.get("/", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    weights = {"html": len(answer.content)}
    for path in STATIC.rglob("*"):
        if path.suffix in {".css", ".js", ".svg"}:
            weights[path.name] = len(gzip.compress(path.read_bytes(), 6))
    assert sum(weights.values()) < 60 * 1024, weights
    assert weights["app.css"] < 5 * 1024


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_pages_of_errors_need_nothing(status: int) -> None:
    from django.template import loader

    shown = loader.get_template(f"{status}.html").render()
    assert "<h1>" in shown
    assert "style=" not in shown
