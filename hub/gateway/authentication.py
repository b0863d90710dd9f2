"""Names and keys to grants, on threads of the gateway's own (docs/protocol.md §2.2).

Checking a chosen key takes a fifth of a second of CPU on purpose; it must stall neither the event
loop nor the threads of the journal.
"""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.utils import timezone

from credentials import selectors, services
from credentials.selectors import ClientGrants
from hub.admission import possible_name
from hub.database import with_database

THREADS = 2
#: Handshakes waiting for a thread; more are asked to come back.
MAX_WAITING = 2_048

T = TypeVar("T")


class Overloaded(Exception):  # noqa: N818
    """Too many handshakes are waiting."""


class Authentication:
    """The credentials' reads and writes as coroutines."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="taskhub-credentials")
        # A withdrawn right must not wait behind the slow hashes of a hundred strangers.
        self._watch = ThreadPoolExecutor(1, thread_name_prefix="taskhub-rights")
        self._waiting = 0

    async def authenticate(
        self, pairs: Collection[tuple[str, str]]
    ) -> tuple[int, ClientGrants | None]:
        """Grants of the first pair that is right, or None; before it, the revision they are of.

        Raises Overloaded.
        """
        if self._waiting >= MAX_WAITING:
            raise Overloaded
        self._waiting += 1
        try:
            return await self._run(
                self._threads, lambda: (selectors.revision(), _first_right(pairs))
            )
        finally:
            self._waiting -= 1

    async def revision(self) -> int:
        """A number that differs after any change of anybody's rights."""
        return await self._run(self._watch, selectors.revision)

    async def current_grants(self, key_ids: Collection[int]) -> dict[int, ClientGrants]:
        """Those of the keys that are still good."""
        return await self._run(self._watch, lambda: selectors.current_grants(key_ids=key_ids))

    async def note_seen(self, key_ids: Collection[int]) -> None:
        """Record that these keys are in use."""
        await self._run(self._watch, lambda: services.note_seen(key_ids=key_ids, at=timezone.now()))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, lambda: with_database(work))

    def stop(self) -> None:
        """Let the threads end after what they are at; who waits for one is going away anyway."""
        for threads in (self._threads, self._watch):
            threads.shutdown(wait=False, cancel_futures=True)


def _first_right(pairs: Collection[tuple[str, str]]) -> ClientGrants | None:
    found = None
    for name, key in pairs:
        # A name that cannot be is looked up too, as one that is not: it takes as long.
        found = selectors.authenticate(name=name if possible_name(name) else "", key=key)
        if found is not None:
            break
    return found
