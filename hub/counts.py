"""What the hub counts while it works: plain numbers, read by ``hub.metrics`` when somebody asks.

Adding one to an attribute costs some 30 ns, a Prometheus counter 50 times that. Each station owns
its counts; any thread may read them. Labels come from closed sets, never from a client.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from hub.core import reasons
from hub.core.errors import Rejection
from hub.core.facts import Event, Fact, Offered
from hub.core.values import HUB, EventKind

#: Refused handshakes that are remembered.
RECENT = 100

_HUBS_REASONS = {
    reasons.NO_SUBSCRIBER: "no-subscriber",
    reasons.START_TIMEOUT: "start-timeout",
    reasons.END_TIMEOUT: "end-timeout",
    reasons.SERVICE_LOST: "service-lost",
    reasons.FORBIDDEN: "forbidden",
}
INIT, START, UPDATE = EventKind.INIT, EventKind.START, EventKind.UPDATE
SUCCESS, END = EventKind.SUCCESS, EventKind.END
_CANCELLED = reasons.cancelled("", None).partition("Cancelled by")[0]


class Histogram:
    """Observations by upper bounds, with a last bucket for everything above."""

    def __init__(self, *bounds: float) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Commits:
    """What group commit did. Written by its writer thread, failures and restarts by the loop."""

    def __init__(self) -> None:
        self.decisions = Histogram(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
        #: seconds, the sync included
        self.seconds = Histogram(
            *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
        )
        self.failures = 0
        self.writer_restarts = 0
        #: committed events
        self.opened = self.started = self.updated = self.dropped = self.ended = 0
        #: tasks that succeeded, and how many of those by the hub's word
        self.succeeded = self.without_service = 0
        #: tasks that failed, by reason
        self.failed: Counter[str] = Counter()
        #: docs/protocol.md §7, participants of a task
        self.max_participants = 0
        #: tasks that got as many
        self.crowded = 0

    def committed(  # noqa: C901  (one branch for each kind: flat, and a call for each costs more)
        self, decisions: int, facts: Sequence[Fact], refused: Collection[int], seconds: float
    ) -> None:
        """One batch is stored, but for the tasks with a refused key."""
        self.decisions.observe(decisions)
        self.seconds.observe(seconds)
        if refused:
            facts = [fact for fact in facts if fact.task not in refused]
        # By identity: an enum's hash is a call in Python, ten times what this costs.
        inits = starts = updates = successes = ends = 0
        for fact in facts:
            if fact.__class__ is not Event:
                if fact.__class__ is Offered and fact.participant == self.max_participants:
                    self.crowded += 1
                continue
            kind = fact.kind
            if kind is START:
                starts += 1
            elif kind is SUCCESS:
                successes += 1
                if not fact.participant:
                    self.without_service += 1
            elif kind is END:
                ends += 1
            elif kind is INIT:
                inits += 1
            elif kind is UPDATE:
                updates += 1
            else:
                self._rarer(fact)
        self.opened += inits
        self.started += starts
        self.updated += updates
        self.succeeded += successes
        self.ended += ends

    def _rarer(self, event: Event) -> None:
        if event.kind is EventKind.FAIL:
            self.failed[reason_of(event)] += 1
        else:
            self.dropped += 1


def reason_of(fail: Event) -> str:
    """Why a task failed, out of a closed set: ``service``, or the hub's own reason."""
    body = fail.body or ""
    if not fail.participant and body.startswith(_CANCELLED):
        return "cancelled"
    return _HUBS_REASONS.get(body, "hub") if fail.by == HUB else "service"


class Decisions:
    """What entered the pipeline, and what of it was refused."""

    def __init__(self) -> None:
        #: frames by the type of command they held; those that held none as ``Refuse``
        self.frames: defaultdict[type, int] = defaultdict(int)
        self.refused: Counter[str] = Counter()
        #: limits of docs/protocol.md §7 that were reached, by their name
        self.limits: Counter[str] = Counter()
        self.deadlines = 0
        self.restarts_over = 0

    def refuse(self, rejection: Rejection) -> None:
        """One command was refused."""
        self.refused[rejection.code.value] += 1
        if rejection.limit is not None:
            self.limits[rejection.limit] += 1


class RefusedHandshake(NamedTuple):
    """One handshake that was refused."""

    #: ms since the epoch
    at: int
    address: str
    #: the client it said it was, if there may be one of that name; else empty
    name: str
    reason: str
    status: int


class Traffic:
    """What the sockets of this process did."""

    def __init__(self) -> None:
        #: the last refused handshakes, oldest first; a new tuple for each, so any thread may read
        self.recent: tuple[RefusedHandshake, ...] = ()
        #: handshakes that became connections, by protocol
        self.accepted: Counter[str] = Counter()
        #: handshakes that were refused, by reason
        self.refused: Counter[str] = Counter()
        #: pages of the dashboard that are kept up to date
        self.live = 0
        self.bytes_out = 0
        #: connections that the hub closed, by close code
        self.closed: Counter[int] = Counter()
        #: limits of a socket that were reached, by their name
        self.limits: Counter[str] = Counter()

    def refuse(self, refused: RefusedHandshake) -> None:
        """One handshake was refused."""
        self.refused[refused.reason] += 1
        self.recent = (*self.recent[1 - RECENT :], refused)


#: uvicorn makes its protocols itself and hands them nothing of ours: one for the process.
traffic = Traffic()
