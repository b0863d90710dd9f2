"""Requests to a hub's API, as a program sends them: bytes in, bytes out."""

import base64
import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode

from tests.hub_process import HubProcess

TIMEOUT_S = 20.0
ROOT = "/api/v1/"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    #: names in small letters
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The body as a problem of this status and code, with all its members."""
        assert self.headers["content-type"] == "application/problem+json", self
        document: dict[str, Any] = self.json
        assert (self.status, document["status"], document["code"]) == (status, status, code), self
        assert document["type"] == f"/docs/api.md#{code}"
        assert document["title"]
        assert document["detail"]
        assert document["retry"] is ("retry-after" in self.headers)
        return document


@dataclass
class Api:
    """One caller of one hub."""

    hub: HubProcess
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, hub: HubProcess, name: str) -> Self:
        """A client of the hub, by Basic."""
        return cls(hub, {"Authorization": basic(name, hub.keys[name])})

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; a body that is not bytes is sent as JSON. ``a_b`` is the header ``a-b``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=TIMEOUT_S)
        try:
            target = path if path.startswith("/") else ROOT + path
            connection.request(method, target, data, {**self.headers, **given})
            response = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in response.getheaders():  # Set-Cookie comes once for each
                known = found.get(name.lower())
                found[name.lower()] = value if known is None else f"{known}\n{value}"
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Answer:
        """GET with these parameters."""
        named = {name.rstrip("_"): value for name, value in query.items()}
        return self.call("GET", f"{path}?{urlencode(named)}" if named else path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST."""
        return self.call("POST", path, body, **headers)

    def publish(self, action: str, payload: Any = None, **more: Any) -> str:
        """Publish a task; its id."""
        answer = self.post("tasks/", {"action": action, "payload": payload, **more})
        assert answer.status == 201, answer
        return str(answer.json["taskId"])

    def walk(self, path: str, items: str, **query: Any) -> Iterator[list[Any]]:
        """All pages of a list, by their ``next``."""
        answer = self.get(path, **query)
        while True:
            assert answer.status == 200, answer
            yield answer.json[items]
            following = answer.json["next"]
            assert (f'<{following}>; rel="next"' == answer.headers.get("link")) is bool(following)
            if following is None:
                return
            answer = self.get(following.removeprefix(f"http://127.0.0.1:{self.hub.port}"))


def basic(name: str, key: str) -> str:
    """The header's value."""
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


def signed_in(hub: HubProcess, name: str) -> Api:
    """A person of the staff, by the login of the admin; writes bring the CSRF token."""
    api = Api(hub)
    form = api.get("/admin/login/")
    token = _cookie(form, "csrftoken")
    fields = {"username": name, "password": "staff-password", "csrfmiddlewaretoken": token}
    done = api.call(
        "POST",
        "/admin/login/?next=/admin/",
        urlencode(fields, quote_via=quote).encode(),
        Content_Type="application/x-www-form-urlencoded",
        Cookie=f"csrftoken={token}",
    )
    assert done.status == 302, done
    token = _cookie(done, "csrftoken")
    cookies = f"sessionid={_cookie(done, 'sessionid')}; csrftoken={token}"
    return Api(hub, {"Cookie": cookies, "X-CSRFToken": token})


def _cookie(answer: Answer, name: str) -> str:
    found = re.search(rf"{name}=([^;\n]+)", answer.headers["set-cookie"])
    assert found, answer
    return found[1]
