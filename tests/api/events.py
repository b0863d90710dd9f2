"""A reader of server-sent events, as WHATWG's HTML has it for EventSource."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.api.http import ROOT, TIMEOUT_S, Answer, Api


@dataclass(frozen=True)
class Event:
    """One event."""

    id: str
    name: str
    data: str


class EventStream:
    """An open stream. Blocking; leaving it drops the connection."""

    def __init__(self, api: Api, path: str, *, last: str | None = None) -> None:
        headers = {**api.headers, "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        self._connection = http.client.HTTPConnection("127.0.0.1", api.hub.port, timeout=TIMEOUT_S)
        self._connection.request("GET", ROOT + path, headers=headers)
        self._response = self._connection.getresponse()
        self.status = self._response.status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._response.close()
        self._connection.close()

    def answer(self) -> Answer:
        """What came instead of a stream."""
        headers = {name.lower(): value for name, value in self._response.getheaders()}
        return Answer(self.status, headers, self._response.read())

    def lines(self) -> Iterator[str]:
        """Lines as they come, until the stream ends."""
        while line := self._response.readline():
            yield line.decode().removesuffix("\n")

    def events(self) -> Iterator[Event]:
        """Events as they come, until the stream ends, however it ends."""
        found: dict[str, Any] = {"data": []}
        try:
            for line in self.lines():
                if not line:
                    if found["data"]:
                        data = "\n".join(found["data"])
                        yield Event(found.get("id", ""), found.get("event", "message"), data)
                    found = {"data": []}
                    continue
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "data":
                    found["data"].append(value)
                elif name:
                    found[name] = value
        except (OSError, http.client.HTTPException):
            return

    def take(self, count: int) -> list[Event]:
        """The next events."""
        events = self.events()
        return [event for _, event in zip(range(count), events, strict=False)]
