"""Chosen keys: hashed slowly like passwords, and yet fast when many connections return at once.

A hash takes about 0.2 s of CPU on purpose. After a restart of the hub a hundred connections come
back with the same right key: it is hashed once, the others wait for that answer, and later ones
find it remembered. What is remembered is not the key but an HMAC of it under a secret of this
process. A wrong key is never remembered, so guessing costs the full hash each time.
"""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from django.contrib.auth.hashers import check_password, make_password

#: Right keys remembered by one process, about 200 bytes each; the longest unused goes first.
CAPACITY: Final = 1_024

Hash = Callable[[str | None, str], bool]


def hash_and_compare(encoded: str | None, presented: str) -> bool:
    """One password hash, whatever the answer. `encoded` None is nobody's key: always False."""
    if encoded is None:
        make_password(presented)
        return False
    return check_password(presented, encoded)


class ChosenKeyVerifier:
    """Answers whether a chosen key is right. Thread-safe.

    It starts no threads: as many different keys are hashed at once as there are threads calling,
    so the caller bounds the CPU spent on strangers by the size of its pool.
    """

    def __init__(self, *, capacity: int = CAPACITY, compare: Hash = hash_and_compare) -> None:
        self._capacity = capacity
        self._compare = compare
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._running: dict[bytes, Future[bool]] = {}

    def verify(self, *, name: str, encoded: str | None, presented: str) -> bool:
        """Whether `presented` is the key stored as `encoded` for the client of that name.

        Pass None as `encoded` when there is no such client or key: it takes as long as a wrong
        key does, alone or asked for many times at once, so the time says nothing.
        """
        tag = self._tag(name, encoded, presented)
        with self._lock:
            if tag in self._right:
                self._right.move_to_end(tag)
                return True
            running = self._running.get(tag)
            if running is None:
                mine = self._running[tag] = Future()
        if running is not None:
            return running.result()
        return self._lead(tag, mine, encoded, presented)

    def _lead(self, tag: bytes, mine: Future[bool], encoded: str | None, presented: str) -> bool:
        try:
            right = self._compare(encoded, presented)
        except BaseException as error:
            self._finish(tag, right=False)
            mine.set_exception(error)  # or those who wait would wait for ever
            raise
        self._finish(tag, right=right)
        mine.set_result(right)
        return right

    def _finish(self, tag: bytes, *, right: bool) -> None:
        with self._lock:
            del self._running[tag]
            if right:
                self._right[tag] = None
                if len(self._right) > self._capacity:
                    self._right.popitem(last=False)

    def _tag(self, name: str, encoded: str | None, presented: str) -> bytes:
        # The name is in it so that nobody's key is shared among waiters exactly as a client's is.
        # NUL separates: it is in no name and no stored hash.
        message = "\0".join((name, encoded or "", presented))
        return hmac.digest(self._secret, message.encode(), "sha256")
