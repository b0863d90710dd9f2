"""What holds at all times, and what a task's end has to be true of.

Written from docs/protocol.md, without a look at how the core does it.
"""

import json
import sys
from collections import defaultdict

from hub.core.decision import Decision
from hub.core.effects import Deliver
from hub.core.facts import Closed, Event, Fact, Moved, Offered
from hub.core.task import Task
from hub.core.values import HUB, EventKind, Expect, ParticipantState, Settle
from tests.core.world import World, client_of


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
    assert books.open_bytes == sum(map(_kept_bytes, books.by_key.values()))
    for decision in world.decisions:
        if decision.key in world.facts:
            audit_events(world.facts[decision.key])
            _audit_limits(world, decision.key)
            _audit_moves(world, decision)


def _kept_bytes(task: Task) -> int:
    bodies = [task.init.body, *(p.body for p in task.participants.values())]
    return sum(sys.getsizeof(body) for body in bodies if body is not None)


def _audit_limits(world: World, key: int) -> None:
    """§7: updates stop at the limit; and so do offers, but for a group's next one."""
    task = world.folded[key]
    most = world.limits.max_participants_per_task
    offered = [p for p in task.participants.values() if not p.group and p.client != task.publisher]
    assert len(offered) <= most
    for fact in world.facts[key]:
        if isinstance(fact, Event) and fact.kind is EventKind.UPDATE:
            assert fact.seq <= world.limits.max_events_per_task


def _audit_moves(world: World, decision: Decision) -> None:
    """Only a participant whose connection is gone moves to another one, of its client."""
    facts = world.facts[decision.key]
    for fact in decision.facts:
        if isinstance(fact, Moved):
            before = next(
                f
                for f in reversed(facts[: facts.index(fact)])
                if isinstance(f, Offered | Moved) and f.participant == fact.participant
            )
            assert not world.engine.books.live(before.connection)
            assert client_of(before.connection) == client_of(fact.connection)


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
    for number, decision in enumerate(world.decisions):
        # One tick may decide twice about a task, and the later decision offer it once more.
        later = {
            fact.connection
            for following in world.decisions[number + 1 :]
            for fact in following.facts
            if following.key == decision.key and isinstance(fact, Offered | Moved)
        }
        for effect in decision.effects:
            if isinstance(effect, Deliver):
                _audit_audience(world, effect, later)


def _audit_audience(world: World, effect: Deliver, later: set[str]) -> None:
    assert len(set(effect.to)) == len(effect.to)
    task = world.folded.get(effect.events[0].task)
    if task is None:
        return  # was never stored
    assert effect.action == task.action
    at_work = {
        p.connection for p in task.participants.values() if p.state is not ParticipantState.LOST
    }
    just_lost = {p.connection for p in task.participants.values() if p.done_at == world.now}
    told = set(effect.to)
    assert at_work - later <= told
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
        assert connection.live or connection.participations or connection.session
        published = {key for key, on in books._publisher_on.items() if on == name}
        assert connection.published <= published
        assert connection.published == published or connection.session is None
    _audit_sessions(world)


def _audit_sessions(world: World) -> None:
    """§6: a session for each connection that can be resumed, and no other."""
    books = world.engine.books
    known = {c.session: c for c in books.connections.values() if c.session is not None}
    assert books.sessions._connections == known
    away = {session for sessions in books.sessions._away.values() for session in sessions}
    assert away == {session for session, c in known.items() if not c.live}
    assert all(books.sessions._away.values())


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
        _audit_not_lost(task, facts, facts.index(settled))
    else:
        assert task.seq == settled.seq + 1
        _audit_fail(task, settled, before)
    _audit_starts(task, events)
    _audit_bodies(task, events)
    _audit_closed(task, facts, facts.index(settled))


def _audit_starts(task: Task, events: list[Event]) -> None:
    """§5.7: a claimed task is at one participant at a time."""
    at_work: set[int] = set()
    for event in events:
        if event.kind is EventKind.START:
            assert not at_work or not task.claim
            at_work.add(event.participant)
        if event.participant_state is ParticipantState.LOST:
            at_work.discard(event.participant)


def _audit_bodies(task: Task, events: list[Event]) -> None:
    """§5.3: each participant's own last word is kept."""
    words = {e.participant: e.body for e in events if e.body and e.kind is not EventKind.UPDATE}
    for number, participant in task.participants.items():
        assert participant.body == words.get(number)


def _audit_closed(task: Task, facts: list[Fact], settled: int) -> None:
    """Nobody is cut off but by time, by another's claim, or when the task has failed."""
    opened = [task.start_deadline, *_windows(task, facts)]
    for at, fact in enumerate(facts):
        if not isinstance(fact, Closed):
            continue
        participant = task.participants[fact.participant]
        if fact.state is ParticipantState.TIMED_OUT:
            waited = participant.started_at is None and fact.at >= opened[participant.number]
            assert waited or fact.at >= task.end_deadline
            continue
        assert fact.state is ParticipantState.DROPPED
        by = facts[settled]
        assert isinstance(by, Event)
        # §5.3: a fail settles alone, or under ``first``; a cancel cuts everyone off.
        cut_off = by.kind is EventKind.FAIL and at > settled
        assert task.claim or (cut_off and (not by.participant or task.settle is Settle.FIRST))


def _windows(task: Task, facts: list[Fact]) -> list[int]:
    """Until when, at least, each participant could start."""
    ends = []
    for at, fact in enumerate(facts):
        if isinstance(fact, Offered):
            following = next(f for f in facts[at + 1 :] if isinstance(f, Event))
            lost = task.participants.get(following.participant)
            handed_over = (
                fact.group
                and lost is not None
                and lost.number < fact.participant
                and (lost.group, lost.client) == (True, fact.client)
                and following.participant_state is ParticipantState.LOST
            )
            begin = fact.at if handed_over else task.created_at
            ends.append(begin + task.start_timeout)
    return ends


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
    drops = [e for e in before if e.participant_state is ParticipantState.DROPPED]
    nobody_started = not _words(before, EventKind.START)
    assert drops or (task.expect is Expect.DELIVERY and nobody_started and task.participants)


def _audit_not_lost(task: Task, facts: list[Fact], settled: int) -> None:
    """§5.4: the loss of the last hope is no success."""
    success, before = facts[settled], facts[settled - 1]
    assert isinstance(success, Event)
    if success.body == "null" and isinstance(before, Event):
        at_work = task.participants.get(before.participant)
        lost = before.participant_state is ParticipantState.LOST
        assert not lost or at_work is None or at_work.started_at is None


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
