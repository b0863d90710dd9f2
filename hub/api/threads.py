"""Database work for answers that are still being sent, on few threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from hub.database import with_database

THREADS: Final = 4

T = TypeVar("T")

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="taskhub-api")


async def threaded(work: Callable[[], T]) -> T:
    """What the work returns; it may read the database."""
    return await asyncio.get_running_loop().run_in_executor(_threads, with_database, work)
