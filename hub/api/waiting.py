"""``Prefer: wait=N`` (RFC 7240) and ``?wait=N``: how long a request waits for the end."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rest_framework.request import Request

from hub.api.queries import MAX_WAIT_S, WaitQuery, read_query
from hub.conf import hub_settings

_WAIT: Final = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)

_lock = threading.Lock()
_waiting = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds, and whether they were a preference, whose use is told."""

    seconds: int
    preferred: bool


def wait_of(request: Request) -> Wait:
    """What the request says; the parameter before the header. Raises Refused."""
    query = read_query(request, WaitQuery)
    if "wait" in query:
        return Wait(query["wait"], preferred=False)
    for preference in str(request.headers.get("Prefer", "")).split(","):
        if found := _WAIT.fullmatch(preference):
            return Wait(min(int(found[1]), MAX_WAIT_S), preferred=True)
    return Wait(0, preferred=False)  # docs/protocol.md says nothing; RFC 7240: unknown is ignored


@contextmanager
def place(seconds: int) -> Iterator[int]:
    """A place to wait in, or 0 seconds when all are taken: waiting is a wish, and holds a thread."""
    global _waiting  # noqa: PLW0603
    if not seconds:
        yield 0
        return
    with _lock:
        free = _waiting < hub_settings().limits.api_waits
        _waiting += free
    try:
        yield seconds if free else 0
    finally:
        if free:
            with _lock:
                _waiting -= 1
