"""Names and keys to grants, on threads of the gateway's own (docs/protocol.md §2.2).

Checking a chosen key takes a fifth of a second of CPU on purpose; it must stall neither the event
loop nor the threads of the journal.
"""

import asyncio
import re
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connection
from django.utils import timezone

from credentials import selectors, services
from credentials.selectors import ClientGrants
from hub.core.access import Access, access
from hub.core.values import HUB

THREADS = 2
#: Handshakes waiting for a thread; more are asked to come back.
MAX_WAITING = 4_096

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

T = TypeVar("T")


class Overloaded(Exception):  # noqa: N818
    """Too many handshakes are waiting."""


class Authentication:
    """The credentials' reads and writes as coroutines."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="taskhub-credentials")
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
            return await self._run(lambda: (selectors.revision(), _first_right(pairs)))
        finally:
            self._waiting -= 1

    async def revision(self) -> int:
        """A number that differs after any change of anybody's rights."""
        return await self._run(selectors.revision)

    async def current_grants(self, key_ids: Collection[int]) -> dict[int, ClientGrants]:
        """Those of the keys that are still good."""
        return await self._run(lambda: selectors.current_grants(key_ids=key_ids))

    async def note_seen(self, key_ids: Collection[int]) -> None:
        """Record that these keys are in use."""
        await self._run(lambda: services.note_seen(key_ids=key_ids, at=timezone.now()))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: _with_database(work)
        )

    def stop(self) -> None:
        """Close the threads' database connections and let the threads end."""
        for _ in range(THREADS):
            self._threads.submit(connection.close)
        self._threads.shutdown(wait=True)


def _with_database(work: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


def _first_right(pairs: Collection[tuple[str, str]]) -> ClientGrants | None:
    found = None
    # No credentials at all take as long as wrong ones.
    for name, key in pairs or (("", ""),):
        known = bool(_NAME.fullmatch(name)) and name != HUB
        found = selectors.authenticate(name=name if known else "", key=key)
        if found is not None:
            break
    return found


def access_of(grants: ClientGrants) -> Access:
    """A client's grants as the core knows them."""
    return access(
        grants.name, sub=grants.sub, pub=grants.pub, watch=grants.watch, group=grants.group
    )
