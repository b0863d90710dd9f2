"""``Prefer: wait=N`` (RFC 7240) and ``?wait=N``: how long a request waits for the end."""

import re
from dataclasses import dataclass
from typing import Final

from rest_framework.request import Request

from hub.api.queries import MAX_WAIT_S, WaitQuery, read_query

_WAIT: Final = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)


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
    # RFC 7240: a preference that is not understood is ignored.
    for preference in str(request.headers.get("Prefer", "")).split(","):
        if found := _WAIT.fullmatch(preference):
            return Wait(min(int(found[1]), MAX_WAIT_S), preferred=True)
    return Wait(0, preferred=False)
