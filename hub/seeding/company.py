"""What the company's connections do: publish, and answer when they are offered a task.

Nothing here knows a rule of the lifecycle: each word is a command, and the hub decides what
becomes of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp
from random import Random

from hub.core.access import Access, access
from hub.core.inputs import Cancel, Init, Report
from hub.core.values import Body, EventKind
from hub.seeding.bodies import error
from hub.seeding.mix import PUBLISHERS, SERVICES, Service, Work

_START, _UPDATE, _DROP = EventKind.START, EventKind.UPDATE, EventKind.DROP
_SUCCESS, _FAIL = EventKind.SUCCESS, EventKind.FAIL

_NOT_MINE = error("not-sampled", "Not among the payments to be looked at.")
_BUSY = error("busy", "The queue is full; another one may have room.")

#: ms from now, and what to say
Step = tuple[int, Report | Cancel]


@dataclass(frozen=True, slots=True)
class Worker:
    """One connection of a service."""

    connection: str
    service: Service


def rights_of(service: Service) -> Access:
    """What a service may do."""
    return access(service.name, sub=service.patterns, group=service.group)


def publishers() -> Iterator[tuple[str, Access]]:
    """Connection and rights of those who publish."""
    for name in PUBLISHERS:
        yield f"{name}-1", access(name, pub=["*"])


def services() -> tuple[Service, ...]:
    """Those who work."""
    return SERVICES


class Words:
    """Makes the commands of everybody, with ids that no other has."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._prefix = f"{random.getrandbits(40):010x}"
        self._made = 0

    def fresh_id(self) -> str:
        """An id for an event or a connection."""
        self._made += 1
        return f"{self._prefix}-{self._made:x}"

    def init(self, work: Work, at: int, number: int) -> Init:
        """A new task. Its id begins with the time, as a UUID of version 7 does."""
        time, noise = f"{at:012x}", f"{self._random.getrandbits(72):018x}"
        parts = (time[:8], time[8:], f"7{noise[:3]}", f"8{noise[3:6]}", noise[6:])
        return Init(
            connection=f"{work.publisher}-1",
            task_id="-".join(parts),
            event_id=self.fresh_id(),
            action=work.action,
            payload=work.payload(self._random, number),
            start_timeout=work.start_timeout,
            end_timeout=work.end_timeout,
            expect=work.expect,
            settle=work.settle,
            claim=work.claim,
        )

    def cancel(self, work: Work, task_id: str) -> Step | None:
        """Its publisher thinks better of it, while it is worked on."""
        if self._random.random() * 100 >= work.cancelled:
            return None
        after = int(self._duration(work) * self._random.random())
        command = Cancel(
            connection=f"{work.publisher}-1", task_id=task_id, reason='"no longer needed"'
        )
        return after, command

    def answers(self, worker: Worker, work: Work, task_id: str) -> Iterator[Step]:
        """All that a worker says of a task it is offered, each step some time after the last."""

        def say(kind: EventKind, body: Body | None = None) -> Report:
            return Report(
                connection=worker.connection,
                kind=kind,
                task_id=task_id,
                event_id=self.fresh_id(),
                body=body,
            )

        random = self._random
        luck = random.random() * 100
        soon = 1 + int(random.expovariate(0.1))
        if worker.service.onlooker or luck < work.drops:
            yield soon, say(_DROP, _NOT_MINE if worker.service.onlooker else _BUSY)
            return
        luck -= work.drops
        if luck < work.hangs / 2:
            return
        yield soon, say(_START)
        duration = self._duration(work)
        if work.steps:
            step = max(duration // work.steps, 1)
            reached = random.randrange(work.steps) if luck < work.hangs else work.steps
            for done in range(1, reached):
                yield step, say(_UPDATE, f'{{"done":{done},"total":{work.steps}}}')
            duration = step
        if luck < work.hangs:
            return
        if luck < work.hangs + work.fails:
            yield duration, say(_FAIL, random.choice(work.reasons))
        else:
            yield duration, say(_SUCCESS, work.result(random, random.randrange(1_000_000)))

    def _duration(self, work: Work) -> int:
        return max(int(work.median_ms * exp(self._random.gauss(0, work.spread))), 1)
