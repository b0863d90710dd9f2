"""Mutated frames on one connection: each gets an answer, and nothing else comes of it."""

import random
import sqlite3
from collections.abc import Iterator

from tests.hub_process import HubProcess
from tests.raw_peer import JSON
from tests.strangers import oracle
from tests.strangers.judge import CLASSES, error_code, text_of
from tests.strangers.line import V1, Line, Mark, texts
from tests.strangers.mutations import Mutator
from tests.strangers.world import PROBE, filled

#: Codes that a frame may get which is right by itself.
REFUSALS = {"forbidden", "unknown-task", "duplicate-task", "event-conflict", "task-ended"} | {
    *("claimed", "illegal-transition", "limit")
}
#: What the probe was granted.
NOUNS = ("weather", "email")
#: Mutated frames on their way at a time, and chance that one has ids that were used before.
AT_A_TIME = 25
REUSE = 0.2

Pair = tuple[str, str]


class Crowd:
    """Sends mutated frames and judges every answer."""

    def __init__(
        self, line: Line, version: str, names: dict[str, str], seeds: list[bytes], seed: int
    ) -> None:
        self._line = line
        self._version = version
        self._names = names
        self._mutator = Mutator(seeds, seed)
        self._random = random.Random(seed)
        self._ids: list[dict[str, str]] = []
        #: eventIds that were sent: a repeat is answered later, or on legacy not at all (§4.7)
        self._sent: set[str] = set()
        #: right commands whose answer has to be looked up first
        self._late: list[str | bytes] = []
        #: (taskId, eventId) of everything told, and the taskIds of those that were inits
        self.told: set[Pair] = set()
        self.inits: set[str] = set()
        self._tasks = set(names.values())
        self.refused = 0

    async def send(self, count: int) -> None:
        """So many frames, each judged by what is said before the next one is answered."""
        for batch in self._batches(count):
            rows = [(frame, Mark()) for frame in batch]
            self._line.send(*(texts([frame]) + mark.data for frame, mark in rows))
            for frame, mark in rows:
                self._judge(frame, await mark.reached(self._line))
        await self._catch_up()

    def _batches(self, count: int) -> Iterator[list[str | bytes]]:
        """A few at a time. A read begins one: its answer does not wait in the line of commits."""
        batch: list[str | bytes] = []
        for _ in range(count):
            frame = self._frame()
            if batch and (len(batch) >= AT_A_TIME or self._reads(frame)):
                yield batch
                batch = []
            batch.append(frame)
        yield batch

    def _reads(self, frame: str | bytes) -> bool:
        right = not oracle.defects(frame, self._version)
        return right and oracle.command(frame)[0] in ("get", "watch", "unwatch")

    def _frame(self) -> str | bytes:
        """Text where it can be, now and then as a binary frame."""
        data = self._mutator.frame()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return data
        frame = filled(text, self._names | self._fresh())
        return str(frame).encode() if self._random.random() < 0.1 else frame

    def _fresh(self) -> dict[str, str]:
        if self._ids and self._random.random() < REUSE:
            return self._random.choice(self._ids[-50:])
        self._ids.append({name: f"{self._random.getrandbits(64):016x}" for name in ("$E", "$T")})
        return self._ids[-1]

    # What is said

    def _judge(self, frame: str | bytes, said: list[JSON]) -> None:
        shown = f"{self._version} {frame!r:.300} is answered {said!r:.900}"
        for message in said:
            self._note(message)
        errors = [message for message in said if message["status"] == "error"]
        own = [error for error in errors if error["request"] == (text_of(frame) or "")[:1024]]
        for error in errors:
            assert error in own or self._answers_late(error), shown
        assert len(own) <= 1, shown
        wrong = oracle.defects(frame, self._version)
        if wrong:
            self.refused += 1
            assert len(own) == 1, shown
            self._code(frame, own[0], wrong)
        elif (allowed := oracle.allowed(frame, NOUNS)) is False:
            self.refused += 1
            assert own, shown
            self._code(frame, own[0], {"forbidden"})
        elif own:
            self.refused += 1
            self._code(frame, own[0], REFUSALS - ({"forbidden"} if allowed else set()))
        elif not self._acknowledged(frame, said):
            assert self._may_be_late(frame), shown

    def _note(self, message: JSON) -> None:
        # a refused init of legacy is told as a fail, which is stored nowhere (§7)
        if "event" in message:
            self.told.add((message["taskId"], message["eventId"]))
            self._tasks.add(message["taskId"])
            if message["event"] == "init":
                self.inits.add(message["taskId"])

    def _code(self, frame: str | bytes, error: JSON, codes: set[str]) -> None:
        possible = codes | {CLASSES[code] for code in codes}
        assert error_code(frame, error, self._version) in possible, f"{error} of {codes}"

    def _acknowledged(self, frame: str | bytes, said: list[JSON]) -> bool:
        cmd, event, task, event_id = oracle.command(frame)
        if cmd == "cancel":
            return ("fail", task) in [(m.get("event"), m.get("taskId")) for m in said]
        if cmd != "pub":
            return any("event" not in message for message in said)
        repeated = event_id in self._sent
        self._sent.add(event_id)
        if self._version != V1 and (event == "end" or repeated):
            return True  # silence is an answer (D10, §4.7)
        if self._version != V1 and event == "start" and task in self._tasks:
            return True  # as it is to a second start (§5.2)
        return any(
            message.get("eventId") == event_id or (event == "end" and message.get("taskId") == task)
            for message in said
        )

    def _may_be_late(self, frame: str | bytes) -> bool:
        """A repeat of a stored event is read from the database first."""
        self._late.append(frame)
        return self._version == V1 and oracle.command(frame)[3] in self._sent

    def _answers_late(self, error: JSON) -> bool:
        late = [f for f in self._late if (text_of(f) or "")[:1024] == error["request"]]
        for frame in late[:1]:
            self._late.remove(frame)
        return bool(late)

    async def _catch_up(self) -> None:
        """Wait for the answers that were still being looked up."""
        while self._late:
            wanted = {oracle.command(frame)[3] for frame in self._late}
            message = await self._line.json()
            assert message is not None, f"closed, and unanswered are {self._late!r:.900}"
            self._note(message)
            if message.get("eventId") in wanted:
                self._late = [
                    f for f in self._late if oracle.command(f)[3] != message.get("eventId")
                ]


class Stored:
    """What the database holds of the probe, as far as it was not there before."""

    def __init__(self, hub: HubProcess) -> None:
        self._path = hub.directory / "taskhub.sqlite3"
        self._before = self._read()

    def _read(self) -> tuple[set[Pair], set[Pair]]:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        try:
            tasks = connection.execute("SELECT task_id, publisher FROM hub_task")
            events = connection.execute(
                "SELECT t.task_id, e.event_id FROM hub_task_event e JOIN hub_task t"
                " ON t.id = e.task WHERE e.by = ?",
                [PROBE],
            )
            return set(tasks), set(events)
        finally:
            connection.close()

    def check(self, crowd: Crowd, others: set[str]) -> None:
        """Stored is what was told, and told is what is stored; beside that only ``others``."""
        tasks, events = (
            now - before for now, before in zip(self._read(), self._before, strict=True)
        )
        own = {task for task, publisher in tasks if publisher == PROBE}
        assert own <= crowd.inits, f"stored and never told: {own - crowd.inits}"
        assert {task for task, publisher in tasks if publisher != PROBE} == others
        assert events <= crowd.told, f"stored and never told: {events - crowd.told}"
        stored = {task for task, _ in self._read()[0]}
        assert crowd.inits <= stored, f"told and not stored: {crowd.inits - stored}"
