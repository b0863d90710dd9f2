"""The way of the data, top to bottom (ARCHITECTURE.md).

    frame → parse → authorise, decide → journal, durable → route → frame

Whatever enters is decided here: frames, connections that come and go, changed
rights, operators, time. Nobody else writes tasks, and nothing leaves before the
batch that holds it has committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from hub.accounts import Accounts
from hub.alarm import Alarm
from hub.core.access import Access
from hub.core.decision import Decision, refusal, says_unknown
from hub.core.effects import Acknowledge, Deliver, Effect, Offer, Refuse, Resumed, Unchanged
from hub.core.engine import Engine
from hub.core.errors import Code, Rejection, TaskNotLoaded
from hub.core.inputs import (
    AccessChanged,
    Cancel,
    Command,
    Connected,
    Decided,
    Disconnected,
    Get,
    Init,
    OperatorCancel,
    Report,
    Resume,
    Subscribe,
    Tick,
    Unwatch,
    Watch,
)
from hub.core.presence import Presence
from hub.core.remembered import remembered
from hub.core.task import Task
from hub.core.values import TaskState
from hub.counts import Decisions
from hub.journal.group_commit import GroupCommit
from hub.journal.port import Journal
from hub.journal.reader import Reader
from hub.logs import logger
from hub.protocol.decode import decode
from hub.protocol.frames import Rules
from hub.queries import Queries
from hub.recovery import CHECK_DISK, Recovery
from hub.resuming import RESUMED_ELSEWHERE, Resuming
from hub.router.local import LocalRouter
from hub.router.port import Sink

log = logger(__name__)

_ON_TASKS = (Report, Init, Cancel, OperatorCancel)
_READ = (Watch, Unwatch, Get)

_REPORT_IT = "This is a bug of the hub: report it with this line. Tasks go on as they are stored."
_UNAVAILABLE = "The hub could not store this; nothing was changed. Send it again in a moment."


class Pipeline:
    """Frames in, decisions committed, messages out. Lives on one event loop."""

    def __init__(
        self,
        *,
        engine: Engine,
        journal: Journal,
        router: LocalRouter,
        rules: Rules,
        max_watches: int,
        clock: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self.engine = engine
        self.router = router
        self.counts = Decisions()
        self.reader = Reader(journal)
        self.commit = GroupCommit(journal, self._committed, self._failed)
        self._accounts = Accounts(engine.books)
        self._queries = Queries(engine.books, self.reader, router, max_watches)
        self._resuming = Resuming(engine.books, self.reader, router, max_watches, self._spawn)
        self._rules = rules
        self._clock = clock
        self._new_id = new_id
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(clock, self._tick)
        self._frozen = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.recovery = Recovery(self.commit, self.reader, self.restore, self._spawn, self.counts)

    # In

    def connect(self, sink: Sink, access: Access, presence: Presence | None) -> None:
        """A connection was accepted and takes messages; without presence: one without a socket."""
        self.router.add(sink, presence)
        session = sink.token if sink.v1 and presence is not None else None
        self._enter(Connected(connection=sink.connection, access=access, session=session))

    def disconnect(self, connection: str, *, resumed: bool = False) -> None:
        """A connection is gone, or about to be resumed by another one."""
        watching = self.router.remove(connection)
        self._enter(Disconnected(connection=connection, watching=watching, resumed=resumed))

    def change_access(self, connection: str, access: Access) -> None:
        """An open connection has other rights (docs/protocol.md §2.8)."""
        self._queries.restrict(connection, access)
        self._enter(AccessChanged(connection=connection, access=access))

    def cancel(self, command: OperatorCancel) -> Awaitable[None] | None:
        """An operator ends a task: as ``receive``, for what no frame says."""
        if self._frozen:
            return None
        if (missing := self._decide(command)) is not None:
            return self._load_and_decide(command, missing)
        return self._calm()

    def receive(self, sink: Sink, text: str) -> Awaitable[None] | None:
        """Take one frame. Never raises.

        Returns None when the next frame may be read, else something to await first:
        the task has to be loaded, or the journal has fallen behind.
        """
        if self._frozen:
            return None  # not acknowledged: its sender sends it again after the restart
        command = decode(text, connection=sink.connection, v1=sink.v1, rules=self._rules)
        self.counts.frames[command.__class__] += 1
        if not isinstance(command, _ON_TASKS):  # the frequent ones skip the other questions
            if isinstance(command, Refuse):
                if command.rejection.code is Code.BAD_JSON:
                    sink.bad_frame()
                self._answer(command)
                return self._calm()
            if isinstance(command, _READ):
                return self._query(sink, command)
            if isinstance(command, Resume):
                return self._resume(command)
        if (missing := self._decide(command)) is not None:
            return self._load_and_decide(command, missing)
        return self._calm()

    def _calm(self) -> Awaitable[None] | None:
        """What to await before the next frame: refusals fill the line before the journal too."""
        return self.commit.calm() if self.commit.congested else None

    def unreadable(self, sink: Sink, rejection: Rejection) -> Awaitable[None] | None:
        """Answer a frame in which there is no text, as ``receive`` does any other."""
        self.counts.frames[Refuse] += 1
        sink.bad_frame()
        self._answer(Refuse(to=sink.connection, rejection=rejection))
        return self._calm()

    # Decide

    def _decide(self, command: Command) -> str | None:
        """Decide about a command; returns the id of a task that has to be loaded first."""
        if self.recovery.under_way and isinstance(command, _ON_TASKS):
            self._refuse(command, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))
            return None
        try:
            decisions = self.engine.decide(command, self._clock())  # type: ignore[arg-type]
            if isinstance(command, Subscribe):
                self._prefer(command)
            self._queue(decisions)
        except Rejection as rejection:
            task = self.engine.books.open.get(getattr(command, "task_id", ""))
            self._refuse(command, rejection, task)
        except TaskNotLoaded as missing:
            return missing.task_id
        except Exception as cause:
            # docs/protocol.md §7: nothing a client sends can raise out of the consumer.
            log.exception("decision_failed", **self._accounts.about(command), help=_REPORT_IT)
            self._refuse(command, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))
            self._start_over(cause)
        return None

    def _prefer(self, command: Subscribe) -> None:
        """How payloads are told to a subscriber (§4.5): a refused command changes nothing."""
        sink = self.router.sink(command.connection)
        if sink is not None and command.lazy_payload is not None:
            sink.lazy_payload = command.lazy_payload

    async def _load_and_decide(self, command: Command, task_id: str) -> None:
        try:
            task = await self.reader.load(task_id)
        except Exception:
            log.exception("task_load_failed", **self._accounts.about(command), help=CHECK_DISK)
            self._refuse(command, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))
            return
        if not self.engine.books.live(command.connection):
            return  # it left while its task was loaded: nobody to answer
        if task is not None:
            self._decide_about_ended(command, task)
            return
        try:
            self._queue(self.engine.decide_absent(command))
        except Rejection as rejection:
            self._refuse(command, rejection)

    def _decide_about_ended(self, command: Command, task: Task) -> None:
        if task.state is not TaskState.END:
            # Open tasks are in memory, unless they are being read anew at this moment.
            self._refuse(command, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))
            return
        self.engine.books.remember(remembered(task))
        self._decide(command)

    def _resume(self, command: Resume) -> Awaitable[None]:
        """Put a connection in the place of a lost one (§6); awaits that it has heard all."""
        told = self._resuming.expect(command.connection)
        if self.recovery.under_way:
            self._refuse(command, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))
            return told
        lost = self.engine.lost(command)
        if lost is not None and lost.live:
            # Its end has not been heard here yet: the peer knows better.
            half_open = self.router.sink(lost.id)
            self.disconnect(lost.id, resumed=True)
            if half_open is not None:
                half_open.close(RESUMED_ELSEWHERE)
        self._decide(command)
        return told

    def _enter(self, item: Decided) -> None:
        if self._frozen:
            return
        try:
            decisions = self.engine.decide(item, self._clock())
            self.counts.deadlines += len(decisions) if isinstance(item, Tick) else 0
            self._queue(decisions)
        except Exception as cause:
            log.exception("decision_failed", **self._accounts.about(item), help=_REPORT_IT)
            self._start_over(cause)

    def _queue(self, decisions: list[Decision]) -> None:
        commit = self.commit
        for decision in decisions:
            if decision.facts or not commit.idle:
                commit.add(decision)
            else:
                self._perform(decision.effects)
        self._alarm.set(self.engine.books.deadlines.next_at())

    # Journal

    def _committed(self, decisions: list[Decision], refused: frozenset[int]) -> None:
        if refused:
            again = [d for d in decisions if d.key in refused]
            decisions = [d for d in decisions if d.key not in refused]
            again += self.commit.withdraw(refused)
            self.engine.books.forget(refused)
            self._spawn(self._decide_again(again))
        for decision in decisions:
            self._perform(decision.effects)

    async def _decide_again(self, decisions: list[Decision]) -> None:
        """The taskId of an init turned out to be taken: load that task, then decide anew."""
        for decision in decisions:
            command = decision.command
            if isinstance(command, _ON_TASKS):
                await self._load_and_decide(command, command.task_id)

    def _failed(self, decisions: list[Decision], cause: BaseException) -> None:
        log.error("commit_failed", decisions=len(decisions), cause=str(cause), help=CHECK_DISK)
        for decision in decisions:
            if decision.command is not None and not says_unknown(decision):
                self._refuse(decision.command, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))
            elif not decision.facts:
                self._perform(decision.effects)  # an answer that only waited in line
        self.engine.books.forget({decision.key for decision in decisions})
        self._start_over(cause)

    def _start_over(self, cause: BaseException) -> None:
        self.engine.restore([], self._clock())
        self.recovery.begin(cause)

    def restore(self, tasks: list[Task]) -> None:
        """Go on with what the journal holds: at the start, and after a failed commit."""
        self._queue(self.engine.restore(tasks, self._clock()))

    # Route

    def _perform(self, effects: list[Effect]) -> None:
        router = self.router
        for effect in effects:
            match effect:
                case Deliver():
                    router.deliver(effect)
                case Offer():
                    router.offer(effect)
                case Acknowledge():
                    router.acknowledge(effect)
                case Unchanged():
                    self._unchanged(effect)
                case Refuse():
                    router.refuse(effect, self._new_id())
                case Resumed():
                    self._accounts.resumed(effect)
                    self._resuming.perform(effect)

    def _unchanged(self, effect: Unchanged) -> None:
        if effect.task is None or effect.seq is None:
            self.router.unchanged(effect)
        else:
            self._spawn(self._queries.tell_again(effect))

    def _refuse(self, command: Command, rejection: Rejection, about: Task | None = None) -> None:
        """``about``: the open task it was decided by, which may turn out not to be stored."""
        refuse = refusal(command, rejection)
        if isinstance(command, Resume):
            self._resuming.over(command.connection)
        if about is None:
            self._answer(refuse)
        else:
            self._answer(refuse, about.key, command)

    def _answer(self, refuse: Refuse, key: int = 0, command: Command | None = None) -> None:
        self.counts.refuse(refuse.rejection)
        self._accounts.refused(refuse)
        # Behind what was decided before it, so that a refusal never tells of a task
        # whose own events are not yet durable.
        self._queue([Decision(key=key, facts=[], effects=[refuse], command=command)])

    def _query(self, sink: Sink, query: Watch | Unwatch | Get) -> Awaitable[None]:
        async def ask() -> None:
            try:
                await self._queries.answer(sink, query)
            except Rejection as rejection:
                self._refuse(query, rejection)
            except Exception:
                log.exception("query_failed", **self._accounts.about(query), help=CHECK_DISK)
                self._refuse(query, Rejection(Code.UNAVAILABLE, _UNAVAILABLE))

        return ask()

    # Time

    def _tick(self) -> None:
        self._enter(Tick())

    async def freeze(self) -> None:
        """Decide nothing more, and commit what was decided: the hub is about to stop (§2.7).

        Time stops too: nobody is lost, and no deadline passes, for the hub's own absence.
        """
        self._frozen = True
        self._alarm.stop()
        await self.commit.drained()

    # Background

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_ended)

    def _spawned_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("pipeline_step_failed", exc_info=error, help=_REPORT_IT)

    async def stop(self) -> None:
        """Commit what is under way, then let go of the threads."""
        await self.freeze()
        for task in list(self._tasks):
            task.cancel()
        self.commit.stop()
        self.reader.stop()
