"""Background work that must not end: its end is an error, and it is started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("hub.supervision")

#: Pause before a failed piece of work is started again, in seconds.
RESTART_PAUSE_S = 1.0


class Supervisor:
    """Holds background tasks by a reference, and restarts those that end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` until ``stop``; ``name`` says in the log what it is."""
        task = asyncio.get_running_loop().create_task(self._keep(name, work), name=name)
        self._tasks.add(task)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("%s failed; it is started again", name)
            else:
                log.error("%s ended, which it never should; it is started again", name)
            await asyncio.sleep(RESTART_PAUSE_S)

    async def stop(self) -> None:
        """Cancel everything and wait until it is gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
