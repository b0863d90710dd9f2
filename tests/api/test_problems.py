"""Errors are problem documents, whatever goes wrong, and each code is documented."""

import re

import pytest

from hub.api.problems import CODES, STATUS
from hub.core.errors import Code
from tests.api.conftest import Start
from tests.api.http import Api
from tests.hub_process import ROOT


def test_there_is_nothing_elsewhere(web: Api) -> None:
    for path in (
        "/api/",
        "/api/v1/",
        "/api/v2/tasks/",
        "nothing/",
        "tasks/a b/".replace(" ", "%20"),
    ):
        web.get(path).problem(404, "not-found")
    assert "slash" in web.get("tasks").problem(404, "not-found")["detail"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods(web: Api, method: str) -> None:
    answer = web.call(method, "tasks/")
    answer.problem(405, "bad-method")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_other_media_types(web: Api) -> None:
    web.call("GET", "tasks/", Accept="text/html").problem(406, "not-acceptable")
    assert web.call("GET", "tasks/", Accept="application/*").status == 200
    web.get("tasks/", format="json").problem(400, "bad-field")


def test_head(web: Api) -> None:
    answer = web.call("HEAD", "tasks/")
    assert (answer.status, answer.body) == (200, b"")


def test_every_answer_is_for_its_asker_only(web: Api) -> None:
    for answer in (web.get("tasks/"), web.get("tasks/", x=1), Api(web.hub).get("tasks/")):
        assert answer.headers["cache-control"] == "no-store"
        assert {"Authorization", "Cookie"} <= set(answer.headers["vary"].split(", "))
        assert "access-control-allow-origin" not in answer.headers
    preflight = web.call(
        "OPTIONS", "tasks/", Origin="http://evil.example", Access_Control_Request_Method="POST"
    )
    assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_a_fault_of_the_hub_is_told_without_its_cause(start: Start) -> None:
    hub = start(sabotage="tests.api.sabotage:broken_lists")
    web = Api.of(hub, "web")
    answer = web.get("tasks/")
    answer.problem(500, "unavailable")
    assert b"secret" not in answer.body
    assert "a secret of the database" in hub.log_since(0)
    web.publish("x:y")


def test_every_code_has_a_status_and_a_heading() -> None:
    assert set(STATUS) == set(Code)
    page = (ROOT / "docs" / "api.md").read_text()
    headings = re.findall(r"^#+ `?([a-z-]+)`?$", page, re.MULTILINE)
    assert [code for code in CODES if code not in headings] == []
