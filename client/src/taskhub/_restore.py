"""A new connection in the place of a lost one (docs/protocol.md §6).

The hub is asked to `resume`. Where it does, it goes on where the lost connection was. Where it does
not, this client subscribes and watches anew, sends its inits once more (D14) and reads what it has
missed, and takes its jobs over (D5). The hub may not have noticed yet that the old connection is
dead, and would go on telling that one: so this is done again a few times.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from taskhub._errors import ConnectionLost, Refused, TaskHubError
from taskhub._job import Job
from taskhub._task import Task
from taskhub._wire import Message, command, event_command

if TYPE_CHECKING:
    from taskhub._session import Session

log = logging.getLogger("taskhub")

#: Seconds after which a connection that was not resumed makes sure of its tasks again. The hub
#: notices within 40 s that a connection is dead.
_ROUNDS: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0)
#: Seconds before the hub is asked again for what it could not tell for the moment.
_PAUSE: Final = 0.5
#: The same before it subscribes, when the hub has usually noticed.
_FIRST_ROUNDS: Final = (0.0, 0.05, 0.1, 0.2, 0.4)
#: Tasks and jobs asked about at a time.
_AT_A_TIME: Final = 100


class Restorer:
    """Of one session."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._welcome: Message | None = None
        self._connections = 0
        self._catching_up: set[str] = set()

    @property
    def reconnected(self) -> bool:
        """Whether this is not the first connection any more."""
        return self._connections > 1

    async def restore(self, welcome: Message) -> None:
        """Returns when the connection is in order; goes on until it is lost if need be."""
        session, before = self._session, self._welcome
        self._connections += 1
        # What begins on this connection is sure.
        tasks = [session.tasks[task_id] for task_id in session.inits]
        jobs = list(session.jobs.values())
        if before is not None and before.epoch != welcome.epoch:
            session.lost_for_good(
                "The hub has another database now: it does not know this task any more."
            )
            before = None
        resumed = before is not None and await self._resume(before)
        if not resumed:
            if before is not None:
                await self._rejoin_first(jobs)
            await self._subscribe_anew()
            await self._watch_anew()
        else:
            await self._unsubscribe_again()
        # What was not subscribed before, which on the first connection is all of it.
        await session.subscribe(volatile=True)
        # Not before: a connection that is lost until here has nothing to resume.
        self._welcome = welcome
        if before is not None and not resumed:
            session.spawn(self._make_sure(welcome, tasks, jobs), name="taskhub recovery")
        session.restored()

    async def _resume(self, before: Message) -> bool:
        session = self._session
        # 0 of an init that was not answered: if it was stored, all of it is told.
        tasks = {task.task_id: task.last_seq for task in session.tasks.values()}
        tasks |= {job.task_id: job.last_seq for job in session.jobs.values()}
        resume = command("resume", session=before.session, epoch=before.epoch, tasks=tasks)
        try:
            answer = await session.request(resume, volatile=True)
        except Refused as refused:
            log.debug("not resumed: %s", refused)
            return False
        return answer.resumed

    async def _rejoin_first(self, jobs: list[Job]) -> None:
        # Before it subscribes: the hub would offer a job that is at work here a second time, and
        # the first participation would be lost.
        for pause in _FIRST_ROUNDS:
            await asyncio.sleep(pause)
            taken = await asyncio.gather(*map(self.rejoin, jobs))
            jobs = [job for job, done in zip(jobs, taken, strict=True) if not done]
            if not jobs:
                return

    async def _unsubscribe_again(self) -> None:
        for subscription in self._session.leaving:
            unsub = command("unsub", action=subscription.pattern)
            await self._session.request(unsub, volatile=True)

    async def _subscribe_anew(self) -> None:
        session = self._session
        for subscription in list(session.subscribed):
            if subscription in session.leaving:
                continue
            try:
                await session.request(subscription.command(), volatile=True)
            except Refused as refused:
                session.broken(subscription, refused)

    async def _watch_anew(self) -> None:
        session = self._session
        watches: list[dict[str, Any]] = [
            command("watch", action=pattern) for pattern in session.watches
        ]
        watches += [
            command("watch", **{"taskId": task.task_id, "from": task.last_seq + 1})
            for task in session.tasks.values()
            if task.task_id not in session.inits and task.was_accepted
        ]
        for watch in watches:
            try:
                await session.request(watch, volatile=True)
            except Refused as refused:
                log.warning("A watch could not be begun anew: %s", refused)

    async def _make_sure(self, welcome: Message, tasks: list[Task], jobs: list[Job]) -> None:
        try:
            await self._ask_again(welcome, tasks, jobs)
        except ConnectionLost:
            log.debug("lost again; the next connection makes sure")

    async def _ask_again(self, welcome: Message, tasks: list[Task], jobs: list[Job]) -> None:
        for pause in _ROUNDS:
            await asyncio.sleep(pause)
            tasks = [task for task in tasks if not task.over]
            jobs = [job for job in jobs if job.at_work]
            if self._welcome is not welcome or not (tasks or jobs):
                return
            for start in range(0, len(tasks), _AT_A_TIME):
                part = tasks[start : start + _AT_A_TIME]
                await asyncio.gather(*(self._return_to(task) for task in part))
            for start in range(0, len(jobs), _AT_A_TIME):
                await asyncio.gather(*map(self.rejoin, jobs[start : start + _AT_A_TIME]))

    async def _return_to(self, task: Task) -> None:
        init = self._session.inits.get(task.task_id)
        if init is None or not task.was_accepted:
            return  # over, or its init is on the way anyway
        try:
            await self._session.request(init, volatile=True)
        except (Refused, ConnectionLost) as error:
            log.debug("%r: %s", task, error)
        await self.catch_up(task)

    async def catch_up(self, task: Task) -> None:
        """Read from the history what was missed."""
        if task.task_id in self._catching_up:
            return
        self._catching_up.add(task.task_id)
        try:
            while not task.over:
                since = task.last_seq
                events = await self._events(task.task_id, since + 1)
                for message in events:
                    self._session.tell(message, live=False)
                if task.last_seq == since or not events:
                    return
        except TaskHubError as error:
            log.debug("%r could not be caught up with: %s", task, error)
        finally:
            self._catching_up.discard(task.task_id)

    async def _events(self, task_id: str, since: int) -> list[Message]:
        ask = command("get", **{"taskId": task_id, "what": "events", "from": since})
        while True:
            try:
                return (await self._session.request(ask, volatile=True)).events or []
            except Refused as refused:
                if not refused.retry:
                    raise
            await asyncio.sleep(_PAUSE)

    async def rejoin(self, job: Job) -> bool:
        """Take a participation over on this connection; False if the hub is not ready for it."""
        if not job.at_work:
            return True
        try:
            await self._session.request(event_command("start", job.task_id), volatile=True)
        except Refused as refused:
            log.debug("%r was not taken over yet: %s", job, refused)
            return refused.code != "unknown-task"
        return True
