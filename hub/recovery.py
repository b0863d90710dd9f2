"""After a failure, what is in memory is not what is stored: it is forgotten, and read anew."""

import asyncio
from collections.abc import Callable, Coroutine

from hub.core.task import Task
from hub.counts import Decisions
from hub.journal.group_commit import GroupCommit
from hub.journal.reader import Reader
from hub.logs import logger

log = logger("hub.pipeline")

#: Pause before the journal is read again after it could not be, or had failed again at once.
RECOVERY_PAUSE_S = 1.0

CHECK_DISK = "Clients are told to send again. Check the disk of the data directory."


class Recovery:
    """Reads the open tasks again, until that works. ``restore`` takes them into memory."""

    def __init__(
        self,
        commit: GroupCommit,
        reader: Reader,
        restore: Callable[[list[Task]], None],
        spawn: Callable[[Coroutine[None, None, None]], None],
        counts: Decisions,
    ) -> None:
        self._commit = commit
        self._reader = reader
        self._restore = restore
        self._spawn = spawn
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._recovered_at = float("-inf")
        #: nothing is decided about tasks meanwhile
        self.under_way = False

    def begin(self, cause: BaseException) -> None:
        """Forget what is in memory, and read the truth again."""
        if not self.under_way:
            self.under_way = True
            self._counts.restarts_over += 1
            log.warning("tasks_read_anew", cause=type(cause).__name__)
            self._spawn(self._recover())

    async def _recover(self) -> None:
        # What is due when it is read fails at once on a disk that is still full.
        await asyncio.sleep(self._recovered_at + RECOVERY_PAUSE_S - self._loop.time())
        while True:
            try:
                await self._commit.drained()
                tasks = await self._reader.load_open()
                self._restore(tasks)
                break
            except Exception:
                log.exception("tasks_not_read", retry_s=RECOVERY_PAUSE_S, help=CHECK_DISK)
                await asyncio.sleep(RECOVERY_PAUSE_S)
        self.under_way = False
        self._recovered_at = self._loop.time()
        log.info("tasks_recovered", open_tasks=len(tasks))
