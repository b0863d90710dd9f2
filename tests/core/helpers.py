"""A world to tell stories in: an engine, a clock, a journal, and what each connection heard.

``check`` reads a story in two columns, history on the left and transcript on the right::

    a sub
    p init          | init p > p a
    a success 5     | start a > p a
                    | success a 5 > p a
                    | end hub > p a
    ? people        | a succeeded 5

A line without ``|`` says that nothing but acknowledgements followed. The left column:
``<connection> <verb> [body] [option=value | flag …]``; ``+<ms>`` lets time pass; ``restart``
drops every connection and ``reload`` keeps them, and both read the tasks anew from their
facts; ``unstored`` makes the next step's facts fail to be stored; ``?`` asks a question.
A connection is named ``<client>`` or ``<client>.<n>``; it is opened when first named. A
task is ``t``, its action ``x:y`` and an event's id made up, unless an option says otherwise.

The right column: ``<event> <by> [=<what was sent>] [body] > <connections>``, with the code
alone for a reason of the hub and ``<task>:`` before what is not about ``t``.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator

from hub.core import inputs
from hub.core.access import Access, access
from hub.core.books import remembered
from hub.core.decision import Decision
from hub.core.effects import Acknowledge, Deliver, Effect, Offer, Refuse, Unchanged
from hub.core.engine import Engine
from hub.core.errors import Rejection, TaskNotLoaded
from hub.core.facts import Closed, Event, Fact
from hub.core.limits import Limits
from hub.core.task import Task, fold
from hub.core.values import HUB, EventKind, Expect, ParticipantState, Settle, TaskState
from hub.journal.memory import MemoryJournal
from hub.journal.port import Journal

#: The time at which every story begins: a multiple of the deadlines' grain.
BEGIN = 1_000_000
#: The start window of a story's tasks: a multiple of the grain too, so that it ends in time.
START_WINDOW = 96

COMMANDS = {
    "update": EventKind.UPDATE,
    "start": EventKind.START,
    "drop": EventKind.DROP,
    "success": EventKind.SUCCESS,
    "fail": EventKind.FAIL,
    "end": EventKind.END,
}


def client_of(connection: str) -> str:
    """``a.2`` is a connection of client ``a``."""
    return connection.partition(".")[0]


class World:
    """An engine and all around it, in memory. Nothing here knows a rule of the lifecycle."""

    def __init__(self, journal: Journal | None = None, **limits: int) -> None:
        self.limits = Limits(**limits)
        self.journal = journal or MemoryJournal()
        self.now = BEGIN
        self._ids = itertools.count(1)
        self.engine = Engine(self.limits, self.fresh_id)
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
        try:
            return self._commit(self._decide(item))
        except Rejection as rejection:
            assert isinstance(item, inputs.Command | inputs.OperatorCancel)
            to = item.connection if isinstance(item, inputs.Command) else item.operator
            return [Refuse(to=to, rejection=rejection)]

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
            return self.read_anew()
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
                to = effect.to if isinstance(effect, Deliver) else (effect.to,)
                told = (effect.event.task, effect.event.event_id)
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
        self.engine = Engine(self.limits, self.fresh_id, self.journal.last_key())
        self.decisions = []
        return self._commit(self.engine.restore(tasks, self.now))

    def task(self, task_id: str = "t") -> Task:
        """A task as it is stored."""
        return self.folded[self.keys[task_id]]

    def outcome(self, task_id: str = "t") -> str:
        """``<state>``, with the outcome once there is one."""
        task = self.task(task_id)
        return str(task.state) if task.outcome is None else f"{task.state} {task.outcome}"

    def people(self, task_id: str = "t") -> list[str]:
        """``<connection> <state> [body]`` of each participant."""
        found = []
        for participant in self.task(task_id).participants.values():
            body = "" if participant.body is None else f" {shown_body(participant.body)}"
            found.append(f"{participant.connection} {participant.state}{body}")
        return found


# Stories


class Story:
    """Reads steps and acts them out in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._event_ids = itertools.count(1)
        self.actions: dict[str, Callable[[], list[Effect]]] = {
            "restart": world.restart,
            "reload": world.read_anew,
        }

    def act(self, step: str) -> list[str]:
        """Do one step; returns its lines of transcript, acknowledgements left out."""
        words = step.split()
        if words[0] == "?":
            return self._answer(words[1:])
        if words[0] == "unstored":
            self.world.unstored = True
            return []
        effects = self._effects(words)
        return [shown_effect(e) for e in effects if not isinstance(e, Acknowledge)]

    def _answer(self, words: list[str]) -> list[str]:
        what, task_id = words[0], words[1] if len(words) > 1 else "t"
        return self.world.people(task_id) if what == "people" else [self.world.outcome(task_id)]

    def _effects(self, words: list[str]) -> list[Effect]:
        if words[0] in self.actions:
            return self.actions[words[0]]()
        if words[0].startswith("+"):
            return self.world.tick(int(words[0]))
        who, verb, *rest = words
        options = dict(w.split("=", 1) for w in rest if "=" in w)
        plain = [w for w in rest if "=" not in w]
        if verb in {"connect", "access"} and "group" in plain:
            options["group"] = "yes"
        if who == "operator":
            reason = plain[0] if plain else None
            task_id = options.get("task", "t")
            return self.world.do(
                inputs.OperatorCancel(task_id=task_id, operator="operator", reason=reason)
            )
        if verb == "access":
            return self.world.do(inputs.AccessChanged(connection=who, access=_access(who, options)))
        if who not in self.world.engine.books.connections and verb != "lost":
            self.world.do(inputs.Connected(connection=who, access=_access(who, options)))
        return self._by_connection(who, verb, plain, options)

    def _by_connection(
        self, who: str, verb: str, plain: list[str], options: dict[str, str]
    ) -> list[Effect]:
        match verb:
            case "connect":
                return []
            case "lost":
                return self.world.do(inputs.Disconnected(connection=who))
            case "sub":
                return self.world.do(
                    inputs.Subscribe(
                        connection=who,
                        pattern=options.get("action", "x:y"),
                        exact="exact" in plain,
                        group="group" in plain,
                    )
                )
            case "unsub":
                pattern = options.get("action", "x:y")
                return self.world.do(inputs.Unsubscribe(connection=who, pattern=pattern))
            case "init":
                return self.world.do(self._init(who, plain, options))
            case "cancel":
                reason = plain[0] if plain else None
                task_id = options.get("task", "t")
                return self.world.do(inputs.Cancel(connection=who, task_id=task_id, reason=reason))
            case _:
                return self.world.do(
                    inputs.Report(
                        connection=who,
                        kind=COMMANDS[verb],
                        task_id=options.get("task", "t"),
                        event_id=self._event_id(options),
                        body=plain[0] if plain else None,
                    )
                )

    def _init(self, who: str, plain: list[str], options: dict[str, str]) -> inputs.Init:
        start, end = options.get("start"), options.get("end")
        return inputs.Init(
            connection=who,
            task_id=options.get("task", "t"),
            event_id=self._event_id(options),
            action=options.get("action", "x:y"),
            payload=options.get("payload", "{}"),
            start_timeout=None if start is None else int(start),
            end_timeout=None if end is None else int(end),
            expect=Expect(options.get("expect", "result")),
            settle=Settle(options.get("settle", "any")),
            claim="claim" in plain,
        )

    def _event_id(self, options: dict[str, str]) -> str:
        return options.get("id") or f"e{next(self._event_ids)}"


def _access(who: str, options: dict[str, str]) -> Access:
    def patterns(verb: str, default: str) -> list[str]:
        return [p for p in options.get(verb, default).split(",") if p]

    return access(
        client_of(who),
        sub=patterns("sub", "*"),
        pub=patterns("pub", "*"),
        watch=patterns("watch", ""),
        group="group" in options,
    )


def shown_body(body: str) -> str:
    """A body, or the code alone of a reason of the hub."""
    value = json.loads(body)
    return value["code"] if isinstance(value, dict) and "code" in value else body


def shown_effect(effect: Effect) -> str:
    """One line of transcript."""
    match effect:
        case Deliver():
            return f"{_shown_event(effect.event)} > {' '.join(effect.to)}"
        case Offer():
            return f"{_prefix(effect.event.task_id)}offer > {effect.to}"
        case Unchanged():
            stored = "" if effect.seq is None else f" {effect.seq}"
            return f"{_prefix(effect.task_id)}unchanged{stored} > {effect.to}"
        case Refuse():
            return f"refused {effect.rejection.code} > {effect.to}"
        case Acknowledge():
            return f"ok {effect.action} > {effect.to}"


def _shown_event(event: Event) -> str:
    words = [f"{_prefix(event.task_id)}{event.kind}", event.by]
    if event.stands_for is not None:
        words.append(f"={event.stands_for}")
    if event.body is not None and event.kind is not EventKind.INIT:
        words.append(shown_body(event.body))
    return " ".join(words)


def _prefix(task_id: str) -> str:
    return "" if task_id == "t" else f"{task_id}:"


def steps(script: str) -> Iterator[tuple[str, list[str]]]:
    """The steps of a story, each with the lines of transcript beside it."""
    step = ""
    expected: list[str] = []
    for line in filter(str.strip, script.splitlines()):
        left, _, right = (part.strip() for part in line.partition("|"))
        if left:
            if step:
                yield step, expected
            step, expected = left, []
        if right:
            expected.append(right)
    yield step, expected


def check(script: str, **limits: int) -> World:
    """Act a story out: each step tells just what stands beside it, and memory stays sound."""
    world = World(None, **{"start_timeout_ms": START_WINDOW, **limits})
    story = Story(world)
    for step, expected in steps(script):
        assert story.act(step) == expected, step
        audit(world)
    return world


# What holds at all times


def audit(world: World) -> None:
    """Memory says what the facts say, and nothing is kept that nothing needs."""
    _audit_tasks(world)
    _audit_deliveries(world)
    _audit_connections(world)
    _audit_indexes(world)
    _audit_deadlines(world)
    _audit_interest(world)


def _audit_tasks(world: World) -> None:
    books = world.engine.books
    stored = {key for key, task in world.folded.items() if task.ended_at is None}
    assert set(books.by_key) == stored
    for key, task in books.by_key.items():
        assert task == world.folded[key]
        assert books.open[task.task_id] is task
        states = [p.state for p in task.participants.values()]
        assert task.offered == states.count(ParticipantState.OFFERED)
        assert task.started == states.count(ParticipantState.STARTED)
    assert len(books.open) == len(books.by_key)
    for decision in world.decisions:
        if decision.key in world.facts:
            audit_events(world.facts[decision.key])


def audit_events(facts: list[Fact]) -> None:
    """§4.8, §5.3, §5.4: no gap, one outcome, one end, the end last; nothing after it."""
    events = [fact for fact in facts if isinstance(fact, Event)]
    kinds = [event.kind for event in events]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert kinds.count(EventKind.INIT) == 1
    outcomes = kinds.count(EventKind.SUCCESS) + kinds.count(EventKind.FAIL)
    assert outcomes <= 1
    if EventKind.END in kinds:
        assert outcomes == 1
        assert facts[-1] is events[-1]
        assert kinds.index(EventKind.END) == len(kinds) - 1
    assert len({event.event_id for event in events}) == len(events)
    ends = [e for e in events if e.kind is EventKind.END]
    assert all(e.by == HUB and e.body is None for e in ends)


def _audit_deliveries(world: World) -> None:
    """§4.4: everyone who has a part in a task hears of it, and nobody else."""
    for decision in world.decisions:
        for effect in decision.effects:
            if isinstance(effect, Deliver):
                _audit_audience(world, effect)


def _audit_audience(world: World, effect: Deliver) -> None:
    assert len(set(effect.to)) == len(effect.to)
    task = world.folded.get(effect.event.task)
    if task is None:
        return  # was never stored
    assert effect.action == task.action
    at_work = {
        p.connection for p in task.participants.values() if p.state is not ParticipantState.LOST
    }
    just_lost = {p.connection for p in task.participants.values() if p.done_at == world.now}
    told = set(effect.to)
    assert at_work <= told
    for connection in told - at_work - just_lost:
        assert client_of(connection) == task.publisher
    assert any(client_of(connection) == task.publisher for connection in told)


def _audit_connections(world: World) -> None:
    books = world.engine.books
    busy: dict[str, int] = defaultdict(int)
    for task in books.by_key.values():
        for participant in task.participants.values():
            if participant.active:
                busy[participant.connection] += 1
                connection = books.connections[participant.connection]
                assert connection.participations[task.key] == participant.number
                allowed = connection.access.sub.covers(task.action)
                assert allowed or not connection.live or participant.client == task.publisher
            elif participant.state is not ParticipantState.LOST:
                known = books.connections.get(participant.connection)
                if known is not None and known.live:
                    assert known.participations[task.key] == participant.number
    for name, connection in books.connections.items():
        assert connection.id == name
        assert connection.busy == busy[name]
        for key, number in connection.participations.items():
            assert books.by_key[key].participants[number].connection == name
        assert connection.live or connection.participations


def _audit_indexes(world: World) -> None:
    books = world.engine.books
    assert not set(books.open) & set(books.recent)
    used = {e for ended in books.recent.values() for e in ended.event_ids}
    used |= {e for task in books.open.values() for e in task.event_ids}
    assert set(books.event_owner) == used
    counts: dict[str, int] = defaultdict(int)
    for task in books.open.values():
        counts[task.publisher] += 1
        if world.now < min(task.start_deadline, task.end_deadline):
            assert task.key in books.windows[task.action]
    assert books.open_by_client == counts
    for action, tasks in books.windows.items():
        assert tasks
        for key, task in tasks.items():
            assert books.by_key[key] is task
            assert task.action == action
    assert set(books._publisher_on) == set(books.by_key)
    for key, remembered_audience in list(books._audiences.items()):
        task = books.by_key[key]
        del books._audiences[key]
        assert books.audience(task) == remembered_audience


def _audit_deadlines(world: World) -> None:
    books = world.engine.books
    armed = books.deadlines._bucket_of
    away = {name for name, c in books.connections.items() if not c.live}
    assert set(armed) == set(books.by_key) | away
    for key, task in books.by_key.items():
        in_window = key in books.windows.get(task.action, {})
        due = min(task.start_deadline, task.end_deadline) if in_window else task.end_deadline
        assert armed[key] == -(-due // 8)
    members = {key: bucket for bucket, keys in books.deadlines._buckets.items() for key in keys}
    assert members == armed
    assert set(books.deadlines._buckets) <= set(books.deadlines._heap)


def _audit_interest(world: World) -> None:
    books = world.engine.books
    patterns: dict[str, dict[str, bool]] = defaultdict(dict)
    exact: dict[str, dict[str, bool]] = defaultdict(dict)
    for name, connection in books.connections.items():
        if connection.live:
            for pattern, subscription in connection.subscriptions.items():
                index = exact if subscription.exact else patterns
                index[pattern][name] = subscription.group
    assert books.interest._patterns == patterns
    assert books.interest._exact == exact


def let_everything_end(world: World) -> None:
    """Let each deadline come, one after the other; then memory must be empty."""
    books = world.engine.books
    while (at := books.deadlines.next_at()) is not None:
        world.tick(max(0, at - world.now))
        audit(world)
    assert not books.open
    assert not books.windows
    assert not books.open_by_client
    assert len(books.deadlines) == 0
    assert all(c.live and not c.busy and not c.participations for c in books.connections.values())
    for task in world.folded.values():
        assert task.ended_at is not None
        audit_truth(task, world.facts[task.key])


# What a task's end has to be true of


def audit_truth(task: Task, facts: list[Fact]) -> None:
    """The outcome is what docs/protocol.md §5.3 and §5.4 say of these participants and times."""
    events = [fact for fact in facts if isinstance(fact, Event)]
    settled = next(e for e in events if e.seq == task.settled_seq)
    before = [e for e in events if e.seq < settled.seq]
    assert task.state == "end"
    assert task.offered == task.started == 0
    if settled.kind is EventKind.SUCCESS:
        _audit_success(task, settled, before)
    else:
        assert task.seq == settled.seq + 1
        _audit_fail(task, settled, before)
    for closed in facts:
        if isinstance(closed, Closed):
            _audit_closed(task, closed)


def _audit_closed(task: Task, closed: Closed) -> None:
    """Nobody is cut off but by time, by another's claim, or when the task has failed."""
    if closed.state is ParticipantState.TIMED_OUT:
        started = task.participants[closed.participant].started_at is not None
        assert closed.at >= task.end_deadline or not started
        assert closed.at >= min(task.created_at + task.start_timeout, task.end_deadline)
    else:
        assert closed.state is ParticipantState.DROPPED
        assert task.claim or task.outcome is TaskState.FAIL


def _words(events: list[Event], kind: EventKind) -> list[Event]:
    """Who sent this, whatever it was told as."""
    return [e for e in events if e.participant and e.sent_kind() is kind]


def _audit_success(task: Task, settled: Event, before: list[Event]) -> None:
    successes = _words(before, EventKind.SUCCESS)
    if settled.participant:
        assert task.settle is not Settle.ALL
        assert not successes
        participant = task.participants[settled.participant]
        assert participant.state is ParticipantState.SUCCEEDED
        assert (participant.client, participant.body) == (settled.by, settled.body)
        return
    assert settled.by == HUB
    if successes:
        assert task.settle is Settle.ALL
        assert json.loads(settled.body or "") == [
            {"by": e.by, "result": json.loads(e.body or "")} for e in successes
        ]
        return
    assert settled.body == "null"
    assert not _words(before, EventKind.FAIL)
    drops = [p for p in task.participants.values() if _gave_up(p.state, p.started_at)]
    nobody_started = not _words(before, EventKind.START)
    assert drops or (task.expect is Expect.DELIVERY and nobody_started and task.participants)


def _gave_up(state: ParticipantState, started_at: int | None) -> bool:
    lost_at_work = state is ParticipantState.LOST and started_at is not None
    return state is ParticipantState.DROPPED or lost_at_work


def _audit_fail(task: Task, settled: Event, before: list[Event]) -> None:
    fails = _words(before, EventKind.FAIL)
    started = _words(before, EventKind.START)
    if settled.participant:
        assert not _words(before, EventKind.SUCCESS)
        assert not fails or task.settle is Settle.FIRST
        assert task.participants[settled.participant].body == settled.body
        return
    code = json.loads(settled.body or "")
    code = code.get("code") if isinstance(code, dict) else None
    lost = [p for p in task.participants.values() if p.state is ParticipantState.LOST]
    match code:
        case None:  # the first fail, told late
            assert (fails[0].by, fails[0].body) == (settled.by, settled.body)
        case "no-subscriber":
            assert not task.participants
            assert settled.at >= task.created_at + task.start_timeout
        case "start-timeout":
            assert task.participants
            assert not started
            assert task.expect is Expect.RESULT
            assert settled.at >= task.start_deadline
        case "end-timeout":
            assert settled.at >= task.end_deadline
        case "service-lost" | "forbidden":
            assert any(p.started_at is not None for p in lost)
        case _:
            assert code == "cancelled"
            assert settled.by in (task.publisher, HUB)
    if code not in {None, "cancelled", "end-timeout"}:
        assert settled.by == HUB
        assert not fails
        assert not _words(before, EventKind.SUCCESS)
