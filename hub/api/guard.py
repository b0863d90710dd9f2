"""Keys over HTTP, held to the limits of the socket's handshake (docs/protocol.md §2.2, §7).

Wrong keys are counted by name and address. Chosen keys cost a fifth of a second of CPU each: few
are hashed at once, few of an address wait, and the others are asked to come back.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from credentials import keys, selectors, services
from credentials.selectors import ClientGrants
from hub.admission import named, network, possible_name
from hub.api.callers import ClientCaller
from hub.api.problems import Refused
from hub.conf import hub_settings
from hub.core.errors import Code
from hub.windows import Failures

#: Slow hashes at a time.
HASHES: Final = 2
#: How long a request waits for its turn.
TURN_S: Final = 2.0
RETRY_AFTER_S: Final = 60
#: How often "last seen" of a key is written.
SEEN_INTERVAL_S: Final = 60.0
#: Keys whose last use is remembered; past it all are forgotten, which costs one more write each.
SEEN_CAPACITY: Final = 10_000

Find = Callable[[], ClientGrants | None]


class Guard:
    """One for each process. Used by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        limits = hub_settings().limits
        self._failures = Failures(limits.wrong_keys_per_name, limits.wrong_keys_per_address, clock)
        self._lock = threading.Lock()
        self._hashes = threading.BoundedSemaphore(HASHES)
        self._most_waiting = limits.unauthenticated_per_address
        self._waiting: Counter[str] = Counter()
        self._seen: dict[int, float] = {}
        self._clock = clock

    def by_name(self, pairs: Collection[tuple[str, str]], address: str) -> ClientCaller:
        """The client of the first pair of name and key that is right.

        Raises AuthenticationFailed, Refused.
        """
        slow = not all(keys.is_generated(key) for _, key in pairs)
        return self._check(named(pairs), network(address), lambda: _first_right(pairs), slow=slow)

    def by_bearer(self, key: str, address: str) -> ClientCaller:
        """The client whose key this is. Raises AuthenticationFailed, Refused."""
        return self._check(
            None, network(address), lambda: selectors.authenticate_bearer(key=key), slow=False
        )

    def _check(self, name: str | None, origin: str, find: Find, *, slow: bool) -> ClientCaller:
        with self._lock:
            if self._failures.too_many(name, origin):
                raise Refused(429, Code.LIMIT, "Too many wrong keys; wait a minute.", RETRY_AFTER_S)
        # Before the rights: a change between the two reads is then seen as one.
        revision = selectors.revision()
        if slow:
            with self._turn(origin):
                grants = find()
        else:
            grants = find()
        if grants is None:
            with self._lock:
                self._failures.add(name, origin)
            raise AuthenticationFailed("Unknown name or wrong key.")
        self._note_seen(grants.key_id)
        return ClientCaller.of(grants, revision)

    @contextmanager
    def _turn(self, origin: str) -> Iterator[None]:
        with self._lock:
            if self._waiting[origin] >= self._most_waiting:
                raise Refused(
                    429, Code.LIMIT, "Too many keys of this address are being checked; wait.", 1
                )
            self._waiting[origin] += 1
        try:
            if not self._hashes.acquire(timeout=TURN_S):
                raise Refused(
                    503, Code.UNAVAILABLE, "Too many keys are being checked; come back.", 1
                )
            try:
                yield
            finally:
                self._hashes.release()
        finally:
            with self._lock:
                self._waiting[origin] -= 1
                if not self._waiting[origin]:
                    del self._waiting[origin]

    def _note_seen(self, key_id: int) -> None:
        now = self._clock()
        with self._lock:
            if now - self._seen.get(key_id, float("-inf")) < SEEN_INTERVAL_S:
                return
            if len(self._seen) >= SEEN_CAPACITY:
                self._seen.clear()
            self._seen[key_id] = now
        services.note_seen(key_ids=[key_id], at=timezone.now())


def _first_right(pairs: Collection[tuple[str, str]]) -> ClientGrants | None:
    for name, key in pairs:
        # A name that cannot be is looked up too, as one that is not: it takes as long.
        found = selectors.authenticate(name=name if possible_name(name) else "", key=key)
        if found is not None:
            return found
    return None


_guards: list[Guard] = []
_making = threading.Lock()


def guard() -> Guard:
    """The guard of this process."""
    with _making:
        if not _guards:
            _guards.append(Guard())
        return _guards[0]
