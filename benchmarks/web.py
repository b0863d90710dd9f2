"""Somebody who asks a hub for pages over HTTP: one kept connection, one request at a time."""

import gzip
import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

#: A connection that was idle for longer is made anew.
KEPT_S = 2
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took until all of it was there."""

    status: int
    headers: dict[str, str]
    #: as it came: compressed, where the hub compresses
    body: bytes
    wall_ms: float

    def text(self) -> str:
        """The body as it was written."""
        packed = self.headers.get("content-encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()


class Visitor:
    """A browser or a program: takes compressed answers and keeps its connection."""

    def __init__(self, port: int, *, bearer: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Accept-Encoding": "gzip"}
        if bearer is not None:
            self._headers["Authorization"] = f"Bearer {bearer}"
        self._cookies: dict[str, str] = {}
        self._asked_at = time.monotonic()

    def get(self, address: str) -> Answer:
        """GET. Raises RuntimeError for an answer that is neither 200 nor a redirection."""
        return self._ask("GET", address)

    def sign_in(self, name: str, password: str) -> None:
        """Through the form, as a person does."""
        address = "/accounts/login/"
        token = _CSRF.search(self.get(address).text())
        if token is None:
            raise RuntimeError("the page to sign in has no form")
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token[1]}
        if self._ask("POST", address, urlencode(form)).status != 302:
            raise RuntimeError("the login was refused")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(self, method: str, address: str, form: str | None = None) -> Answer:
        headers = dict(self._headers)
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={at}" for name, at in self._cookies.items())
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if time.monotonic() - self._asked_at > KEPT_S:
            self._connection.close()  # or the hub has, and the next one would go nowhere
        began = time.perf_counter()
        self._connection.request(method, address, body=form, headers=headers)
        response = self._connection.getresponse()
        body = response.read()
        self._asked_at = time.monotonic()
        wall_ms = (time.perf_counter() - began) * 1e3
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        if response.status not in (200, 302):
            raise RuntimeError(f"{address} was answered by {response.status}: {body[:300]!r}")
        told = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, told, body, wall_ms)
