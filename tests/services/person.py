"""A person with a browser, over real HTTP: logs in, opens pages, sends forms."""

import html
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT_S = 20.0


class Person:
    """Logged in to the admin of a hub."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self.get("/admin/login/")
        self.post("/admin/login/?next=/admin/", username=name, password=password)

    def get(self, path: str) -> str:
        """A page."""
        return self._open(urllib.request.Request(self.base + path))

    def post(self, path: str, **fields: str) -> str:
        """Send a form; the page that answers it."""
        token = next(c.value for c in self._cookies if c.name == "csrftoken")
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token or ""}).encode()
        return self._open(urllib.request.Request(self.base + path, body))

    def act(self, pages: str, action: str, row: str) -> str:
        """Do an action of the admin with the row whose text or key is given."""
        listed = self.get(f"/admin/hub/{pages}/")
        found = re.search(rf'/admin/hub/{pages}/([^/"]+)/change/">{re.escape(row)}<', listed)
        assert found is not None, listed
        fields = {"action": action, "_selected_action": found[1]}
        return self.post(f"/admin/hub/{pages}/", **fields)

    def _open(self, request: urllib.request.Request) -> str:
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            return html.unescape(answer.read().decode())
