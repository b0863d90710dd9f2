"""So many requests a minute of each caller, told in the RateLimit headers."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hub.api.callers import Caller, ClientCaller, StaffCaller
from hub.conf import hub_settings

WINDOW_S: Final = 60
#: Callers remembered at a time; the longest unseen go first.
CAPACITY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """What a caller has left. ``remaining`` below 0: this request was one too many."""

    limit: int
    remaining: int
    #: seconds until it is full again
    reset: int


class Windows:
    """Requests of each caller in its minute, which begins with its first one. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, identity: str, limit: int) -> Quota:
        """Count one request."""
        now = self._clock()
        with self._lock:
            began, taken = self._windows.get(identity, (now, 0))
            if now - began >= WINDOW_S:
                began, taken = now, 0
            taken = min(taken + 1, limit + 1)
            self._windows[identity] = (began, taken)
            self._windows.move_to_end(identity)
            if len(self._windows) > CAPACITY:
                self._windows.popitem(last=False)
        return Quota(limit, limit - taken, max(1, ceil(began + WINDOW_S - now)))


_windows = Windows()


class CallerThrottle(BaseThrottle):
    """A client's own rate (commands a second, set in the admin) holds here too, if it is lower."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Part of BaseThrottle."""
        caller = request.auth
        if not isinstance(caller, ClientCaller | StaffCaller):
            return True  # refused by other rules
        quota = _windows.take(caller.identity, _limit_of(caller))
        view.quota = quota
        self._wait = float(quota.reset)
        return quota.remaining >= 0

    def wait(self) -> float | None:
        """Part of BaseThrottle: seconds until there is room."""
        return self._wait


def _limit_of(caller: Caller) -> int:
    limit = hub_settings().limits.api_requests_per_minute
    if isinstance(caller, ClientCaller) and caller.grants.rate:
        return min(limit, caller.grants.rate * WINDOW_S)
    return limit


def tell_quota(response: HttpResponseBase, quota: Quota) -> None:
    """The fields of draft-ietf-httpapi-ratelimit-headers."""
    response["RateLimit-Policy"] = f'"caller";q={quota.limit};w={WINDOW_S}'
    response["RateLimit"] = f'"caller";r={max(quota.remaining, 0)};t={quota.reset}'
