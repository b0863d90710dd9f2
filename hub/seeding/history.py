"""The time that passes in a made-up history: arrivals, answers, deadlines, batches to store.

The hub's own engine decides about everything; nothing else makes a fact. One run holds what is
open, one hour of arrivals and one batch, however long the history.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, merge
from itertools import accumulate
from random import Random

from hub.core.engine import Engine
from hub.core.errors import Rejection, TaskNotLoaded
from hub.core.facts import Fact, Offered
from hub.core.inputs import Cancel, Connected, Decided, Disconnected, Report, Subscribe, Tick
from hub.core.limits import Limits
from hub.seeding.company import Step, Words, Worker, publishers, rights_of, services
from hub.seeding.mix import DAY, HOUR, LONG, MINUTE, WAITING, WORKS, Service, Work

#: Facts stored together.
BATCH = 8_000
#: A service loses each of its connections after so long, on average, and is back within seconds.
_CONNECTED_MS = 2 * HOUR
_AWAY_MS = 20_000
#: At the end some tasks wait that were published within so long; others are at work.
_LATE_MS = 40 * MINUTE
#: What is published is only limited by the number that was asked for.
_LIMITS = Limits(max_open_tasks=10**9, max_open_tasks_per_client=10**9, max_open_bytes=10**12)
#: Weekends are quieter.
_WEEKEND = 0.55
_BY_ACTION = {work.action: work for work in WORKS}
_EPOCH_WEEKDAY = 3


@dataclass(slots=True)
class Talk:
    """What one worker has still to say of one task."""

    steps: Iterator[Step]
    command: Report | Cancel


class History:
    """One made-up history, from ``begin`` to ``end`` (ms). ``store`` takes facts in order."""

    def __init__(
        self,
        *,
        tasks: int,
        begin: int,
        end: int,
        random: Random,
        last_key: int,
        store: Callable[[list[Fact]], None],
    ) -> None:
        self._tasks = tasks
        self._begin = begin
        self._end = end
        self._random = random
        self._store = store
        self._words = Words(random)
        self._engine = Engine(_LIMITS, self._words.fresh_id, last_key)
        self._number = last_key
        self._workers: dict[str, Worker] = {}
        self._facts: list[Fact] = []
        #: (when, which came first, what)
        self._due: list[tuple[int, int, Talk | Service | Worker]] = []
        self._queued = 0
        #: tasks that were published
        self.published = 0

    def run(self) -> None:
        """Let it all happen. What is open at the end stays open."""
        self._open_shop()
        for at, work in self._arrivals():
            self._pass_time(at)
            self._publish(work, at)
        self._pass_time(self._end)
        self._flush()

    @property
    def open(self) -> int:
        """How many tasks have not ended yet."""
        return len(self._engine.books.open)

    # Who is there

    def _open_shop(self) -> None:
        for connection, rights in publishers():
            self._do(Connected(connection=connection, access=rights), self._begin)
        for service in services():
            for _ in range(service.connections):
                at = self._begin if service.hours is None else self._next_shift(service)
                self._queue(at, service)

    def _next_shift(self, service: Service, after: int | None = None) -> int:
        assert service.hours is not None
        at = self._begin if after is None else after
        midnight = at // DAY * DAY
        shift = midnight + service.hours[0] * HOUR
        return shift if shift > at else shift + DAY

    def _connect(self, service: Service, at: int) -> None:
        worker = Worker(self._words.fresh_id(), service)
        self._workers[worker.connection] = worker
        self._do(Connected(connection=worker.connection, access=rights_of(service)), at)
        for pattern in service.patterns:
            subscribe = Subscribe(connection=worker.connection, pattern=pattern)
            self._do(subscribe, at)
        if service.hours is None:
            lost_at = at + 1 + int(self._random.expovariate(1 / _CONNECTED_MS))
        else:
            lost_at = at + (service.hours[1] - service.hours[0]) * HOUR
        self._queue(lost_at, worker)

    def _disconnect(self, worker: Worker, at: int) -> None:
        del self._workers[worker.connection]
        self._do(Disconnected(connection=worker.connection), at)
        service = worker.service
        if service.hours is None:
            self._queue(at + self._random.randrange(1, _AWAY_MS), service)
        else:
            self._queue(self._next_shift(service, at), service)

    # What is published

    def _arrivals(self) -> Iterator[tuple[int, Work]]:
        """When what is published, in order: by the hours of the mix, and a few that stay open."""
        count = min(8, self._tasks // 50)
        late = [(self._late(_LATE_MS), WAITING) for _ in range(count // 2)]
        late += [(self._late(MINUTE), LONG) for _ in range(count - count // 2)]
        return merge(self._regular(self._tasks - count), sorted(late, key=_time), key=_time)

    def _late(self, within_ms: int) -> int:
        return max(self._begin, self._end - self._random.randrange(1, within_ms))

    def _regular(self, tasks: int) -> Iterator[tuple[int, Work]]:
        hours = [
            (max(at, self._begin), min(at + HOUR, self._end))
            for at in range(self._begin // HOUR * HOUR, self._end, HOUR)
        ]
        weights = [_weight(begin) * (end - begin) for begin, end in hours]
        total, reached, done = sum(weights), 0.0, 0
        for (begin, end), weight in zip(hours, weights, strict=True):
            reached += weight
            count = round(tasks * reached / total) - done
            done += count
            times = sorted(self._random.randrange(begin, end) for _ in range(count))
            shares = list(accumulate(_share(work, begin) for work in WORKS))
            works = self._random.choices(WORKS, cum_weights=shares, k=count)
            yield from zip(times, works, strict=True)

    def _publish(self, work: Work, at: int) -> None:
        self._number += 1
        command = self._words.init(work, at, self._number)
        if not self._do(command, at):
            return
        self.published += 1
        cancel = self._words.cancel(work, command.task_id)
        if cancel is not None:
            self._queue(at + cancel[0], Talk(iter(()), cancel[1]))

    # What becomes of it

    def _do(self, item: Decided, at: int) -> bool:
        """Let the engine decide; whether it took this."""
        try:
            decisions = self._engine.decide(item, at)
        except (Rejection, TaskNotLoaded):
            return False  # as in life: somebody was too late
        for decision in decisions:
            self._facts += decision.facts
            for fact in decision.facts:
                if type(fact) is Offered:
                    self._offered(fact, at)
        return True

    def _offered(self, offer: Offered, at: int) -> None:
        worker = self._workers.get(offer.connection)
        task = self._engine.books.by_key.get(offer.task)
        if worker is not None and task is not None:
            steps = self._words.answers(worker, _BY_ACTION[task.action], task.task_id)
            self._next_step(steps, at)

    def _next_step(self, steps: Iterator[Step], at: int) -> None:
        step = next(steps, None)
        if step is not None:
            self._queue(at + step[0], Talk(steps, step[1]))

    def _queue(self, at: int, what: Talk | Service | Worker) -> None:
        self._queued += 1
        heappush(self._due, (at, self._queued, what))

    def _pass_time(self, until: int) -> None:
        """Do everything that is due until then, in the order of time."""
        deadlines, due = self._engine.books.deadlines, self._due
        while True:
            deadline = deadlines.next_at()
            at = due[0][0] if due else until + 1
            if deadline is not None and deadline <= min(at, until):
                self._do(Tick(), deadline)
            elif at <= until:
                self._act(at, heappop(due)[2])
            else:
                break
        if len(self._facts) >= BATCH:
            self._flush()

    def _act(self, at: int, what: Talk | Service | Worker) -> None:
        if isinstance(what, Talk):
            if self._engine.books.live(what.command.connection):
                self._do(what.command, at)
                self._next_step(what.steps, at)
        elif isinstance(what, Service):
            self._connect(what, at)
        else:
            self._disconnect(what, at)

    def _flush(self) -> None:
        facts, self._facts = self._facts, []
        if facts:
            self._store(facts)


def _weight(at: int) -> float:
    return sum(_share(work, at) for work in WORKS)


def _share(work: Work, at: int) -> float:
    day = (at // DAY + _EPOCH_WEEKDAY) % 7
    return work.share * work.rhythm[at // HOUR % 24] * (_WEEKEND if day >= 5 else 1)


def _time(arrival: tuple[int, Work]) -> int:
    return arrival[0]
