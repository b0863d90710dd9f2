"""All a client has going on, across connections: tasks, jobs, watches, and who hears what."""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from typing import Any, Final

from taskhub._address import Address
from taskhub._errors import ConnectionLost, Refused, TaskHubError
from taskhub._job import Job
from taskhub._line import Line
from taskhub._outbox import Entry, Outbox
from taskhub._patterns import covers
from taskhub._restore import Restorer
from taskhub._service import Subscription
from taskhub._task import Task
from taskhub._watch import Watch
from taskhub._wire import Event, Message, command

log = logging.getLogger("taskhub")

#: Seconds between attempts to tell an outcome that the hub refused only for the moment, and the
#: most of them. The hub notices a lost connection within 40 s.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_PATIENCE: Final = 60.0
_SHORT_PATIENCE: Final = 2.0
#: Seconds after its deadline in which the hub may still tell what becomes of a job.
_DEADLINE_MARGIN: Final = 0.5
#: Seconds that jobs which are handed out get for their last word at the close.
_TIDY_UP: Final = 5.0
#: Jobs done here that are remembered, so that a late offer does not run one again.
_REMEMBERED_JOBS: Final = 4_096
#: Open tasks whose action and seq are remembered for watches.
_REMEMBERED_TASKS: Final = 50_000


class Session:
    """From the client's opening to its closing. Nothing in its read loop waits for a handler."""

    def __init__(
        self, *, address: Address, subscriptions: list[Subscription], max_pending: int
    ) -> None:
        self._outbox = Outbox(bound=max_pending)
        self._line = Line(address=address, outbox=self._outbox, listener=self)
        self._restorer = Restorer(self)
        self.subscriptions = subscriptions
        self.subscribed: list[Subscription] = []
        #: Of these, those that take no new jobs any more.
        self.leaving: list[Subscription] = []
        self.tasks: dict[str, Task] = {}
        self.jobs: dict[str, Job] = {}
        self.watches: dict[str, Watch] = {}
        #: taskId → the init as it was sent, of tasks published here.
        self.inits: dict[str, dict[str, Any]] = {}
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._seen: OrderedDict[str, tuple[str | None, int]] = OrderedDict()
        self._background: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._over = asyncio.Event()
        self._broken: TaskHubError | None = None
        #: Seconds to add to this machine's monotonic clock to have the hub's.
        self._clock_offset = 0.0

    # -- what the client asks for

    @property
    def error(self) -> TaskHubError | None:
        """Why there is no connection any more."""
        return self._line.error

    @property
    def closing(self) -> bool:
        """Closed from this side, or about to be."""
        return self._closing

    async def open(self) -> None:
        """Connect and subscribe. Raises ConnectionFailed, AuthenticationError, Refused."""
        await self._line.open()

    async def request(self, command: dict[str, Any], *, volatile: bool = False) -> Message:
        """Send a command and wait for its answer, over as many connections as it takes.

        A volatile one is for this connection only. Raises Refused, QueueFull, ConnectionLost.
        """
        self.check_open()
        entry = self._outbox.put(command, volatile=volatile)
        return await self._answer(entry)

    async def report(self, command: dict[str, Any]) -> Message:
        """Send what a job says, again and again while the hub refuses it only for the moment."""
        began, pause = time.monotonic(), _FIRST_PAUSE
        # A job that has not begun may well be somebody else's by now.
        for_strangers = _SHORT_PATIENCE if command.get("event") == "start" else _PATIENCE
        while True:
            self.check_open()
            try:
                return await self._answer(self._outbox.put(command, always=True))
            except Refused as refused:
                # After a reconnect the hub may still hold the old connection for the
                # participant, and this one for a stranger.
                stranger = refused.code == "unknown-task" and self._restorer.reconnected
                patience = _PATIENCE if refused.retry else for_strangers if stranger else 0.0
                if time.monotonic() - began >= patience:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def publish(self, task: Task, init: dict[str, Any]) -> None:
        """Send an init; its events go to the task from the first on. Never waits."""
        self.check_open()
        if task.task_id in self.tasks:
            raise Refused("duplicate-task", f"{task!r} is open in this very client.")
        entry = self._outbox.put(init)
        self.tasks[task.task_id] = task
        self.inits[task.task_id] = init
        entry.answer.add_done_callback(lambda answer: self._published(task, entry, answer))

    def _published(self, task: Task, entry: Entry, answer: asyncio.Future[Message]) -> None:
        error = answer.exception()
        if isinstance(error, TaskHubError):
            self._forget_task(task.task_id)
            task.lose(error)
        elif entry.sent > 1:
            # It may have been stored the first time, and much may have happened since (D14).
            self.spawn(self._restorer.catch_up(task), name=f"catching up with {task!r}")

    def attach(self, task: Task) -> None:
        """Follow a task of an earlier life, from its first event on."""
        self.check_open()
        self.tasks[task.task_id] = task
        self.spawn(self._attached(task), name=f"attaching {task!r}")

    async def _attached(self, task: Task) -> None:
        try:
            await self.request(command("watch", **{"taskId": task.task_id, "from": 1}))
        except TaskHubError as error:
            self._forget_task(task.task_id)
            task.lose(error)

    async def watch(self, watch: Watch) -> None:
        """Begin to watch; the first event may arrive before the answer does."""
        if watch.pattern in self.watches:
            raise Refused("bad-field", f"{watch.pattern} is watched by this client already.")
        self.watches[watch.pattern] = watch
        try:
            await self.request(command("watch", action=watch.pattern))
        except BaseException:
            del self.watches[watch.pattern]
            raise

    async def unwatch(self, pattern: str) -> None:
        """The watch is over, and so is its iterator."""
        await self.request(command("unwatch", action=pattern))
        if (watch := self.watches.pop(pattern, None)) is not None:
            watch.end()
        if not self.watches:
            self._seen.clear()

    async def subscribe(self, *, volatile: bool = False) -> None:
        """Subscribe what is declared and not subscribed yet. Raises Refused."""
        for subscription in self.subscriptions:
            if subscription in self.subscribed:
                continue
            subscription.worker.restart()
            # Open tasks may arrive before the answer does.
            self.subscribed.append(subscription)
            try:
                await self.request(subscription.command(), volatile=volatile)
            except BaseException:
                self.subscribed.remove(subscription)
                raise

    async def drain(self, seconds: float) -> None:
        """Take no new jobs, and let those at work finish, for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                leaving = [self.unsubscribe(one, seconds) for one in list(self.subscribed)]
                await asyncio.gather(*leaving)

    async def unsubscribe(self, subscription: Subscription, seconds: float = 0.0) -> None:
        """Take no new jobs of this one, and let those at work finish, for so long."""
        if subscription not in self.subscribed or self.error is not None:
            return
        self.leaving.append(subscription)
        try:
            # For this connection: on another one it is not subscribed any more.
            await self.request(command("unsub", action=subscription.pattern), volatile=True)
        except TaskHubError as error:
            log.debug("%r was not unsubscribed: %s", subscription, error)
        await subscription.worker.drain(seconds)

    async def wait_over(self) -> None:
        """Return when this side has closed it; raises why there is no connection otherwise."""
        await self._over.wait()
        if (error := self._broken or self.error) is not None and not self._closing:
            raise error

    def broken(self, subscription: Subscription, error: TaskHubError) -> None:
        """A subscription could not be made again: whoever serves has to know."""
        log.error("%r could not be made again: %s", subscription, error)
        self._broken = error
        self._over.set()

    async def close(self) -> None:
        """Stop the handlers, then close. What waits for the hub gets ConnectionLost."""
        self._closing = True
        if self.error is None:
            await self._stop_jobs(None)
        await self._line.close()
        for background in list(self._background):
            background.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _stop_jobs(self, error: TaskHubError | None) -> None:
        await asyncio.gather(*(one.worker.stop(error) for one in self.subscribed))
        if error is None:
            left = [job for job in self.jobs.values() if job.started and not job.done]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TIDY_UP):
                    await asyncio.gather(*(job.abandon() for job in left))

    def check_open(self) -> None:
        """Raises why there is no connection any more."""
        if self.error is not None:
            raise self.error

    def spawn(self, work: Any, *, name: str) -> None:
        """Run something beside everything else, until the session is closed."""
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s broke", task.get_name(), exc_info=error)

    async def _answer(self, entry: Entry) -> Message:
        try:
            return await entry.answer
        finally:
            self._outbox.forget(entry)

    # -- what the line tells

    async def restore(self, welcome: Message) -> None:
        """A new connection: resume, or do anew what the last one did; then go on."""
        if welcome.now:
            self._clock_offset = welcome.now / 1000 - time.monotonic()
        await self._restorer.restore(welcome)

    def restored(self) -> None:
        """Everything unanswered may be sent."""
        self._outbox.open()

    def receive(self, message: Message) -> None:
        """One message of the hub: an event, an answer, or both."""
        if message.event is not None and message.status != "error":
            self.tell(message)
        self._outbox.answered(message)

    def over(self, error: TaskHubError) -> None:
        """There will be no connection any more."""
        for task in list(self.tasks.values()):
            task.lose(error)
        self.tasks.clear()
        self.inits.clear()
        for watch in self.watches.values():
            watch.end(None if self._closing else error)
        for job in list(self.jobs.values()):
            job.close()
        self._over.set()
        if not self._closing:
            self.spawn(self._stop_jobs(error), name="stopping handlers")

    def tell(self, message: Message, *, live: bool = True) -> None:
        """One event, to everyone here it concerns; one that is not live offers no job."""
        task_id = message.task_id or ""
        action, seen = self._seen.get(task_id, (None, 0))
        event = message.as_event(action)
        if event.seq > seen:  # else it was asked for again
            self._tell_watches(event)
        attached = task_id in self.tasks and task_id not in self.inits
        if event.kind == "init" and live and not attached:
            self._offer(event)
        if (job := self.jobs.get(task_id)) is not None:
            job.receive(event)
        if (task := self.tasks.get(task_id)) is not None:
            if not task.receive(event):
                self.spawn(self._restorer.catch_up(task), name=f"catching up with {task!r}")
            if task.over:
                self._forget_task(task_id)

    def _tell_watches(self, event: Event) -> None:
        if not self.watches:
            return
        if event.kind == "end":
            self._seen.pop(event.task_id, None)
        else:
            self._seen[event.task_id] = (event.action, event.seq)
            if len(self._seen) > _REMEMBERED_TASKS:
                self._seen.popitem(last=False)
        for watch in self.watches.values():
            watch.receive(event)

    def _offer(self, init: Event) -> None:
        # The hub delivers a task once to a connection, however many of its subscriptions cover
        # the action: the handler that was declared first gets it.
        if init.task_id in self._finished:
            return
        if (known := self.jobs.get(init.task_id)) is not None:
            # Offered anew, as the hub had given this connection up: the work goes on.
            self.spawn(self._restorer.rejoin(known), name=f"rejoining {known!r}")
            return
        for subscription in self.subscribed:
            if subscription not in self.leaving and covers(subscription.pattern, init.action or ""):
                job = Job(
                    init=init,
                    report=self.report,
                    auto_cancel=subscription.auto_cancel,
                    over=self._job_over,
                )
                self.jobs[init.task_id] = job
                self._arm(job)
                subscription.worker.accept(job)
                return

    def _arm(self, job: Job) -> None:
        if job.deadline is None:
            return
        # A connected hub says it itself; by the margin this comes never before.
        left = job.deadline / 1000 - self._clock_offset - time.monotonic() + _DEADLINE_MARGIN
        loop = asyncio.get_running_loop()
        self._deadlines[job.task_id] = loop.call_later(max(left, 0), job.close)

    def _job_over(self, job: Job) -> None:
        if self.jobs.get(job.task_id) is job:
            del self.jobs[job.task_id]
            if (deadline := self._deadlines.pop(job.task_id, None)) is not None:
                deadline.cancel()
        if job.done:
            self._finished[job.task_id] = None
            if len(self._finished) > _REMEMBERED_JOBS:
                self._finished.popitem(last=False)

    def _forget_task(self, task_id: str) -> None:
        self.tasks.pop(task_id, None)
        self.inits.pop(task_id, None)

    def lost_for_good(self, why: str) -> None:
        """Another database: what this client knew of is not there any more."""
        error = ConnectionLost(why)
        for task in [task for task in self.tasks.values() if task.was_accepted]:
            self._forget_task(task.task_id)
            task.lose(error)
        for job in list(self.jobs.values()):
            job.close()
