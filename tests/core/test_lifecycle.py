"""The lifecycle as tables (docs/protocol.md §5): every pair, every row, every rule from both sides.

How to read the stories: ``tests/core/helpers.py``.
"""

import json

import pytest

from hub.core.errors import Code, Rejection
from hub.core.facts import Event
from hub.core.lifecycle import check as check_report
from hub.core.transitions import PARTICIPANT, TASK
from hub.core.values import EventKind, ParticipantState, TaskState
from tests.core.audits import let_everything_end
from tests.core.helpers import check

T, E, P = TaskState, EventKind, ParticipantState

# Totality: a new key or a new state has to be written down here too.

REFUSED_TASK = {
    T.INIT: {E.INIT, E.UPDATE, E.END},
    T.START: {E.INIT, E.END},
    T.SUCCESS: {E.INIT, E.SUCCESS, E.FAIL},
    T.FAIL: {E.INIT, E.START, E.UPDATE, E.DROP, E.SUCCESS, E.FAIL},
    T.END: set(E),
}

REFUSED_PARTICIPANT = {
    P.OFFERED: {E.INIT},
    P.STARTED: {E.INIT},
    P.SUCCEEDED: set(E) - {E.END},
    P.FAILED: set(E) - {E.END},
    P.DROPPED: set(E) - {E.END},
    P.TIMED_OUT: set(E) - {E.END},
    P.LOST: set(E) - {E.END},
}


@pytest.mark.parametrize("state", T)
@pytest.mark.parametrize("kind", E)
def test_every_event_in_every_state_is_in_the_table_or_refused(
    state: TaskState, kind: EventKind
) -> None:
    assert ((state, kind) in TASK) != (kind in REFUSED_TASK[state])


@pytest.mark.parametrize("state", P)
@pytest.mark.parametrize("kind", E)
def test_every_event_of_every_participant_is_in_the_table_or_refused(
    state: ParticipantState, kind: EventKind
) -> None:
    assert ((state, kind) in PARTICIPANT) != (kind in REFUSED_PARTICIPANT[state])


def test_no_key_beside_the_states_and_events() -> None:
    assert set(TASK) <= {(state, kind) for state in T for kind in E}
    assert set(PARTICIPANT) <= {(state, kind) for state in P for kind in E}


def test_a_state_leads_only_onwards() -> None:
    order = [T.INIT, T.START, T.SUCCESS, T.FAIL, T.END]
    for (state, _), after in TASK.items():
        assert after is state or order.index(after) > order.index(state)
    assert TASK[T.SUCCESS, E.END] is TASK[T.FAIL, E.END] is T.END


@pytest.mark.parametrize("state", P)
@pytest.mark.parametrize("kind", sorted(set(E) - {E.INIT}))
def test_what_a_participant_may_send(state: ParticipantState, kind: EventKind) -> None:
    """The refusal in the tables is the refusal of the code."""
    world = check("a sub\np init | init p > p a")
    task = world.engine.books.open["t"]
    task.participants[1].state = state
    if kind not in REFUSED_PARTICIPANT[state]:
        check_report(task, 1, kind, max_events=10)
        return
    with pytest.raises(Rejection) as refused:
        check_report(task, 1, kind, max_events=10)
    assert refused.value.code is Code.ILLEGAL_TRANSITION


# Stories


def begin(names: str, options: str = "") -> str:
    """Services that subscribe, and a task."""
    services = "\n".join(f"{name} sub" for name in names.split())
    return f"{services}\np init {options} | init p > p {names}\n"


ROWS_OF_5_4 = {
    "nobody subscribes: fail no-subscriber at the start deadline": """
        p init | init p > p
        +95
        +1     | fail hub no-subscriber > p
               | end hub > p
        ? outcome | end fail
    """,
    "nobody subscribes, expect delivery: it was not delivered": """
        p init expect=delivery | init p > p
        +96    | fail hub no-subscriber > p
               | end hub > p
    """,
    "nobody starts: fail start-timeout": begin("a b")
    + """
        +95
        +1     | fail hub start-timeout > p a b
               | end hub > p a b
        ? people | a timed out
                 | b timed out
    """,
    "nobody starts, expect delivery: success null": begin("a b", "expect=delivery")
    + """
        +96    | success hub null > p a b
               | end hub > p a b
        ? people | a timed out
                 | b timed out
    """,
    "expect delivery, somebody starts: its result counts": begin("a b", "expect=delivery")
    + """
        a start | start a > p a b
        +96
        a success 5 | success a 5 > p a b
                    | end hub > p a b
    """,
    "all dropped: success null": begin("a b")
    + """
        a drop | start a > p a b
               | drop a > p a b
        b drop | start b > p a b
               | drop b > p a b
               | success hub null > p a b
               | end hub > p a b
        ? people | a dropped
                 | b dropped
    """,
    "one dropped, the other never started: success null": begin("a b")
    + """
        a drop | start a > p a b
               | drop a > p a b
        +96    | success hub null > p a b
               | end hub > p a b
        ? people | a dropped
                 | b timed out
    """,
    "no outcome within endTimeout: fail end-timeout": begin("a", "end=1000")
    + """
        a start | start a > p a
        +999
        +1      | fail hub end-timeout > p a
                | end hub > p a
        ? people | a timed out
    """,
    "the end deadline comes before the start deadline": """
        p init start=500 end=96 | init p > p
        +95
        +1 | fail hub end-timeout > p
           | end hub > p
    """,
    "the default end timeout": begin("a")
    + """
        a start | start a > p a
        +59999
        +1 | fail hub end-timeout > p a
           | end hub > p a
    """,
    "success, others at work: they may go on until they are done": begin("a b c d")
    + """
        a start | start a > p a b c d
        b start | start b > p a b c d
        c start | start c > p a b c d
        a success 5 | success a 5 > p a b c d
        ? outcome | success success
        b update 1 | update b 1 > p a b c d
        b drop     | drop b > p a b c d
        d update 2 | start d > p a b c d
                   | update d 2 > p a b c d
        c success 6 | drop c =success 6 > p a b c d
        d fail 7   | drop d =fail 7 > p a b c d
                   | end hub > p a b c d
        ? people | a succeeded 5
                 | b dropped
                 | c succeeded 6
                 | d failed 7
        ? outcome | end success
    """,
    "success, another still in the window: the window ends it": begin("a b")
    + """
        a success 5 | start a > p a b
                    | success a 5 > p a b
        +95
        +1 | end hub > p a b
        ? people | a succeeded 5
                 | b timed out
    """,
    "success, another at work for too long: the end deadline ends it": begin("a b", "end=1000")
    + """
        b start | start b > p a b
        a success 5 | start a > p a b
                    | success a 5 > p a b
        +96
        +904 | end hub > p a b
        ? people | a succeeded 5
                 | b timed out
        ? outcome | end success
    """,
    "the publisher cancels": begin("a")
    + """
        a start | start a > p a
        p cancel "no" | fail p cancelled > p a
                      | end hub > p a
        ? people | a dropped
        a success 5 | refused task-ended > a
    """,
    "the publisher cancels from another connection, which hears that": begin("a")
    + """
        p.2 cancel | fail p cancelled > p a p.2
                   | end hub > p a
    """,
    "an operator cancels, and hears that it is done": begin("a")
    + """
        operator cancel "no" | fail hub cancelled > p a operator
                             | end hub > p a
        operator cancel      | refused task-ended > operator
    """,
    "a connection is lost and does not return: service-lost after the grace": begin("a")
    + """
        a start | start a > p a
        +96
        a lost
        +9999
        +1      | drop hub service-lost > p
                | fail hub service-lost > p
                | end hub > p
        ? people | a lost service-lost
    """,
    "lost, but not the last hope: counts as dropped": begin("a b")
    + """
        a start | start a > p a b
        b start | start b > p a b
        +96
        a lost
        +10000  | drop hub service-lost > p b
        b drop  | drop b > p b
                | success hub null > p b
                | end hub > p b
    """,
    "lost, and who was left never started: service-lost": begin("a b", "start=20000")
    + """
        a start | start a > p a b
        a lost
        +10000  | drop hub service-lost > p b
        +10000  | fail hub service-lost > p b
                | end hub > p b
        ? people | a lost service-lost
                 | b timed out
    """,
    "lost before it started: start-timeout": begin("a", "start=20000")
    + """
        a lost
        +10000 | drop hub service-lost > p
        +9999
        +1     | fail hub start-timeout > p
               | end hub > p
        ? people | a lost service-lost
    """,
    "lost in the window that ends meanwhile: timed out": begin("a")
    + """
        a lost
        +96  | fail hub start-timeout > p a
             | end hub > p a
    """,
    "lost after somebody failed: the fail is the outcome": begin("a b")
    + """
        b start  | start b > p a b
        a fail 1 | start a > p a b
                 | drop a =fail 1 > p a b
        b lost
        +10000   | drop hub service-lost > p a
                 | fail a 1 > p a
                 | end hub > p a
    """,
    "lost after a success: only the end was missing": begin("a b")
    + """
        b start     | start b > p a b
        a success 1 | start a > p a b
                    | success a 1 > p a b
        b lost
        +10000   | drop hub service-lost > p a
                 | end hub > p a
        ? outcome | end success
    """,
    "the publisher is lost: the task goes on": begin("a")
    + """
        p lost
        a success 5 | start a > p a
                    | success a 5 > p a
                    | end hub > p a
    """,
    "the hub restarts: the stored deadline holds, the participant may return": begin("a")
    + """
        a start | start a > p a
        +96
        restart
        a.2 success 5 | success a 5 > p a.2
                      | end hub > p a.2
        ? people | a.2 succeeded 5
    """,
}

SETTLE = {
    "any, one fails: its reason": begin("a")
    + """
        a fail 1 | start a > p a
                 | fail a 1 > p a
                 | end hub > p a
        ? people | a failed 1
    """,
    "any, the first success, told to all": begin("a b c")
    + """
        a fail 1    | start a > p a b c
                    | drop a =fail 1 > p a b c
        b success 2 | start b > p a b c
                    | success b 2 > p a b c
        c success 3 | start c > p a b c
                    | drop c =success 3 > p a b c
                    | end hub > p a b c
        ? people | a failed 1
                 | b succeeded 2
                 | c succeeded 3
    """,
    "any, nobody succeeds: the first fail": begin("a b c d")
    + """
        b fail 1 | start b > p a b c d
                 | drop b =fail 1 > p a b c d
        a fail 2 | start a > p a b c d
                 | drop a =fail 2 > p a b c d
        c drop   | start c > p a b c d
                 | drop c > p a b c d
        d fail 3 | start d > p a b c d
                 | drop d =fail 3 > p a b c d
                 | fail b 1 > p a b c d
                 | end hub > p a b c d
        ? people | a failed 2
                 | b failed 1
                 | c dropped
                 | d failed 3
    """,
    "any, a fail while another is in the window waits for it": begin("a b")
    + """
        a fail 1 | start a > p a b
                 | drop a =fail 1 > p a b
        +96      | fail a 1 > p a b
                 | end hub > p a b
    """,
    "any, the last one fails after a drop: it settles itself": begin("a b")
    + """
        a drop   | start a > p a b
                 | drop a > p a b
        b fail 1 | start b > p a b
                 | fail b 1 > p a b
                 | end hub > p a b
    """,
    "any, a drop after a fail: the fail is the outcome": begin("a b")
    + """
        a fail 1 | start a > p a b
                 | drop a =fail 1 > p a b
        b drop   | start b > p a b
                 | drop b > p a b
                 | fail a 1 > p a b
                 | end hub > p a b
    """,
    "first, a success": begin("a b", "settle=first")
    + """
        a success 1 | start a > p a b
                    | success a 1 > p a b
        b fail 2    | start b > p a b
                    | drop b =fail 2 > p a b
                    | end hub > p a b
    """,
    "first, a fail ends it at once": begin("a b c", "settle=first")
    + """
        b start  | start b > p a b c
        a fail 1 | start a > p a b c
                 | fail a 1 > p a b c
                 | end hub > p a b c
        b success 2 | refused task-ended > b
        ? people | a failed 1
                 | b dropped
                 | c dropped
    """,
    "first, a drop is no word": begin("a b", "settle=first")
    + """
        a drop   | start a > p a b
                 | drop a > p a b
        b success 2 | start b > p a b
                    | success b 2 > p a b
                    | end hub > p a b
    """,
    "all, one": begin("a", "settle=all")
    + """
        a success 1 | start a > p a
                    | drop a =success 1 > p a
                    | success hub [{"by":"a","result":1}] > p a
                    | end hub > p a
    """,
    "all, in order of arrival, those that succeeded": begin("a b c d", "settle=all")
    + """
        c success 3 | start c > p a b c d
                    | drop c =success 3 > p a b c d
        a success 1 | start a > p a b c d
                    | drop a =success 1 > p a b c d
        b fail 2    | start b > p a b c d
                    | drop b =fail 2 > p a b c d
        ? outcome   | start
        d drop      | start d > p a b c d
                    | drop d > p a b c d
                    | success hub [{"by":"c","result":3},{"by":"a","result":1}] > p a b c d
                    | end hub > p a b c d
        ? people | a succeeded 1
                 | b failed 2
                 | c succeeded 3
                 | d dropped
    """,
    "all, the last of them fails": begin("a b", "settle=all")
    + """
        a success null | start a > p a b
                       | drop a =success null > p a b
        b fail 2    | start b > p a b
                    | drop b =fail 2 > p a b
                    | success hub [{"by":"a","result":null}] > p a b
                    | end hub > p a b
    """,
    "all, none succeeded and one failed": begin("a b", "settle=all")
    + """
        a fail 1 | start a > p a b
                 | drop a =fail 1 > p a b
        b drop   | start b > p a b
                 | drop b > p a b
                 | fail a 1 > p a b
                 | end hub > p a b
    """,
    "all, the only fail comes last": begin("a b", "settle=all")
    + """
        a drop   | start a > p a b
                 | drop a > p a b
        b fail 1 | start b > p a b
                 | fail b 1 > p a b
                 | end hub > p a b
    """,
    "all, nobody with a result": begin("a b", "settle=all")
    + """
        a drop   | start a > p a b
                 | drop a > p a b
        +96      | success hub null > p a b
                 | end hub > p a b
    """,
    "all, one never starts: the others' results at the end of the window": begin(
        "a b", "settle=all"
    )
    + """
        a success 1 | start a > p a b
                    | drop a =success 1 > p a b
        +96         | success hub [{"by":"a","result":1}] > p a b
                    | end hub > p a b
    """,
    "all, one is never done: end-timeout": begin("a b", "settle=all end=1000")
    + """
        a success 1 | start a > p a b
                    | drop a =success 1 > p a b
        b start     | start b > p a b
        +1000       | fail hub end-timeout > p a b
                    | end hub > p a b
        ? people | a succeeded 1
                 | b timed out
    """,
}

STARTS = {
    "the first start sets the state, each has its own": begin("a b")
    + """
        ? outcome | init
        a start | start a > p a b
        ? outcome | start
        b start | start b > p a b
    """,
    "update, drop, success and fail imply the start": begin("a b c d")
    + """
        a update 1 | start a > p a b c d
                   | update a 1 > p a b c d
        b drop     | start b > p a b c d
                   | drop b > p a b c d
        c fail 2   | start c > p a b c d
                   | drop c =fail 2 > p a b c d
        d success 3 | start d > p a b c d
                    | success d 3 > p a b c d
    """,
    "only once": begin("a")
    + """
        a start     | start a > p a
        a update 1  | update a 1 > p a
        a success 2 | success a 2 > p a
                    | end hub > p a
    """,
    "a second start changes nothing": begin("a")
    + """
        a start       | start a > p a
        a start id=s2 | unchanged > a
        a update 1 id=s2 | update a 1 > p a
    """,
    "a start after the window is refused, for good": begin("a b")
    + """
        b start | start b > p a b
        +96
        a start | refused illegal-transition > a
        a success 1 | refused illegal-transition > a
        a end   | unchanged > a
    """,
    "a start at the deadline, before the hub has looked, counts": begin("a", "start=1 end=900")
    + """
        +7
        a start | start a > p a
    """,
    "a start of one who is done": begin("a b")
    + """
        a drop  | start a > p a b
                | drop a > p a b
        a start | refused illegal-transition > a
        a drop  | refused illegal-transition > a
    """,
    "a reason may come with a drop, and is kept": begin("a b")
    + """
        a drop "busy" | start a > p a b
                      | drop a "busy" > p a b
        ? people | a dropped "busy"
                 | b offered
    """,
    "a service's start after the success": begin("a b")
    + """
        a success 1 | start a > p a b
                    | success a 1 > p a b
        b start     | start b > p a b
        b end       | drop b > p a b
                    | end hub > p a b
    """,
}

ENDS = {
    "a client's end means: I am done": begin("a b")
    + """
        a start | start a > p a b
        a end   | drop a > p a b
        ? people | a dropped
                 | b offered
    """,
    "as taskhubjs does it": begin("a")
    + """
        a success 1 | start a > p a
                    | success a 1 > p a
                    | end hub > p a
        a end       | unchanged > a
    """,
    "taskhubjs, with another one still at work": begin("a b")
    + """
        b start     | start b > p a b
        a success 1 | start a > p a b
                    | success a 1 > p a b
        a end       | unchanged > a
        b success 1 | drop b =success 1 > p a b
                    | end hub > p a b
        b end       | unchanged > b
    """,
    "a publisher's end is heard by nobody": begin("a")
    + """
        p end | unchanged > p
    """,
    "a publisher's end of a settled task": begin("a b")
    + """
        a success 1 | start a > p a b
                    | success a 1 > p a b
        p end       | unchanged > p
    """,
    "an end with an id that was used": begin("a b")
    + """
        a start id=e      | start a > p a b
        a success 1 id=e2 | success a 1 > p a b
        a end id=e2       | unchanged > a
        b end id=e2       | start b > p a b
                          | drop b > p a b
                          | end hub > p a b
        b end id=e        | unchanged > b
    """,
    "a stranger's end, of what is and what is not": begin("a")
    + """
        z connect sub= pub=
        z end           | unchanged > z
        z end task=nope | nope:unchanged > z
    """,
    "after the end: nothing": begin("a")
    + """
        a success 1 | start a > p a
                    | success a 1 > p a
                    | end hub > p a
        a update 2  | refused task-ended > a
        p success 2 | refused task-ended > p
        p cancel    | refused task-ended > p
        b start     | refused unknown-task > b
        +100000
    """,
}

CLAIM = {
    "the first start wins, the others count as dropped": begin("a b c", "claim")
    + """
        b start    | start b > p a b c
        a start    | refused claimed > a
        c success 1 | refused claimed > c
        a end      | unchanged > a
        b success 2 | success b 2 > p a b c
                    | end hub > p a b c
        ? people | a dropped
                 | b succeeded 2
                 | c dropped
    """,
    "an implied start claims too": begin("a b", "claim")
    + """
        a fail 1 | start a > p a b
                 | fail a 1 > p a b
                 | end hub > p a b
    """,
    "one who comes later is not offered it": begin("a", "claim")
    + """
        a start | start a > p a
        b sub
        b start | refused unknown-task > b
    """,
    "one who comes before the claim is": begin("a", "claim")
    + """
        b sub   | offer > b
        b start | start b > p a b
    """,
    "the claimer drops: nobody is left": begin("a b", "claim")
    + """
        a start | start a > p a b
        a drop  | drop a > p a b
                | success hub null > p a b
                | end hub > p a b
    """,
    "the claimer is lost": begin("a b", "claim")
    + """
        a start | start a > p a b
        a lost
        +10000  | drop hub service-lost > p b
                | fail hub service-lost > p b
                | end hub > p b
    """,
    "the claimer of a group is lost: the next may claim": """
        g.1 sub group
        g.2 sub group
        p init claim | init p > p g.1
        g.1 start    | start g > p g.1
        +96
        g.1 lost
        +10000       | offer > g.2
                     | drop hub service-lost > p g.2
        g.2 start    | start g > p g.2
        g.2 success 1 | success g 1 > p g.2
                      | end hub > p g.2
    """,
    "the claimer of a group is lost, the next never starts: service-lost": """
        a sub
        g.1 sub group
        g.2 sub group
        p init claim | init p > p a g.1
        g.1 start    | start g > p a g.1
        +96
        g.1 lost
        +10000       | offer > g.2
                     | drop hub service-lost > p a g.2
        +96          | fail hub service-lost > p a g.2
                     | end hub > p a g.2
        ? people     | a dropped
                     | g.1 lost service-lost
                     | g.2 timed out
    """,
    "not even the publisher": begin("a", "claim")
    + """
        a start | start a > p a
        p start | refused claimed > p
        p end   | unchanged > p
    """,
}

DRIVING = {
    "the publisher drives its own task": """
        p init      | init p > p
        p start     | start p > p
        p update 1  | update p 1 > p
        p success 2 | success p 2 > p
                    | end hub > p
        p end       | unchanged > p
        ? people    | p succeeded 2
    """,
    "beside a service": begin("a")
    + """
        a start     | start a > p a
        p success 2 | start p > p a
                    | success p 2 > p a
        a drop      | drop a > p a
                    | end hub > p a
    """,
    "after the start window": begin("a")
    + """
        a start  | start a > p a
        +96
        p fail 1 | start p > p a
                 | drop p =fail 1 > p a
    """,
    "not once it is settled": begin("a b")
    + """
        a success 1 | start a > p a b
                    | success a 1 > p a b
        p update 2  | refused illegal-transition > p
        p success 2 | refused illegal-transition > p
    """,
    "from two connections, as two": """
        p init      | init p > p
        p start     | start p > p
        p.2 start   | start p > p p.2
        p success 1 | success p 1 > p p.2
        p.2 drop    | drop p > p p.2
                    | end hub > p p.2
    """,
    "a subscriber too: told once": """
        p sub
        a sub
        p init      | init p > p a
        p success 1 | start p > p a
                    | success p 1 > p a
    """,
}

ALL_STORIES = {
    f"{section}: {name}": story
    for section, stories in {
        "5.4": ROWS_OF_5_4,
        "settle": SETTLE,
        "start": STARTS,
        "end": ENDS,
        "claim": CLAIM,
        "publisher": DRIVING,
    }.items()
    for name, story in stories.items()
}


@pytest.mark.parametrize("story", ALL_STORIES.values(), ids=ALL_STORIES)
def test_story(story: str) -> None:
    let_everything_end(check(story))


@pytest.mark.parametrize(
    ("step", "by", "to", "message"),
    [
        ('p cancel "no"', "p", "p", "Cancelled by p."),
        ('operator cancel "no"', "hub", "p operator", "Cancelled by operator operator."),
        ("p cancel", "p", "p", "Cancelled by p."),
    ],
)
def test_a_cancelled_task_says_by_whom_and_why(step: str, by: str, to: str, message: str) -> None:
    world = check(
        f"""
        p init | init p > p
        {step} | fail {by} cancelled > {to}
               | end hub > p
        """
    )
    settled = world.facts[1][1]
    assert isinstance(settled, Event)
    given = {"reason": "no"} if "no" in step else {}
    assert json.loads(settled.body or "") == {"code": "cancelled", "message": message, **given}
