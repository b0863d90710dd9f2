"""The composition root: builds the hub's parts, starts them in order, stops them again.

One runtime for each process. uvicorn starts it by the ASGI lifespan; daphne, which
has none, by its first connection.
"""

import asyncio
import os
from importlib.metadata import PackageNotFoundError, version

from hub.clock_and_ids import fresh_ids, wall_clock
from hub.conf import HubSettings, hub_settings
from hub.connected import Looking
from hub.core.engine import Engine
from hub.core.limits import Limits
from hub.housekeeping import Housekeeping
from hub.inside import Inside
from hub.journal.port import Journal, JournalFailed
from hub.logs import bounded, logger
from hub.pipeline import Pipeline
from hub.protocol.frames import rules_of
from hub.recovery import CHECK_DISK
from hub.rollup import Rollups
from hub.router.local import LocalRouter
from hub.router.presence import Roll
from hub.stores import journal_of, lock_of
from hub.supervision import Supervisor, loop_error

log = logger(__name__)


def hub_version() -> str:
    """The version told to clients."""
    try:
        return version("taskhub-server")
    except PackageNotFoundError:
        return "0.1.0"


class Runtime:
    """Everything of one hub process. ``start`` first, ``stop`` last."""

    pipeline: Pipeline
    #: what people and programs without a socket do enters here
    inside: Inside
    #: what operators see of connections
    looking: Looking
    #: where all of it lives; other threads cross over by ``run_coroutine_threadsafe``
    loop: asyncio.AbstractEventLoop

    def __init__(self, settings: HubSettings, journal: Journal | None = None) -> None:
        self.settings = settings
        self.limits: Limits = settings.limits
        self.clock = wall_clock()
        self.version = hub_version()
        self.epoch = ""
        self.draining = False
        self._stuck = False
        self.supervisor = Supervisor()
        self._journal = journal or journal_of(settings)
        self._lock = lock_of(settings)

    async def start(self) -> None:
        """Take the lock, open the journal, recover open tasks, begin to keep time.

        Raises JournalFailed, LockHeld: the process should not start.
        """
        self._lock.acquire()
        try:
            self._start()
        except BaseException:
            self._journal.close()
            self._lock.release()
            raise

    def _start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(loop_error)
        journal, limits = self._journal, self.limits
        journal.open()
        journal.sweep_presence()
        self.epoch = journal.epoch()
        new_id = fresh_ids()
        engine = Engine(limits, new_id, journal.last_key(), self.epoch)
        roll = Roll()
        self.pipeline = Pipeline(
            engine=engine,
            journal=journal,
            router=LocalRouter(roll),
            rules=rules_of(limits, strict_actions=self.settings.action_grammar == "strict"),
            max_watches=limits.max_watches,
            clock=self.clock,
            new_id=new_id,
        )
        self.looking = Looking(engine, self.pipeline.router, roll, limits.max_participants_per_task)
        self.inside = Inside(self.pipeline, limits.max_frame_bytes)
        self.pipeline.commit.counts.max_participants = limits.max_participants_per_task
        tasks = journal.load_open()
        self.pipeline.restore(tasks)
        self._keep_house(engine, roll)
        log.info(
            "hub_started",
            version=self.version,
            pid=os.getpid(),
            data_dir=str(self.settings.data_dir),
            epoch=self.epoch,
            open_tasks=len(tasks),
        )

    def _keep_house(self, engine: Engine, roll: Roll) -> None:
        self.house = Housekeeping(
            journal=self._journal, commit=self.pipeline.commit, roll=roll, clock=self.clock
        )
        house, settings, start = self.house, self.settings, self.supervisor.start
        rollups = Rollups(
            journal=self._journal,
            reader=self.pipeline.reader,
            commit=self.pipeline.commit,
            clock=self.clock,
            retention_days=settings.retention_days,
        )
        start("presence", house.keep_presence)
        start("sums", rollups.keep)
        start("writer watch", house.watch_writer)
        start("lag watch", house.watch_lag)
        start("frame counts", self.looking.count_frames)
        if settings.retention_days:
            start("retention", lambda: house.prune(settings.retention_days))
        if free := self.limits.min_free_disk_bytes:
            start("disk watch", lambda: house.watch_disk(settings.data_dir, engine, free))

    def not_ready(self) -> list[str]:
        """Why new tasks are not taken now, each a sentence; empty: they are."""
        pipeline = self.pipeline
        found = {
            "The hub is stopping.": self.draining,
            "Open tasks are being read anew after a failure.": pipeline.recovery.under_way,
            "The disk of the data directory does not answer.": self.house.stalled,
            pipeline.engine.refuses_new or "": pipeline.engine.refuses_new is not None,
        }
        return [why for why, holds in found.items() if holds]

    async def drain(self) -> None:
        """Decide nothing more, and wait until what was decided is stored, or has had its time."""
        self.draining = True
        if self._stuck:
            return
        self.inside.stop_waiting()
        try:
            async with asyncio.timeout(self.limits.drain_timeout_ms / 1000):
                await self.pipeline.freeze()
        except TimeoutError:
            self._stuck = True
            log.error(  # noqa: TRY400  (where it waited says nothing)
                "drain_timed_out", waiting=self.pipeline.commit.waiting, help=CHECK_DISK
            )
        self.pipeline.router.feed.end()
        self.inside.close()

    async def stop(self) -> None:
        """Take nothing new, commit what is under way, let go of files and the lock."""
        await self.drain()
        await self.supervisor.stop()
        if self._stuck:
            return  # its thread, its files and the lock end with the process
        try:
            await self.house.write_presence()
        except JournalFailed as failed:  # leases, which end by themselves
            log.warning("presence_not_written", cause=str(failed))
        await self.pipeline.stop()
        self._journal.close()
        self._lock.release()
        bounded.report(now=True)
        log.info("hub_stopped")


class OneRuntime:
    """The one runtime of a process, started at first use and stopped at most once."""

    def __init__(self) -> None:
        self._starting: asyncio.Task[Runtime] | None = None
        #: the runtime while it runs, for who only looks
        self.current: Runtime | None = None
        #: it has run and was stopped: the process is about to end
        self.over = False

    async def running(self) -> Runtime:
        """The runtime, started at the first call. Raises what ``Runtime.start`` raises."""
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> Runtime:
        runtime = Runtime(hub_settings())
        try:
            await runtime.start()
        except BaseException:
            self._starting = None  # the next connection may try again
            raise
        self.current = runtime
        self.over = False
        return runtime

    async def stop(self) -> None:
        """Stop the runtime, if it was started."""
        if self._starting is not None:
            runtime = await self._starting
            self.over = True  # first: another thread may ask
            self._starting = self.current = None
            await runtime.stop()


_process = OneRuntime()
running = _process.running
stop_running = _process.stop


def may_start() -> bool:
    """Whether the hub of this process could still be started by who finds it not running."""
    return _process.current is None and not _process.over


def current() -> Runtime | None:
    """The runtime of this process while it runs; any thread may ask."""
    return _process.current
