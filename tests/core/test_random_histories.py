"""Random histories: whatever happens, memory says what the facts say, and each end is true.

A machine plays publishers, services, groups, strangers and time against the engine.
``audit`` looks at everything after each step; at the end of each example all deadlines
pass, after which nothing may be left and each outcome must be true of what happened.
"""

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from hub.core import inputs
from hub.core.access import Access, access
from hub.core.connections import Connection
from hub.core.effects import Effect, Offer, Refuse, Resumed, Unchanged
from hub.core.facts import Event
from hub.core.task import Task, restore
from hub.core.values import EventKind, Expect, ParticipantState, Settle, Token
from tests.core.audits import audit, let_everything_end
from tests.core.helpers import shown_effect
from tests.core.world import EPOCH, World, client_of, session_of

#: Examples in CI, and on a developer's machine.
EXAMPLES = 4_000 if os.environ.get("TASKHUB_REQUIRE_SERVICES") == "1" else 200

#: ``q`` speaks legacy: its connections have no session
CLIENTS = ("p", "q", "a", "b", "g", "z")
ACTIONS = ("x:y", "x/sub:y", "xx:y", "other:z")
PATTERNS = ("x:y", "x", "*", "x/sub")
#: what clients may do, by how much was withdrawn from them
RIGHTS = (("*",), ("*",), ("x",), ("other",), ())
MAX_LIVE = 10
LIMITS = {
    "resume_grace_ms": 1_000,
    "max_events_per_task": 6,
    "max_participants_per_task": 5,
    "max_open_tasks_per_client": 4,
    "max_open_tasks": 6,
    "max_subscriptions": 3,
}

number = st.integers(0, 11)
kinds = st.sampled_from([k for k in EventKind if k is not EventKind.INIT])
bodies = st.sampled_from(("0", "null", '"why"'))
BODILESS = (EventKind.START, EventKind.END)

Sent = inputs.Init | inputs.Report


def rights(client: str, verb: tuple[str, ...] = ("*",)) -> Access:
    """``z`` is a stranger to every action."""
    return access(client, sub=() if client == "z" else verb, pub=("*",), group=client == "g")


def covers(pattern: str, action: str, *, exact: bool) -> bool:
    """§1, once more and differently."""
    if exact or pattern == action:
        return pattern == action
    return pattern == "*" or action.startswith((f"{pattern}/", f"{pattern}:"))


class Histories(RuleBasedStateMachine):
    """Clients at random."""

    def __init__(self) -> None:
        super().__init__()
        self.world = self.make_world()
        self.live: list[str] = []
        self.task_ids: list[str] = []
        self.sent: list[Sent] = []
        self.names = 0
        self.unstored_next = False

    def make_world(self) -> World:
        """The world to play in."""
        return World(None, **LIMITS)

    # What is there

    def connection(self, n: int) -> str:
        """One of the live connections."""
        return self.live[n % len(self.live)]

    def task_id(self, n: int) -> str:
        """One of the tasks there were."""
        return self.task_ids[n % len(self.task_ids)] if self.task_ids else "none"

    def open_tasks(self) -> list[Task]:
        """Tasks under way."""
        return list(self.world.engine.books.open.values())

    def fresh(self, prefix: str) -> str:
        """A name not used before."""
        self.names += 1
        return f"{prefix}{self.names}"

    def do(self, item: inputs.Decided) -> list[Effect]:
        """Act."""
        return self.world.do(item)

    def open(self, client: str) -> str:
        """One more connection."""
        name = f"{client}.{self.fresh('')}"
        session = None if client == "q" else session_of(name)
        self.do(inputs.Connected(connection=name, access=rights(client), session=session))
        self.live.append(name)
        return name

    def report(self, conn: str, task_id: str, kind: EventKind, body: str) -> list[Effect]:
        """Send an event with a fresh id."""
        report = inputs.Report(
            connection=conn,
            kind=kind,
            task_id=task_id,
            event_id=self.fresh("e"),
            body=None if kind in BODILESS else body,
        )
        self.sent.append(report)
        return self.do(report)

    # Rules

    @initialize(services=st.lists(st.sampled_from("aabgg"), max_size=4))
    def begin(self, services: str) -> None:
        """A publisher, and some services."""
        self.open("p")
        for client in services:
            self.subscribe_as(self.open(client), "x:y", exact=False, group=False)

    @rule(client=st.sampled_from(CLIENTS), pattern=st.sampled_from(PATTERNS), flags=number)
    def connect(self, client: str, pattern: str, flags: int) -> None:
        if len(self.live) == MAX_LIVE:
            return
        name = self.open(client)
        if flags % 4:
            self.subscribe_as(name, pattern, exact=flags % 4 == 1, group=flags > 7)

    @rule(conn=number, pattern=st.sampled_from(PATTERNS), exact=st.booleans(), group=st.booleans())
    def subscribe(self, conn: int, pattern: str, exact: bool, group: bool) -> None:
        self.subscribe_as(self.connection(conn), pattern, exact=exact, group=group)

    def subscribe_as(self, name: str, pattern: str, *, exact: bool, group: bool) -> None:
        """Subscribe; open tasks still waiting come along (§3)."""
        command = inputs.Subscribe(connection=name, pattern=pattern, exact=exact, group=group)
        effects = self.do(command)
        for effect in effects:
            if isinstance(effect, Offer):
                assert self.world.now < self.world.folded[effect.event.task].start_deadline
        if effects and not isinstance(effects[0], Refuse) and self.settled_down():
            for task in self.open_tasks():
                self.assert_offered(task, name, pattern, exact, group)

    def settled_down(self) -> bool:
        """Whether the last step was stored."""
        return not self.unstored_next or self.world.unstored

    def assert_offered(self, task: Task, name: str, pattern: str, exact: bool, group: bool) -> None:
        covered = covers(pattern, task.action, exact=exact)
        waits = self.world.now < task.start_deadline and task.outcome is None
        full = len(task.participants) >= LIMITS["max_participants_per_task"]
        if covered and waits and not task.claimed_by and not full:
            mine = [p for p in task.participants.values() if p.client == client_of(name)]
            grouped = group or client_of(name) == "g"
            away = [p for p in mine if p.active and p.connection not in self.live]
            assert any(p.connection == name or (grouped and p.group) for p in mine) or any(
                p.state is ParticipantState.STARTED for p in away
            )

    @rule(conn=number, pattern=st.sampled_from(PATTERNS))
    def unsubscribe(self, conn: int, pattern: str) -> None:
        self.do(inputs.Unsubscribe(connection=self.connection(conn), pattern=pattern))

    @rule(
        conn=number,
        action=st.sampled_from(("x:y", "x:y", "x:y", *ACTIONS)),
        timeouts=st.sampled_from(((None, None), (0, 9), (300, 5_000), (9_000, 9_001), (50, 20))),
        settle=st.sampled_from(Settle),
        expect=st.sampled_from(Expect),
        claim=number,
    )
    def init(
        self,
        conn: int,
        action: str,
        timeouts: tuple[int | None, int | None],
        settle: Settle,
        expect: Expect,
        claim: int,
    ) -> None:
        start, end = timeouts
        command = inputs.Init(
            connection=self.connection(conn),
            task_id=self.fresh("t"),
            event_id=self.fresh("e"),
            action=action,
            payload="{}",
            start_timeout=start,
            end_timeout=end,
            settle=settle,
            expect=expect,
            claim=claim > 8,
        )
        self.sent.append(command)
        self.task_ids.append(command.task_id)
        self.do(command)
        if command.task_id in self.world.keys:
            self.assert_delivered(self.world.task(command.task_id))

    def assert_delivered(self, task: Task) -> None:
        """§5.1, §5.6: to each connection that subscribes, and to one of each group."""
        alone: set[str] = set()
        grouped: set[str] = set()
        for name, connection in self.world.engine.books.connections.items():
            wanted = [
                subscription.group or connection.access.group
                for pattern, subscription in connection.subscriptions.items()
                if covers(pattern, task.action, exact=subscription.exact)
            ]
            if wanted and connection.live and not all(wanted):
                alone.add(name)
            elif wanted and connection.live:
                grouped.add(client_of(name))
        offered = [p.connection for p in task.participants.values() if not p.group]
        in_groups = [p.client for p in task.participants.values() if p.group]
        most = LIMITS["max_participants_per_task"]
        assert len(offered) == len(set(offered))
        assert len(in_groups) == len(set(in_groups))
        assert set(offered) <= alone
        assert set(in_groups) <= grouped
        if len(self.live) <= most:
            assert (set(offered), set(in_groups)) == (alone, grouped)

    @rule(n=number, kind=kinds, body=bodies)
    def work(self, n: int, kind: EventKind, body: str) -> None:
        """A participant does something."""
        pairs = [
            (p.connection, task.task_id)
            for task in self.open_tasks()
            for p in task.participants.values()
            if p.connection in self.live
        ]
        if pairs:
            conn, task_id = pairs[n % len(pairs)]
            self.report(conn, task_id, kind, body)

    @rule(n=number, outcome=st.sampled_from((EventKind.SUCCESS, EventKind.FAIL)), body=bodies)
    def finish_as_taskhubjs_does(self, n: int, outcome: EventKind, body: str) -> None:
        """The outcome, and ``end`` right behind it, which is never an error."""
        active = [
            (p.connection, task.task_id)
            for task in self.open_tasks()
            for p in task.active()
            if p.connection in self.live
        ]
        if active:
            conn, task_id = active[n % len(active)]
            self.report(conn, task_id, outcome, body)
            effects = self.report(conn, task_id, EventKind.END, body)
            assert not any(isinstance(e, Refuse) for e in effects)

    @rule(conn=number, task=number, kind=kinds, body=bodies)
    def meddle(self, conn: int, task: int, kind: EventKind, body: str) -> None:
        """Anyone says anything of any task."""
        effects = self.report(self.connection(conn), self.task_id(task), kind, body)
        if kind is EventKind.END:
            assert not any(isinstance(e, Refuse) for e in effects)

    @rule(n=number, conn=number, change=number, body=bodies)
    def repeat(self, n: int, conn: int, change: int, body: str) -> None:
        """An eventId once more: the same event, or with another content, or of another task."""
        if not self.sent:
            return
        first = self.sent[-1 - n % len(self.sent)]
        name = self.connection(conn)
        if isinstance(first, inputs.Init) and change < 10:
            self.repeat_init(first, name, body if change < 4 else first.payload)
        elif isinstance(first, inputs.Report):
            self.repeat_report(first, name, body if change < 3 else first.body, change)

    def repeat_init(self, first: inputs.Init, name: str, payload: str) -> None:
        """§4.7: the same from the same client changes nothing."""
        command = inputs.Init(
            connection=name,
            task_id=first.task_id,
            event_id=first.event_id,
            action=first.action,
            payload=payload,
            start_timeout=first.start_timeout,
            end_timeout=first.end_timeout,
            settle=first.settle,
            expect=first.expect,
            claim=first.claim,
        )
        key = self.world.keys.get(first.task_id)
        effects = self.do(command)
        if key is None or not effects:
            return
        assert not [d for d in self.world.decisions if d.facts and d.key == key]
        stored = self.world.folded[key]
        if client_of(name) == stored.publisher and payload == stored.init.body:
            assert list(map(shown_effect, effects)) == [[f"{first.task_id}:unchanged 1 > {name}"]]
        else:
            assert isinstance(effects[0], Refuse)

    def repeat_report(self, first: inputs.Report, name: str, body: str | None, change: int) -> None:
        """§4.7: the same from the same client changes nothing, else it conflicts."""
        task_id = self.task_id(change) if change in (3, 4) else first.task_id
        command = inputs.Report(
            connection=name, kind=first.kind, task_id=task_id, event_id=first.event_id, body=body
        )
        key = self.world.keys.get(task_id)
        stored = None
        if key is not None:
            events = (f for f in self.world.facts[key] if isinstance(f, Event))
            stored = next((e for e in events if e.event_id == first.event_id), None)
        effects = self.do(command)
        if stored is None or first.kind is EventKind.END:
            return
        assert not any(d.facts for d in self.world.decisions)
        task = self.world.task(task_id)
        allowed = self.world.engine.books.connections[name].access.sub.covers(task.action)
        same = (client_of(name), body) == (stored.by, stored.body)
        if stored.created is None and same and (allowed or task.ended_at is None):
            assert shown_effect(effects[0]) == [f"{task_id}:unchanged {stored.seq} > {name}"]
        elif not same:
            assert isinstance(effects[0], Refuse)

    @rule(conn=number, task=number)
    def cancel(self, conn: int, task: int) -> None:
        self.do(inputs.Cancel(connection=self.connection(conn), task_id=self.task_id(task)))

    @rule(n=number)
    def operator_cancels(self, n: int) -> None:
        tasks = self.open_tasks()
        task_id = tasks[n % len(tasks)].task_id if tasks else "none"
        command = inputs.OperatorCancel(connection="o", task_id=task_id, operator="o", reason='"x"')
        self.do(command)

    @rule(task=number, kind=kinds, body=bodies)
    def ask_as_a_stranger(self, task: int, kind: EventKind, body: str) -> None:
        """§5.5: whether the task exists or not, the answer is the same."""
        name = next((c for c in self.live if client_of(c) == "z"), None) or self.open("z")
        task_id = self.task_id(task)
        if task_id in self.world.keys and self.world.task(task_id).publisher == "z":
            return
        reports = [
            inputs.Report(connection=name, task_id=i, kind=kind, event_id="s", body=body)
            for i in (task_id, "nowhere")
        ]
        cancels = [inputs.Cancel(connection=name, task_id=i) for i in (task_id, "nowhere")]
        assert self.answer(reports[0]) == self.answer(reports[1])
        assert self.answer(cancels[0]) == self.answer(cancels[1])

    def answer(self, command: inputs.Report | inputs.Cancel) -> object:
        """Code and text of the refusal, or nothing."""
        (effect,) = self.do(command)
        if isinstance(effect, Refuse):
            return effect.rejection.code, effect.rejection.message
        assert isinstance(effect, Unchanged)
        return effect.task, effect.seq

    @rule(conn=number)
    def lose(self, conn: int) -> None:
        if len(self.live) > 1:
            self.lose_connection(self.connection(conn))

    @rule(n=number, back=st.booleans())
    def lose_a_participant(self, n: int, back: bool) -> None:
        """Its connection goes; with ``back``, another one of its client subscribes."""
        names = [p.connection for task in self.open_tasks() for p in task.active()]
        names = [name for name in names if name in self.live]
        if names:
            name = names[n % len(names)]
            self.lose_connection(name)
            if back or not self.live:
                client = client_of(name)
                self.subscribe_as(self.open(client), "x:y", exact=False, group=False)

    def lose_connection(self, name: str) -> None:
        """A connection is gone."""
        self.live.remove(name)
        self.do(inputs.Disconnected(connection=name))

    @rule(n=number, heir=number, twice=st.booleans())
    def resume(self, n: int, heir: int, twice: bool) -> None:
        """A connection takes the place of one that is lost, or only seems to be open (§6)."""
        found = list(self.world.engine.books.sessions._connections.values())
        if not found:
            return
        lost = found[-1 - n % len(found)]
        client = client_of(lost.id)
        mine = [name for name in self.live if client_of(name) == client and name != lost.id]
        name = mine[heir % len(mine)] if mine and heir < 6 else self.open(client)
        self.take_over(lost, name)
        if twice:
            assert self.resumed(session_of(lost.id), self.open(client)).previous is None

    def take_over(self, lost: Connection, name: str) -> None:
        """Everything goes over to the connection of this name, but where it has its own part."""
        books = self.world.engine.books
        own = set(books.connections[name].participations)
        published = set(lost.published)
        parts = [
            (task, p.number)
            for task in self.open_tasks()
            for p in task.participants.values()
            if p.connection == lost.id and p.state is not ParticipantState.LOST
        ]
        if lost.live:
            self.live.remove(lost.id)
        answer = self.resumed(session_of(lost.id), name)
        assert answer.previous == lost.id
        for task in self.open_tasks():
            if task.key in published:
                assert task.task_id in answer.replays
                assert name in books.audience(task)
        for before, number in parts:
            after = books.open.get(before.task_id)
            if after is None or after.key in own:
                continue
            part = after.participants[number]
            assert after.task_id in answer.replays
            assert part.connection == name or part.state is ParticipantState.LOST

    def resumed(self, session: Token, name: str) -> Resumed:
        """The answer to ``resume``."""
        command = inputs.Resume(connection=name, session=session, epoch=EPOCH, tasks={})
        (answer,) = (e for e in self.do(command) if isinstance(e, Resumed))
        return answer

    @rule(n=number, client=st.sampled_from(CLIENTS))
    def resume_as_a_stranger(self, n: int, client: str) -> None:
        """Another client's session is nothing to it, and that client's connection goes on."""
        found = list(self.world.engine.books.sessions._connections.values())
        others = [c for c in found if client_of(c.id) != client]
        if others:
            lost = others[-1 - n % len(others)]
            live = lost.live
            assert self.resumed(session_of(lost.id), self.open(client)).previous is None
            assert (lost.live, lost.session) == (live, session_of(lost.id))

    @rule(conn=number, verb=st.sampled_from(RIGHTS))
    def change_rights(self, conn: int, verb: tuple[str, ...]) -> None:
        name = self.connection(conn)
        self.do(inputs.AccessChanged(connection=name, access=rights(client_of(name), verb)))

    @rule(ms=st.sampled_from((1, 7, 8, 50, 100, 100, 300, 900, 1_000, 5_000, 60_000)))
    def wait(self, ms: int) -> None:
        self.world.tick(ms)

    @rule(ms=st.sampled_from((1, 50, 100, 1_000)))
    def time_flies(self, ms: int) -> None:
        """Time passes, and the hub is late to see it."""
        self.world.now += ms
        self.world.decisions = []

    @rule(connections=st.booleans(), ms=st.sampled_from((0, 50, 10_000)))
    def restart(self, connections: bool, ms: int) -> None:
        """The hub's process ends; or only its memory is made again."""
        self.compare_stored()
        self.world.now += ms
        if connections:
            self.world.read_anew()
        else:
            self.live = []
            self.world.restart()
            self.open("p")
            self.open("a")
        for task in self.open_tasks():
            away = [p for p in task.active() if p.connection not in self.live]
            if any(p.state is ParticipantState.OFFERED for p in away):
                grace_ends = self.world.now + LIMITS["resume_grace_ms"]
                assert task.start_deadline >= grace_ends

    def compare_stored(self) -> None:
        """What the journal holds is the task, and so is what rows would tell of it."""
        world = self.world
        for key, task in world.folded.items():
            assert world.load(task.task_id) == task
            events = [f for f in world.facts[key] if isinstance(f, Event)]
            assert world.journal.events(key, 1, len(events)) == events
            assert restore(events, task.participants.values(), task.start_deadline) == task

    @rule()
    def fail_to_store(self) -> None:
        """The next facts are not stored: nobody hears, and memory is made again."""
        self.world.unstored = self.unstored_next = True

    # What holds

    @invariant()
    def sound(self) -> None:
        """After each step."""
        if not self.world.unstored:
            self.unstored_next = False
        audit(self.world)

    def teardown(self) -> None:
        """All deadlines pass."""
        self.world.unstored = False
        let_everything_end(self.world)
        self.compare_stored()


class TestHistories(Histories.TestCase):  # type: ignore[valid-type,misc]
    """The machine as a test."""

    pytestmark = pytest.mark.timeout(900)
    settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
    )
