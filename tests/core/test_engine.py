"""The entrance of the core: idempotence, rights, limits, restarts (docs/protocol.md §4–§7).

How to read the stories: ``tests/core/helpers.py``.
"""

import sys

import msgspec
import pytest

from hub.core import inputs
from hub.core.access import access
from hub.core.books import RECENT_TASKS
from hub.core.effects import Acknowledge, Deliver, Offer, Refuse, Unchanged
from hub.core.engine import Engine
from hub.core.errors import Code, Rejection, TaskNotLoaded
from hub.core.limits import Limits
from hub.core.presence import Presence
from hub.core.task import evolve
from hub.core.values import EventKind
from tests.core.audits import audit, let_everything_end
from tests.core.helpers import check
from tests.core.world import World

IDEMPOTENCE = {
    "the same event again": """
        a sub
        p init          | init p > p a
        a start id=s    | start a > p a
        a update 1 id=u | update a 1 > p a
        a start id=s    | unchanged 2 > a
        a update 1 id=u | unchanged 3 > a
        +0
    """,
    "the same event, told as another": """
        a sub
        b sub
        p init           | init p > p a b
        a fail 1 id=f    | start a > p a b
                         | drop a =fail 1 > p a b
        a fail 1 id=f    | unchanged 3 > a
        b success 2 id=s | start b > p a b
                         | success b 2 > p a b
                         | end hub > p a b
        b success 2 id=s | unchanged 5 > b
        a fail 1 id=f    | unchanged 3 > a
    """,
    "other content": """
        a sub
        b sub
        p init          | init p > p a b
        a update 1 id=u | start a > p a b
                        | update a 1 > p a b
        a update 2 id=u | refused event-conflict > a
        a drop 1 id=u   | refused event-conflict > a
        a drop id=u     | refused event-conflict > a
        a success 1 id=s | success a 1 > p a b
        a success 2 id=s | refused event-conflict > a
        a success 1.0 id=s | refused event-conflict > a
    """,
    "another client": """
        a sub
        b sub
        p init          | init p > p a b
        a update 1 id=u | start a > p a b
                        | update a 1 > p a b
        b update 1 id=u | refused event-conflict > b
        p update 1 id=u | refused event-conflict > p
    """,
    "another task": """
        a sub
        p init                 | init p > p a
        p init task=u          | u:init p > p a
        a update 1 id=u        | start a > p a
                               | update a 1 > p a
        a update 1 id=u task=u | refused event-conflict > a
        p init task=v id=u     | refused event-conflict > p
    """,
    "another task, ended": """
        a sub
        p init                  | init p > p a
        a success 1 id=s        | start a > p a
                                | success a 1 > p a
                                | end hub > p a
        p init task=u           | u:init p > p a
        a success 1 id=s task=u | refused event-conflict > a
        a success 2 id=s        | refused event-conflict > a
        a success 2             | refused task-ended > a
        p init task=v id=s      | refused event-conflict > p
    """,
    "from the next connection of the same client": """
        a sub
        b sub
        p init           | init p > p a b
        b start          | start b > p a b
        a drop id=d      | start a > p a b
                         | drop a > p a b
        a lost
        a.2 drop id=d    | unchanged 4 > a.2
        a.2 drop         | refused unknown-task > a.2
        b success 1 id=s | success b 1 > p a b
                         | end hub > p a b
        b.2 success 1 id=s | unchanged 5 > b.2
        b.3 connect sub=other
        b.3 success 1 id=s | refused unknown-task > b.3
    """,
    "the same init again": """
        a sub
        p init id=i start=96 | init p > p a
        p init id=i          | unchanged 1 > p
        p.2 init id=i        | unchanged 1 > p.2
        p init id=i payload=[] | refused event-conflict > p
        p init id=i claim    | refused event-conflict > p
        p init id=i settle=all | refused event-conflict > p
        p init id=i expect=delivery | refused event-conflict > p
        p init id=i end=9    | refused event-conflict > p
        p init id=i action=x:z | refused event-conflict > p
        p init id=j          | refused duplicate-task > p
        q init id=i start=96 | refused duplicate-task > q
        q init id=k          | refused duplicate-task > q
    """,
    "the same init again, of an ended task": """
        p init id=i | init p > p
        p cancel    | fail p cancelled > p
                    | end hub > p
        p init id=i | unchanged 1 > p
        p init id=j | refused duplicate-task > p
        q init id=i | refused duplicate-task > q
    """,
    "what a restart has forgotten is found": """
        a sub
        p init id=i      | init p > p a
        a success 1 id=s | start a > p a
                         | success a 1 > p a
                         | end hub > p a
        restart
        p init id=i      | unchanged 1 > p
        restart
        q init           | refused duplicate-task > q
        restart
        a success 1 id=s | unchanged 3 > a
        restart
        p cancel         | refused task-ended > p
        a success 2      | refused task-ended > a
    """,
    "an event that was not stored may be sent again": """
        a sub
        p init           | init p > p a
        a start          | start a > p a
        unstored
        a success 1 id=s
        ? outcome        | start
        a success 1 id=s | success a 1 > p a
                         | end hub > p a
    """,
    "an init that was not stored may be sent again": """
        a sub
        unstored
        p init id=i
        p init id=i | init p > p a
        a start     | start a > p a
    """,
}

RIGHTS = {
    "publishing needs the permission": """
        p connect pub=weather
        p init                    | refused forbidden > p
        p init action=weather:now | init p > p
    """,
    "before the task is looked for": """
        q init | init q > q
        p connect pub=other
        p init | refused forbidden > p
    """,
    "subscribing needs it": """
        a connect sub=weather
        a sub                | refused forbidden > a
        a sub action=*       | refused forbidden > a
        a sub action=weather
        a sub action=weather/metno:now
    """,
    "only who takes part may speak": """
        a sub
        p init  | init p > p a
        z start | refused unknown-task > z
        z cancel | refused unknown-task > z
        z connect
        z start task=nope | refused unknown-task > z
        z cancel task=nope | refused unknown-task > z
        p start task=nope | refused unknown-task > p
    """,
    "only its publisher may cancel": """
        a sub
        p init   | init p > p a
        a cancel | refused forbidden > a
        w connect watch=x sub=
        w cancel | refused forbidden > w
        w start  | refused unknown-task > w
        p cancel | fail p cancelled > p a
                 | end hub > p a
        a cancel | refused forbidden > a
        w cancel | refused forbidden > w
        z cancel | refused unknown-task > z
    """,
    "what is settled cannot be cancelled": """
        a sub
        b sub
        p init          | init p > p a b
        b start         | start b > p a b
        a success 1     | start a > p a b
                        | success a 1 > p a b
        p cancel        | refused illegal-transition > p
        operator cancel | refused illegal-transition > operator
        operator cancel task=nope | refused unknown-task > operator
    """,
    "withdrawn before it started": """
        a sub
        b sub
        p init              | init p > p a b
        a access sub=other  | drop hub forbidden > p b
        a start             | refused unknown-task > a
        b start             | start b > p b
        p init task=u       | u:init p > p b
        ? people            | a lost forbidden
                            | b started
    """,
    "withdrawn while at work": """
        a sub
        p init             | init p > p a
        a start            | start a > p a
        a access sub=      | drop hub forbidden > p
                           | fail hub forbidden > p
                           | end hub > p
        a success 1        | refused unknown-task > a
    """,
    "withdrawn from one who is done": """
        a sub
        b sub
        p init             | init p > p a b
        a drop             | start a > p a b
                           | drop a > p a b
        a access sub=
        ? people           | a dropped
                           | b offered
    """,
    "withdrawn and given again": """
        a sub
        b sub
        p init             | init p > p a b
        a access sub=      | drop hub forbidden > p b
        a access sub=x
        a sub
        a start            | refused unknown-task > a
        p init task=u      | u:init p > p b a
    """,
    "a part is left": """
        a sub action=x
        a sub action=x:y
        p init             | init p > p a
        a access sub=x:y
        p init task=u      | u:init p > p a
        p init task=v action=x:z | v:init p > p
        a start            | start a > p a
    """,
    "a publisher at work on its own task keeps it": """
        p sub
        p init            | init p > p
        p access sub= pub=
        p success 1       | start p > p
                          | success p 1 > p
                          | end hub > p
    """,
    "in a group: the next one": """
        g.1 sub group
        g.2 sub group
        p init          | init p > p g.1
        g.1 start       | start g > p g.1
        g.1 access sub= | offer > g.2
                        | drop hub forbidden > p g.2
        g.2 success 1   | start g > p g.2
                        | success g 1 > p g.2
                        | end hub > p g.2
    """,
    "of a connection that is away": """
        a sub
        p init          | init p > p a
        a start         | start a > p a
        a lost
        a access sub=   | drop hub forbidden > p
                        | fail hub forbidden > p
                        | end hub > p
        a access sub=*
    """,
    "while nothing can be stored": """
        a sub
        p init        | init p > p a
        a start       | start a > p a
        unstored
        a access sub= | drop hub forbidden > p
                      | fail hub forbidden > p
                      | end hub > p
    """,
    "a participation taken over by one that had been cut off": """
        a.1 sub
        a.2 sub
        p init          | init p > p a.1 a.2
        a.2 access sub= | drop hub forbidden > p a.1
        a.2 access sub=*
        a.1 lost
        a.2 start       | start a > p a.2
        reload
        a.2 success 1   | success a 1 > p a.2
                        | end hub > p a.2
    """,
}

RESTARTS = {
    "offered, away: a window until the grace is over": """
        a sub
        p init  | init p > p a
        +48
        restart
        +9992
        a.2 start | start a > p a.2
    """,
    "offered, away for too long": """
        a sub
        p init   | init p > p a
        +48
        restart
        +9999
        +1     | fail hub start-timeout > p a
               | end hub > p a
    """,
    "a longer window stays": """
        p init start=20000 | init p > p
        restart
        +19999
        +1       | fail hub no-subscriber > p
                 | end hub > p
    """,
    "started, away for too long": """
        a sub
        p init   | init p > p a
        a start  | start a > p a
        restart
        +9999
        +1       | drop hub service-lost > p
                 | fail hub service-lost > p
                 | end hub > p
    """,
    "overdue": """
        p init end=1000 | init p > p
        restart
        +1000           | fail hub end-timeout > p
                        | end hub > p
    """,
    "subscribes anew, and is offered it again unless it was at work": """
        a sub
        b sub
        p init    | init p > p a b
        a start   | start a > p a b
        restart
        b.2 sub   | offer > b.2
        a.2 sub
        ? people  | a started
                  | b.2 offered
        a.2 drop  | drop a > p a.2 b.2
        ? people  | a.2 dropped
                  | b.2 offered
    """,
    "read anew: an offer that was not stored is made again": """
        p init start=960 | init p > p
        unstored
        a sub            | offer > a
        ? people         | a offered
    """,
    "read anew: who subscribed meanwhile is offered what waits": """
        a sub
        b sub
        p init start=960 | init p > p a b
        a drop           | start a > p a b
                         | drop a > p a b
        reload
        ? people         | a dropped
                         | b offered
    """,
    "read anew: open connections go on": """
        a sub
        b sub
        p init      | init p > p a b
        a start     | start a > p a b
        +96
        reload
        +0
        a success 1 | success a 1 > p a b
                    | end hub > p a b
    """,
    "read anew: who is away has the grace": """
        a sub
        p init      | init p > p a
        a start     | start a > p a
        a lost
        +5000
        reload
        +9999
        a.2 success 1 | success a 1 > p a.2
                      | end hub > p a.2
    """,
    "two tasks of one connection": """
        a sub
        p init        | init p > p a
        p init task=u | u:init p > p a
        a start       | start a > p a
        restart
        +96
        a.2 sub       | u:offer > a.2
        +9904         | u:fail hub start-timeout > p a.2
                      | u:end hub > p a.2
                      | drop hub service-lost > p
                      | fail hub service-lost > p
                      | end hub > p
    """,
    "new tasks have new keys": """
        p init        | init p > p
        restart
        p.2 init task=u | u:init p > p.2
        p.2 init        | refused duplicate-task > p.2
    """,
    "after a fail under settle all": """
        a sub
        b sub
        p init settle=all | init p > p a b
        b success 1  | start b > p a b
                     | drop b =success 1 > p a b
        restart
        a.2 fail 2   | start a > p a.2 b
                     | drop a =fail 2 > p a.2 b
                     | success hub [{"by":"b","result":1}] > p a.2 b
                     | end hub > p a.2 b
    """,
}

STORIES = {
    f"{section}: {name}": story
    for section, stories in {
        "idempotence": IDEMPOTENCE,
        "rights": RIGHTS,
        "restart": RESTARTS,
    }.items()
    for name, story in stories.items()
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(story: str) -> None:
    let_everything_end(check(story))


# Limits, at n and at n + 1

LIMITS = {
    "open tasks of a client": (
        {"max_open_tasks_per_client": 2},
        """
        p init task=a   | a:init p > p
        p.2 init task=b | b:init p > p.2
        p init task=c   | refused limit > p
        p.2 init task=c | refused limit > p.2
        q init task=c   | c:init q > q
        p cancel task=a | a:fail p cancelled > p
                        | a:end hub > p
        p init task=d   | d:init p > p
        """,
    ),
    "open tasks of the hub": (
        {"max_open_tasks": 2},
        """
        p init task=a id=i | a:init p > p
        q init task=b   | b:init q > q
        r init task=c   | refused limit > r
        p init task=a id=i | a:unchanged 1 > p
        p cancel task=a | a:fail p cancelled > p
                        | a:end hub > p
        r init task=c   | c:init r > r
        """,
    ),
    "bytes of open tasks: results count, and always pass": (
        {"max_open_bytes": 3 * sys.getsizeof("12")},
        """
        a sub
        b sub
        p init payload=12          | init p > p a b
        q init task=b payload=12   | b:init q > q a b
        r init task=c payload=123  | refused limit > r
        r init task=c payload=12   | c:init r > r a b
        r init task=d payload=1    | refused limit > r
        p cancel                   | fail p cancelled > p a b
                                   | end hub > p a b
        a success 34 task=b        | b:start a > q a b
                                   | b:success a 34 > q a b
        r init task=d payload=1    | refused limit > r
        b success 56 task=b        | b:start b > q a b
                                   | b:drop b =success 56 > q a b
                                   | b:end hub > q a b
        r init task=d payload=12   | d:init r > r a b
        """,
    ),
    "subscriptions of a connection": (
        {"max_subscriptions": 2},
        """
        a sub action=x
        a sub action=y
        a sub action=z | refused limit > a
        a sub action=y
        a.2 sub action=z
        a unsub action=x
        a sub action=z
        """,
    ),
    "events of a task: updates stop, outcomes pass": (
        {"max_events_per_task": 4},
        """
        a sub
        p init      | init p > p a
        a update 1  | start a > p a
                    | update a 1 > p a
        a update 2  | update a 2 > p a
        a update 3  | refused limit > a
        a success 4 | success a 4 > p a
                    | end hub > p a
        """,
    ),
    "events of a task: an implied start counts": (
        {"max_events_per_task": 4},
        """
        a sub
        b sub
        p init      | init p > p a b
        a update 1  | start a > p a b
                    | update a 1 > p a b
        b update 2  | refused limit > b
        b start     | start b > p a b
        b update 2  | refused limit > b
        b fail 3    | drop b =fail 3 > p a b
        """,
    ),
    "events of a task: an implied start fits": (
        {"max_events_per_task": 5},
        """
        a sub
        b sub
        p init      | init p > p a b
        a update 1  | start a > p a b
                    | update a 1 > p a b
        b update 2  | start b > p a b
                    | update b 2 > p a b
        p update 3  | refused limit > p
        """,
    ),
}


@pytest.mark.parametrize(("limits", "story"), LIMITS.values(), ids=LIMITS)
def test_limit(limits: dict[str, int], story: str) -> None:
    let_everything_end(check(story, **limits))


def test_a_full_hub_says_that_it_may_pass() -> None:
    world = check("p init | init p > p", max_open_tasks=1)
    with pytest.raises(Rejection) as refused:
        world.engine.decide(an_init(task_id="u", event_id="other"), world.now)
    assert refused.value.retry
    assert "1 open tasks" in refused.value.message


def test_a_hub_full_of_payloads_says_whether_it_may_pass() -> None:
    room = sys.getsizeof("12") + sys.getsizeof("345")
    world = check("p init payload=12 | init p > p", max_open_bytes=room)

    def refusal(payload: str) -> Rejection:
        command = msgspec.structs.replace(an_init(task_id="u", event_id="other"), payload=payload)
        with pytest.raises(Rejection) as refused:
            world.engine.decide(command, world.now)
        return refused.value

    assert refusal("3456").retry
    assert not refusal("3" * room).retry, "not even alone"
    assert f"more than {room} bytes" in refusal("3456").message
    world.do(inputs.Cancel(connection="p", task_id="t"))
    assert isinstance(
        world.do(msgspec.structs.replace(an_init(task_id="u", event_id="o"), payload="3456"))[0],
        Deliver,
    )


def test_a_hub_that_takes_no_new_tasks_says_why() -> None:
    world = check("p init id=i start=100 end=60000 | init p > p")
    world.engine.refuse_new("The disk is nearly full.")
    (effect,) = world.do(an_init(task_id="u", event_id="other"))
    assert isinstance(effect, Refuse)
    assert effect.rejection.code is Code.UNAVAILABLE
    assert effect.rejection.message == "The disk is nearly full."
    (effect,) = world.do(an_init())
    assert isinstance(effect, Unchanged)
    world.engine.refuse_new(None)
    assert isinstance(world.do(an_init(task_id="u", event_id="other"))[0], Deliver)


# What is answered to whom


def an_init(
    *, task_id: str = "t", event_id: str = "i", connection: str = "p", command_id: str | None = None
) -> inputs.Init:
    return inputs.Init(
        connection=connection,
        command_id=command_id,
        task_id=task_id,
        event_id=event_id,
        action="x:y",
        payload="{}",
        start_timeout=100,
        end_timeout=60_000,
    )


def a_report(kind: EventKind, body: str | None, event_id: str) -> inputs.Report:
    return inputs.Report(
        connection="a", command_id="c", kind=kind, task_id="t", event_id=event_id, body=body
    )


def test_a_subscription_is_acknowledged_before_its_tasks() -> None:
    world = check("p init | init p > p\na connect")
    effects = world.do(inputs.Subscribe(connection="a", command_id="7", pattern="x"))
    assert effects[0] == Acknowledge(to="a", message="Subscribed to x.", action="x", command_id="7")
    assert isinstance(effects[1], Offer)
    assert effects[1].event is world.engine.books.open["t"].init


def test_an_unsubscription_is_acknowledged_also_when_there_was_none() -> None:
    world = check("a sub")
    command = inputs.Unsubscribe(connection="a", command_id="7", pattern="x:y")
    for message in ("Unsubscribed from x:y.", "Was not subscribed to x:y."):
        assert world.do(command) == [
            Acknowledge(to="a", message=message, action="x:y", command_id="7")
        ]


def test_the_event_itself_answers_its_sender() -> None:
    world = check("a sub\np connect")
    (init,) = world.do(an_init(command_id="1"))
    assert isinstance(init, Deliver)
    assert (init.sender, init.command_id, init.action) == ("p", "1", "x:y")
    (done,) = world.do(a_report(EventKind.SUCCESS, "1", "s"))
    assert isinstance(done, Deliver)
    assert [event.kind for event in done.events] == ["start", "success", "end"]
    assert (done.sender, done.command_id, done.answer) == ("a", "c", 1)


def test_the_fail_answers_a_cancel() -> None:
    world = check("p init | init p > p")
    (done,) = world.do(inputs.Cancel(connection="p", command_id="9", task_id="t"))
    assert isinstance(done, Deliver)
    assert [event.kind for event in done.events] == ["fail", "end"]
    assert (done.sender, done.command_id, done.answer) == ("p", "9", 0)


def test_a_repeated_event_names_the_stored_one() -> None:
    world = check("a sub\np init | init p > p a\na start id=s | start a > p a")
    again = world.do(a_report(EventKind.START, None, "s"))
    assert again == [Unchanged(to="a", task_id="t", event_id="s", task=1, seq=2, command_id="c")]
    nothing_new = world.do(a_report(EventKind.START, None, "s2"))
    assert nothing_new == [Unchanged(to="a", task_id="t", event_id="s2", command_id="c")]


def test_the_payload_is_kept_as_received() -> None:
    world = check('p init payload={"n":1.0e400} | init p > p')
    assert world.task().init.body == '{"n":1.0e400}'


@pytest.mark.parametrize("name", ["y" * 64, "y" * 300])
def test_a_refusal_does_not_repeat_a_long_name(name: str) -> None:
    world = check("z connect sub= pub=")
    (effect,) = world.do(inputs.Subscribe(connection="z", pattern=name))
    assert isinstance(effect, Refuse)
    assert len(effect.rejection.message) < 110
    assert ("…" in effect.rejection.message) == (len(name) > 64)


def test_to_a_stranger_a_task_that_is_and_one_that_is_not_are_the_same() -> None:
    world = check("a sub\np init | init p > p a\nz connect sub=other pub=other")
    items: list[inputs.Report | inputs.Cancel] = []
    for task_id in ("t", "nope"):
        items += [
            inputs.Report(connection="z", kind=kind, task_id=task_id, event_id="e", body="1")
            for kind in EventKind
            if kind is not EventKind.INIT
        ]
        items.append(inputs.Cancel(connection="z", task_id=task_id))
    answers = [said(world.do(item)[0]) for item in items]
    assert answers[: len(answers) // 2] == answers[len(answers) // 2 :]
    world.do(inputs.Cancel(connection="p", task_id="t"))
    assert [said(world.do(item)[0]) for item in items] == answers


def said(effect: object) -> tuple[object, ...]:
    if isinstance(effect, Refuse):
        return effect.rejection.code, effect.rejection.message
    assert isinstance(effect, Unchanged)
    return effect.task, effect.seq


# Memory


def test_a_task_that_is_not_in_memory_has_to_be_loaded() -> None:
    world = check("p connect")
    for item in (
        inputs.Report(connection="p", kind=EventKind.START, task_id="t", event_id="e", body=None),
        inputs.Cancel(connection="p", task_id="t"),
    ):
        with pytest.raises(TaskNotLoaded) as missing:
            world.engine.decide(item, world.now)
        assert missing.value.task_id == "t"


def test_the_oldest_ended_task_is_forgotten() -> None:
    engine = Engine(Limits(), World().fresh_id)
    engine.decide(inputs.Connected(connection="p", access=access("p", pub=["*"])), 0)

    def one_more(n: int) -> None:
        engine.decide(an_init(task_id=f"t{n}", event_id=f"e{n}"), 0)
        engine.decide(inputs.Cancel(connection="p", task_id=f"t{n}"), 0)

    for n in range(RECENT_TASKS):
        one_more(n)
    with pytest.raises(Rejection) as refused:
        engine.decide(an_init(task_id="t", event_id="e0"), 0)
    assert refused.value.code is Code.EVENT_CONFLICT
    one_more(RECENT_TASKS)
    assert len(engine.books.recent) == RECENT_TASKS
    assert "t0" not in engine.books.recent
    engine.decide(an_init(task_id="t", event_id="e0"), 0)


def test_a_task_that_was_never_stored_leaves_nothing() -> None:
    """Its taskId was taken by a task not in memory: the journal said so."""
    world = check("a sub\np connect")
    books = world.engine.books
    (decision,) = world.engine.decide(an_init(), world.now)
    assert books.connections["a"].busy == 1
    books.forget({decision.key})
    assert not books.open
    assert not books.recent
    assert not books.event_owner
    assert not books.open_by_client
    assert books.connections["a"].busy == 0
    assert not books.connections["a"].participations
    books.forget({decision.key})


def test_the_unions_are_closed() -> None:
    """What is neither a fact nor an input means nothing."""
    world = check("p init | init p > p")
    task = world.engine.books.open["t"]
    evolve(task, None)  # type: ignore[arg-type]
    world.engine.books.note(task, [None])  # type: ignore[list-item]
    assert world.engine.decide(None, world.now) is None  # type: ignore[arg-type]
    audit(world)


def test_presence_is_a_plain_value() -> None:
    fields = {"connection": "c", "client": "a", "address": "::1", "protocol": "legacy"}
    assert Presence(**fields, since=1) == Presence(**fields, since=1)


def test_rights_of_a_connection_that_is_gone_change_nothing() -> None:
    world = check("a connect legacy\na lost\na access sub=")
    assert not world.engine.books.connections
