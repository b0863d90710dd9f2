"""The one door of this process, opened with its runtime."""

from hub import runtime as hub_runtime
from hub.gateway.door import Door
from hub.logs import logger
from hub.runtime import Runtime

log = logger(__name__)


class Entrance:
    """Runtime and door, made together at first use."""

    def __init__(self) -> None:
        self._door: Door | None = None

    async def open(self) -> tuple[Runtime, Door]:
        """Both, started. Raises what ``Runtime.start`` raises."""
        runtime = await hub_runtime.running()
        if self._door is None:
            self._door = Door(runtime.limits, runtime.pipeline)
            runtime.supervisor.start("rights watch", self._door.watch_rights)
        return runtime, self._door

    async def drain(self) -> None:
        """Take nobody in, commit what is under way, send everyone away with 1012."""
        runtime = await hub_runtime.running()
        log.info(
            "hub_draining",
            connections=len(self._door.sessions()) if self._door else 0,
            open_tasks=len(runtime.pipeline.engine.books.open),
            waiting=runtime.pipeline.commit.waiting,
        )
        await runtime.drain()
        if self._door is not None:
            self._door.drain()

    async def close(self) -> None:
        """Stop the runtime and let go of the door's threads."""
        await hub_runtime.stop_running()
        if self._door is not None:
            self._door.stop()
            self._door = None


entrance = Entrance()
