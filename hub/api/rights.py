"""Whether who reads a stream may still do so: true within a second (docs/protocol.md §2.8).

Of staff within six: their sessions are read anew each five.
"""

import threading
import time
from typing import Any, Final

from django.utils import timezone

from credentials import selectors
from hub.api.callers import VIEW_PAYLOAD, VIEW_TASK, Caller, ClientCaller, StaffCaller
from hub.selectors import tasks
from hub.signed_in import user_by_session

#: All streams of a process share one look at the revision.
REVISION_AGE_S: Final = 0.25
#: How often a session is read anew: Django's permissions have no revision.
SESSION_INTERVAL_S: Final = 5.0


class Rights:
    """Of one reader to one task. Blocking; one call at a time."""

    def __init__(self, caller: Caller, task_id: str) -> None:
        self._caller = caller
        self._task_id = task_id
        self._bodies = caller.may(VIEW_PAYLOAD)
        self._looked_at = time.monotonic()

    def hold(self) -> bool:
        """Whether they still do."""
        caller = self._caller
        if isinstance(caller, ClientCaller):
            return self._client(caller)
        now = time.monotonic()
        if now - self._looked_at < SESSION_INTERVAL_S:
            return True
        self._looked_at = now
        return self._staff(caller)

    def _client(self, caller: ClientCaller) -> bool:
        expires = caller.grants.key_expires_at
        if expires is not None and expires <= timezone.now():
            return False
        revision = _revision()
        if revision == caller.revision:
            return True
        grants = selectors.current_grants(key_ids=[caller.grants.key_id])
        current = grants.get(caller.grants.key_id)
        if current is None or current.name != caller.grants.name:
            return False
        self._caller = ClientCaller.of(current, revision)
        return tasks.task_find(self._task_id, viewer=self._caller.viewer) is not None

    def _staff(self, caller: StaffCaller) -> bool:
        if caller.session_key is None:
            return False
        user: Any = user_by_session(caller.session_key)
        if not user.is_authenticated:
            return False
        now = StaffCaller(user=user, session_key=caller.session_key)
        return now.may(VIEW_TASK) and (now.may(VIEW_PAYLOAD) or not self._bodies)


_lock = threading.Lock()
_seen = (float("-inf"), 0)


def _revision() -> int:
    global _seen  # noqa: PLW0603
    with _lock:
        read_at, value = _seen
        now = time.monotonic()
        if now - read_at >= REVISION_AGE_S:
            value = selectors.revision()
            _seen = (now, value)
        return value
