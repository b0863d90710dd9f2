"""Where the microseconds of a durable task go: each station alone, in this process, no sockets.

The only benchmark that looks inside the hub. ``python -m benchmarks.parts DIRECTORY`` prints one
JSON line; the directory gets a database.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

from hub.clock_and_ids import fresh_ids
from hub.core import inputs
from hub.core.access import access
from hub.core.decision import Decision
from hub.core.effects import Deliver
from hub.core.engine import Engine
from hub.core.facts import Fact
from hub.core.limits import Limits
from hub.core.presence import Presence
from hub.core.values import Token
from hub.journal.rows import rows_of
from hub.journal.sqlite import SqliteJournal
from hub.protocol.decode import decode
from hub.protocol.frames import Rules
from hub.router.local import LocalRouter
from hub.router.port import Outgoing
from hub.router.presence import Roll

T = TypeVar("T")

#: Tasks of one round, and how many of them are in one commit.
TASKS, BATCH, ROUNDS = 12_800, 64, 3
_NOW = 1_760_000_000_000
_PUBLISHER, _SERVICE = "p" * 16, "s" * 16
_PAYLOAD = '{"to":"someone@example.org","subject":"hello","n":12345}'
_RULES = Rules(strict_actions=True, max_nesting=64, max_start_timeout=10**9, max_end_timeout=10**9)


class _Sink:
    """A connection that only has its messages framed."""

    token = Token("")
    v1 = True
    lazy_payload: int | None = None
    frames = 0
    unsent = 0

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self.sent = 0

    def send(self, messages: Outgoing) -> None:
        self.sent += len(messages.frames)

    def close(self, code: int) -> None:
        """Part of Sink."""

    async def room(self) -> None:
        """Part of Sink."""

    def bad_frame(self) -> None:
        """Part of Sink."""


def _frames() -> Iterator[tuple[str, str]]:
    """Who sends what: a batch of inits, the batch of their successes, and so on."""
    for begin in range(0, TASKS, BATCH):
        for task in range(begin, begin + BATCH):
            head = f'{{"cmd":"pub","event":"init","eventId":"i{task:012}","taskId":"{task:012}"'
            yield _PUBLISHER, f'{head},"action":"bench/p:work","payload":{_PAYLOAD}}}'
        for task in range(begin, begin + BATCH):
            head = f'{{"cmd":"pub","event":"success","eventId":"s{task:012}","taskId":"{task:012}"'
            yield _SERVICE, f'{head},"result":{{"ok":true}}}}'


def _read(frames: Sequence[tuple[str, str]]) -> list[inputs.Command]:
    read = [decode(text, connection=who, v1=True, rules=_RULES) for who, text in frames]
    return cast("list[inputs.Command]", read)


def _engine() -> Engine:
    engine = Engine(Limits(max_open_tasks_per_client=TASKS), fresh_ids())
    everything = access("bench", sub=["*"], pub=["*"])
    for connection in (_PUBLISHER, _SERVICE):
        engine.decide(inputs.Connected(connection=connection, access=everything), _NOW)
    engine.decide(inputs.Subscribe(connection=_SERVICE, pattern="bench/p:work"), _NOW)
    return engine


def _decide(engine: Engine, commands: Sequence[inputs.Command]) -> list[Decision]:
    decisions: list[Decision] = []
    for command in commands:
        decisions += engine.decide(command, _NOW)  # type: ignore[arg-type]
    return decisions


def _route(decisions: Sequence[Decision]) -> None:
    router = LocalRouter(Roll())
    for connection in (_PUBLISHER, _SERVICE):
        who = Presence(
            connection=connection, client="bench", address="", protocol="taskhub.v1", since=0
        )
        router.add(_Sink(connection), who)
    for decision in decisions:
        for effect in decision.effects:
            if isinstance(effect, Deliver):
                router.deliver(effect)


def _batches(decisions: Sequence[Decision]) -> list[list[Fact]]:
    return [
        [fact for decision in decisions[at : at + BATCH] for fact in decision.facts]
        for at in range(0, len(decisions), BATCH)
    ]


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU microseconds a task, all threads, user and system; and what the work gave."""
    start = time.process_time()
    result = work()
    return (time.process_time() - start) / TASKS * 1e6, result


def measure(database: Path) -> dict[str, float]:
    """CPU microseconds a task of each station; the best of some rounds, but for the journal."""
    found: dict[str, list[float]] = {}
    frames = list(_frames())
    gc.disable()  # the hub's own work is not kept, so its collector has next to nothing to do
    for _ in range(ROUNDS):
        took, commands = _timed(lambda: _read(frames))
        found.setdefault("read two frames", []).append(took)
        engine = _engine()
        took, decisions = _timed(lambda: _decide(engine, commands))  # noqa: B023  (called at once)
        found.setdefault("decide", []).append(took)
        took, _ = _timed(lambda: _route(decisions))  # noqa: B023
        found.setdefault("encode, frame and route eight messages", []).append(took)
    batches = _batches(decisions)
    took, _ = _timed(lambda: [rows_of(facts) for facts in batches])
    found["make rows"] = [took]
    journal = SqliteJournal(database)
    journal.open()
    whole, _ = _timed(lambda: [journal.commit(facts) for facts in batches])
    journal.close()
    found["SQLite, syncs included"] = [whole - took]
    return {name: min(values) for name, values in found.items()}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
