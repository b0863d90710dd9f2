"""Background work that must not end: its end is an error, and it is started again.

What nobody waits for is caught here too: errors of the loop's own callbacks, of threads, and of
tasks whose result was never asked for.
"""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from hub.logs import logger

log = logger(__name__)

#: Pauses before a piece of work is started again, in seconds: doubled each time, up to the second.
#: That one is short: rights that are withdrawn must not stay for long because a disk was full.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 8.0
#: Work that ran for so long begins with the first pause again.
HEALTHY_S = 60.0

Work = Callable[[], Awaitable[None]]


class Supervisor:
    """Holds background tasks by a reference, and restarts those that end."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        #: how often each piece of work was started again
        self.restarts: Counter[str] = Counter()

    def start(self, name: str, work: Work) -> None:
        """Run ``work`` until ``stop``; ``name`` says in logs and figures what it is."""
        self.restarts[name] = 0
        task = asyncio.get_running_loop().create_task(self._keep(name, work), name=name)
        self._tasks.add(task)

    async def _keep(self, name: str, work: Work) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = self._clock()
            error = await _end_of(work)
            if self._clock() - began >= HEALTHY_S:
                pause = FIRST_PAUSE_S
            self.restarts[name] += 1
            fields = {"work": name, "restarts": self.restarts[name], "pause_s": pause}
            if error is not None:
                log.error("background_failed", exc_info=error, **fields)
            else:
                log.error("background_ended", **fields)
            await self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def stop(self) -> None:
        """Cancel everything and wait until it is gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _end_of(work: Work) -> BaseException | None:
    """What the work ended with; None: it simply returned."""
    try:
        await work()
    except asyncio.CancelledError as cancelled:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise  # by ``stop``
        return cancelled  # by something it waited for, which ends it as any error does
    except Exception as error:  # noqa: BLE001  (logged by who asks)
        return error
    return None


def loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The handler of a loop: what its callbacks raise, and what nobody asked a task for.

    Neither the handle nor the task is shown, nor the message as far as it shows them: their
    ``repr`` holds arguments, and payloads in them.
    """
    task = context.get("task") or context.get("future")
    log.error(
        "loop_error",
        what=str(context.get("message")).partition("(")[0],
        task=task.get_name() if isinstance(task, asyncio.Task) else None,
        exc_info=context.get("exception"),
    )


def catch_strays() -> None:
    """Have errors logged that Python would print: those of threads, and those it must ignore."""

    def of_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else None
        log.error("thread_died", thread=name, exc_info=args.exc_value)

    def ignored(args: "sys.UnraisableHookArgs") -> None:
        log.error("error_ignored", what=args.err_msg, exc_info=args.exc_value)

    threading.excepthook = of_thread
    sys.unraisablehook = ignored
