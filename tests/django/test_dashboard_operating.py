"""Cancel, publish again and disconnect: who may, what is asked first, what is said afterwards."""

import asyncio
import re
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
import taskhub
from django.test import Client as Browser

from hub.core.errors import Code, Rejection
from hub.selectors.connections import ConnectionRow
from hub.services import Operator
from tests.django.pages import ALL, page, person, post, task_make, text
from tests.hub_process import HubProcess

CANCEL, AGAIN, CLOSE = (
    "/tasks/task-1/cancel/",
    "/tasks/task-1/again/",
    "/connections/c-1/disconnect/",
)
NEEDS = {CANCEL: "cancel_task", AGAIN: "publish_task", CLOSE: "disconnect_connection"}
ROW = ConnectionRow(
    connection="c-1",
    client="mailer",
    address="10.0.0.1",
    protocol="legacy",
    agent="",
    since=1,
    subscriptions=(),
    busy=1,
    unsent=0,
    rate=0,
)

Calls = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, db: None, fast_hasher: None) -> Calls:
    """What the services were asked to do, in a hub that does it."""
    made: Calls = []
    answers = {
        "task_cancel": None,
        "task_publish_again": "task-new",
        "connection_disconnect": True,
    }
    for name, answer in answers.items():

        def service(name: str = name, answer: Any = answer, **given: Any) -> Any:
            made.append((name, given))
            return answer

        monkeypatch.setattr(f"hub.dashboard.operating.{name}", service)
    monkeypatch.setattr("hub.dashboard.operating.connections", lambda: [ROW])
    task_make(1, outcome=None)
    return made


@pytest.mark.parametrize("url", NEEDS)
def test_who_may_not_is_refused_whatever_is_sent(calls: Calls, url: str) -> None:
    without = person("eve", *(one for one in ALL if one != NEEDS[url]))
    assert without.get(url).status_code == 403
    assert post(without, url, "/").status_code == 403
    # Nor does the permission alone do, without that to look.
    assert person("bob", NEEDS[url]).get(url).status_code == 403
    assert Browser().post(url).status_code == 302
    assert calls == []
    shown = page(without, "/tasks/task-1/") + page(without, "/connections/")
    assert url not in shown


@pytest.mark.parametrize("url", NEEDS)
def test_nothing_is_done_by_looking_or_by_another_site(calls: Calls, url: str) -> None:
    ada = person("ada", *ALL)
    assert '<form method="post"' in page(ada, url)
    answer = ada.post(url)
    assert answer.status_code == 403
    assert "Nothing was changed" in text(answer)
    assert calls == []


@pytest.mark.parametrize(
    ("url", "call", "leads_to", "says"),
    [
        (CANCEL, "task_cancel", "/tasks/task-1/", "The task is cancelled."),
        (AGAIN, "task_publish_again", "/tasks/task-new/", "the old one is task-1"),
        (CLOSE, "connection_disconnect", "/connections/", "The connection is closed."),
    ],
)
def test_it_is_done_in_the_name_of_the_operator_and_said(
    calls: Calls, url: str, call: str, leads_to: str, says: str
) -> None:
    task_make(2, task_id="task-new")
    ada = person("ada", *ALL)
    answer = post(ada, url, url, reason=' not "needed" ')
    assert (answer.status_code, answer["Location"]) == (302, leads_to)
    ((name, given),) = calls
    assert name == call
    assert Operator(name="ada") in given.values()
    if call == "task_cancel":
        assert given["reason"] == '"not \\"needed\\""'
    assert says in text(ada.get(leads_to))


@pytest.mark.parametrize(
    ("url", "service"),
    [(CANCEL, "task_cancel"), (AGAIN, "task_publish_again"), (CLOSE, "connection_disconnect")],
)
def test_a_refusal_is_said_in_words(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, url: str, service: str
) -> None:
    def refuse(**given: Any) -> None:
        raise Rejection(Code.TASK_ENDED, "The task has ended <b>already</b>.")

    monkeypatch.setattr(f"hub.dashboard.operating.{service}", refuse)
    ada = person("ada", *ALL)
    answer = post(ada, url, url)
    assert answer.status_code == 302
    shown = page(ada, answer["Location"])
    assert "The task has ended &lt;b&gt;already&lt;/b&gt;." in shown
    assert "<b>" not in shown


def test_what_is_gone_is_not_asked_about(calls: Calls) -> None:
    ada = person("ada", *ALL)
    for url in ("/tasks/none/cancel/", "/tasks/none/again/", "/connections/none/disconnect/"):
        assert ada.get(url).status_code == 404
    assert calls == []


class Person:
    """Signed in at a real hub, with a browser that keeps cookies."""

    def __init__(self, hub: HubProcess) -> None:
        self._http = f"http://127.0.0.1:{hub.port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def _open(self, url: str, data: bytes | None = None) -> str:
        request = urllib.request.Request(self._http + url, data)
        request.add_header("Referer", self._http + "/")
        with self._opener.open(request, timeout=20) as answer:
            return str(answer.read().decode())

    def sign_in(self) -> None:
        """Through the form, as people do."""
        form = self._open("/accounts/login/")
        self._send("/accounts/login/", form, username="admin", password="secret", next="/")

    def _send(self, url: str, form: str, **fields: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert found is not None
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": found[1]})
        return self._open(url, data.encode())

    async def see(self, url: str) -> str:
        return await asyncio.to_thread(self._open, url)

    async def do(self, url: str, **fields: str) -> str:
        return await asyncio.to_thread(lambda: self._send(url, self._open(url), **fields))


async def test_an_operator_at_a_real_hub(tmp_path: Path) -> None:
    hub = HubProcess("uvicorn", tmp_path, TASKHUB_START_TIMEOUT_MS="5000").prepare()
    hub.sign_in(admin=["*"])
    hub.start()
    try:
        ada = Person(hub)
        await asyncio.to_thread(ada.sign_in)
        cancelled: asyncio.Queue[str] = asyncio.Queue()
        begun: asyncio.Queue[str] = asyncio.Queue()
        service = taskhub.Client(hub.url, name="a", key=hub.keys["a"])

        @service.sub("a:b", auto_cancel=True)
        async def work(job: taskhub.Job) -> None:
            begun.put_nowait(job.task_id)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.put_nowait(job.task_id)
                raise

        async with service, taskhub.Client(hub.url, name="web", key=hub.keys["web"]) as web:
            task = web.pub("a:b", {"n": 1})
            old = await asyncio.wait_for(begun.get(), 10)
            shown = await ada.do(f"/tasks/{old}/cancel/", reason="enough")
            assert "The task is cancelled." in shown
            assert await asyncio.wait_for(cancelled.get(), 10) == old
            with pytest.raises(taskhub.TaskFailed, match="Cancelled by operator admin"):
                await task
            shown = await ada.do(f"/tasks/{old}/cancel/")
            assert "Not cancelled" in shown
            shown = await ada.do(f"/tasks/{old}/again/")
            new = await asyncio.wait_for(begun.get(), 10)
            assert new != old
            assert "Published again by admin" in shown
            assert f'/tasks/{old}/"' in shown
            assert f'/tasks/{new}/"' in await ada.see(f"/tasks/{old}/")
            connections = await ada.see("/connections/")
            (close, *_) = re.findall(r'href="(/connections/[^"]+/disconnect/)"', connections)
            assert "The connection is closed." in await ada.do(close)
            await ada.do(f"/tasks/{new}/cancel/")
    finally:
        hub.close()
    assert hub.troubles() == ""
