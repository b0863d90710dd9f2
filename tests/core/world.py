"""An engine, a clock, a journal, and what each connection heard: the pipeline in memory."""

import itertools
from collections import defaultdict

from hub.core import inputs
from hub.core.decision import Decision
from hub.core.effects import Deliver, Effect, Offer, Refuse
from hub.core.engine import Engine
from hub.core.errors import Rejection, TaskNotLoaded
from hub.core.facts import Event, Fact
from hub.core.limits import Limits
from hub.core.remembered import remembered
from hub.core.task import Task, fold
from hub.core.values import Token
from hub.journal.memory import MemoryJournal
from hub.journal.port import Journal

#: The time at which every story begins: a multiple of the deadlines' grain.
BEGIN = 1_000_000
EPOCH = "the epoch"


def client_of(connection: str) -> str:
    """``a.2`` is a connection of client ``a``."""
    return connection.partition(".")[0]


def session_of(connection: str) -> Token:
    """The session that a connection is told."""
    return Token(f"session of {connection}")


def tellings(effect: Deliver | Offer) -> list[tuple[Event, tuple[str, ...]]]:
    """Each event of an effect, and who hears it."""
    if isinstance(effect, Offer):
        return [(effect.event, (effect.to,))]
    told = [(event, effect.to) for event in effect.events]
    if effect.sender is not None and effect.sender not in effect.to:
        told[effect.answer] = (effect.events[effect.answer], (*effect.to, effect.sender))
    return told


class World:
    """An engine and all around it, in memory. Nothing here knows a rule of the lifecycle."""

    def __init__(self, journal: Journal | None = None, **limits: int) -> None:
        self.limits = Limits(**limits)
        self.journal = journal or MemoryJournal()
        self.now = BEGIN
        self._ids = itertools.count(1)
        self.engine = Engine(self.limits, self.fresh_id, epoch=EPOCH)
        #: what has been stored, by task key, in order
        self.facts: dict[int, list[Fact]] = defaultdict(list)
        #: taskId → key, of every stored task
        self.keys: dict[str, int] = {}
        #: task key → the fold of its stored facts
        self.folded: dict[int, Task] = {}
        #: connection → (task key, eventId) of each event delivered or offered to it. Of ended
        #: tasks that a restart has forgotten, an eventId may come again, in another task.
        self.heard: dict[str, set[tuple[int, str]]] = defaultdict(set)
        #: whether the next step's facts will fail to be stored
        self.unstored = False
        #: the decisions of the last step
        self.decisions: list[Decision] = []

    def fresh_id(self) -> str:
        """An id of the hub's."""
        return f"h{next(self._ids)}"

    # In

    def do(self, item: inputs.Decided) -> list[Effect]:
        """Let something enter, as the pipeline would; returns what is to be told."""
        self.decisions = []
        if isinstance(item, inputs.Resume):
            self._displace(item)
        try:
            return self._commit(self._decide(item))
        except Rejection as rejection:
            assert isinstance(item, inputs.Command)
            return [Refuse(to=item.connection, rejection=rejection)]

    def _displace(self, command: inputs.Resume) -> None:
        lost = self.engine.lost(command)
        if lost is not None and lost.live:
            gone = inputs.Disconnected(connection=lost.id, resumed=True)
            assert self._commit(self.engine.decide(gone, self.now)) == []

    def _decide(self, item: inputs.Decided) -> list[Decision]:
        try:
            return self.engine.decide(item, self.now)
        except TaskNotLoaded as missing:
            assert isinstance(item, inputs.Command)
            return self._load_and_decide(missing.task_id, item)

    def _load_and_decide(self, task_id: str, command: inputs.Command) -> list[Decision]:
        task = self.load(task_id)
        if task is None:
            return self.engine.decide_absent(command)
        self.engine.books.remember(remembered(task))
        return self.engine.decide(command, self.now)  # type: ignore[arg-type]

    def _commit(self, decisions: list[Decision]) -> list[Effect]:
        facts = [fact for decision in decisions for fact in decision.facts]
        if self.unstored and facts:
            self.unstored = False
            self.engine.books.forget({decision.key for decision in decisions})
            waited = [effect for d in decisions if not d.facts for effect in d.effects]
            return waited + self.read_anew()
        refused = self.store(facts)
        effects: list[Effect] = []
        for decision in decisions:
            if decision.key in refused:
                self.engine.books.forget({decision.key})
                assert isinstance(decision.command, inputs.Init)
                again = self._load_and_decide(decision.command.task_id, decision.command)
                effects += self._commit(again)
                continue
            self.decisions.append(decision)
            self._note(decision.facts)
            effects += decision.effects
        self._hear(effects)
        return effects

    def _note(self, facts: list[Fact]) -> None:
        for fact in facts:
            self.facts[fact.task].append(fact)
            if isinstance(fact, Event) and fact.created is not None:
                assert fact.task_id not in self.keys
                self.keys[fact.task_id] = fact.task
        for key in {fact.task for fact in facts}:
            self.folded[key] = fold(self.facts[key])

    def _hear(self, effects: list[Effect]) -> None:
        """§4.4: an eventId never reaches a connection twice, replays asked for aside."""
        for effect in effects:
            if isinstance(effect, Deliver | Offer):
                for event, to in tellings(effect):
                    told = (event.task, event.event_id)
                    for connection in to:
                        assert told not in self.heard[connection], effect
                        self.heard[connection].add(told)

    def tick(self, ms: int = 0) -> list[Effect]:
        """Let time pass in one jump, then decide what is due."""
        self.now += ms
        return self.do(inputs.Tick())

    # The journal

    def store(self, facts: list[Fact]) -> frozenset[int]:
        """Keys of the new tasks whose taskId is taken: of those nothing is stored."""
        return self.journal.commit(facts) if facts else frozenset()

    def load(self, task_id: str) -> Task | None:
        """A task as the journal has it."""
        return self.journal.load(task_id)

    def load_open(self) -> list[Task]:
        """Open tasks as the journal has them."""
        return self.journal.load_open()

    def read_anew(self) -> list[Effect]:
        """A commit failed: open connections stay, memory is made again."""
        self.decisions = []
        return self._commit(self.engine.restore(self.load_open(), self.now))

    def restart(self) -> list[Effect]:
        """The hub's process ended and began again: nobody is connected."""
        tasks = self.load_open()
        self.engine = Engine(self.limits, self.fresh_id, self.journal.last_key(), EPOCH)
        self.decisions = []
        return self._commit(self.engine.restore(tasks, self.now))

    def task(self, task_id: str = "t") -> Task:
        """A task as it is stored."""
        return self.folded[self.keys[task_id]]
