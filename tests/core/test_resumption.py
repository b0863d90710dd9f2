"""A connection takes the place of a lost one (docs/protocol.md §6), told in stories."""

import pytest

from hub.core import inputs
from hub.core.access import access
from hub.core.connections import FORMER_KEPT, Watching
from hub.core.effects import Resumed
from tests.core.helpers import check
from tests.core.world import EPOCH, World, session_of

STORIES = {
    "a participant goes on": """
        a sub
        p init        | init p > p a
        a start       | start a > p a
        a lost
        a.2 resume a t=1 | resumed a t:2 > a.2
        a.2 success 5 | success a 5 > p a.2
                      | end hub > p a.2
        ? people      | a.2 succeeded 5
    """,
    "one that has not begun goes on, and is told of the task if it has not heard of it": """
        a sub
        p init        | init p > p a
        a lost
        a.2 resume a  | resumed a t:1 > a.2
        a.2 start     | start a > p a.2
    """,
    "what happened meanwhile is told": """
        a sub
        b sub
        p init           | init p > p a b
        a start          | start a > p a b
        a lost
        b success 1      | start b > p a b
                         | success b 1 > p a b
        a.2 resume a t=2 | resumed a t:3 > a.2
        a.2 drop         | drop a > p a.2 b
                         | end hub > p a.2 b
    """,
    "one that is done hears the rest": """
        a sub
        b sub
        p init settle=all | init p > p a b
        a success 1       | start a > p a b
                          | drop a =success 1 > p a b
        a lost
        a.2 resume a t=3  | resumed a t:4 > a.2
        b drop            | start b > p a.2 b
                          | drop b > p a.2 b
                          | success hub [{"by":"a","result":1}] > p a.2 b
                          | end hub > p a.2 b
    """,
    "the publisher hears of its tasks": """
        a sub
        p init           | init p > p a
        p lost
        a start          | start a > p a
        p.2 resume p t=1 | resumed p t:2 > p.2
        a success 5      | success a 5 > p.2 a
                         | end hub > p.2 a
    """,
    "a publisher that drives its own task": """
        p init start=960 | init p > p
        p start          | start p > p
        p lost
        p.2 resume p t=2 | resumed p t:3 > p.2
        p.2 success 5    | success p 5 > p.2
                         | end hub > p.2
    """,
    "subscriptions go on, and what waits is offered": """
        a sub
        a lost
        p init start=960 | init p > p
        a.2 resume a     | resumed a > a.2
                         | offer > a.2
        p init task=u    | u:init p > p a.2
    """,
    "what is told again is not offered besides": """
        a sub action=other
        a sub
        a lost
        p init start=960  | init p > p
        a.2 resume a t=0  | resumed a t:1 > a.2
        ? people          | a.2 offered
    """,
    "a group's subscription stays one of a group": """
        a.1 sub group
        a.1 lost
        a.2 resume a.1  | resumed a.1 > a.2
        a.3 sub group
        p init          | init p > p a.2
    """,
    "while it is away it gets nothing new": """
        a sub
        a lost
        p init       | init p > p
        +96          | fail hub no-subscriber > p
                     | end hub > p
        a.2 resume a | resumed a > a.2
    """,
    "what it did itself before stays": """
        a sub
        p init                | init p > p a
        a lost
        a.2 sub action=other
        a.2 resume a          | resumed a t:1 > a.2
        p init action=other:x task=u | u:init p > p a.2
        p init task=v         | v:init p > p a.2
    """,
    "half open: the old connection is let go of, its work goes over": """
        a sub
        p init           | init p > p a
        a start          | start a > p a
        a.2 resume a t=2 | resumed a t:3 > a.2
        a lost
        a.2 success 5    | success a 5 > p a.2
                         | end hub > p a.2
    """,
    "half open in a group: nothing goes to another one": """
        a.1 sub group
        p init start=960   | init p > p a.1
        a.2 sub group
        a.3 resume a.1 t=1 | resumed a.1 t:2 > a.3
        ? people           | a.3 offered
    """,
    "half open, and the new one has a part of its own: both stay apart": """
        a sub
        p init start=20000 | init p > p a
        a.2 sub            | offer > a.2
        a.2 resume a       | resumed a > a.2
        ? people           | a offered
                           | a.2 offered
        +10000             | drop hub service-lost > p a.2
        ? people           | a lost service-lost
                           | a.2 offered
    """,
    "twice: the second finds nothing": """
        a sub
        a lost
        a.2 resume a | resumed a > a.2
        a.3 resume a | not resumed > a.3
        p init       | init p > p a.2
    """,
    "again and again, each time by the last session": """
        a sub
        p init             | init p > p a
        a start            | start a > p a
        a lost
        a.2 resume a t=2   | resumed a t:3 > a.2
        a.2 lost
        a.3 resume a t=2   | not resumed > a.3
        a.3 resume a.2 t=2 | resumed a.2 t:3 > a.3
        a.3 success 1      | success a 1 > p a.3
                           | end hub > p a.3
    """,
    "after the grace there is nothing": """
        a sub
        a lost
        +10008
        a.2 resume a | not resumed > a.2
        p init       | init p > p
    """,
    "up to the end of the grace": """
        a sub
        a lost
        +9992
        a.2 resume a | resumed a > a.2
        +16
        p init       | init p > p a.2
    """,
    "another client, another epoch, an unknown session, its own": """
        a sub
        a lost
        b resume a           | not resumed > b
        a.2 resume a epoch=x | not resumed > a.2
        a.2 resume c         | not resumed > a.2
        a.2 resume a.2       | not resumed > a.2
        a.2 resume a         | resumed a > a.2
    """,
    "another client does not close it either": """
        a sub
        b resume a | not resumed > b
        p init     | init p > p a
    """,
    "a legacy connection has no session": """
        a connect legacy
        a sub
        a lost
        a.2 resume a | not resumed > a.2
    """,
    "a restart forgets all sessions": """
        a sub
        p init       | init p > p a
        a start      | start a > p a
        restart
        a.2 resume a | not resumed > a.2
        a.2 sub
        a.2 success  | success a > p a.2
                     | end hub > p a.2
    """,
    "rights taken away meanwhile: what they covered ends": """
        a sub
        a sub action=other
        b sub
        p init                  | init p > p a b
        a start                 | start a > p a b
        a lost
        a.2 connect sub=other
        a.2 resume a t=2        | resumed a t:3 > a.2
                                | drop hub forbidden > p b
        p init task=u           | u:init p > p b
        p init action=other:x task=v | v:init p > p a.2
    """,
    "it is not stored: the connections are where they were all the same": """
        a sub
        p init start=960   | init p > p a
        a start            | start a > p a
        a lost
        unstored
        a.2 resume a t=2   | resumed a t:3 > a.2
        ? people           | a.2 started
        a.2 success 5      | success a 5 > p a.2
                           | end hub > p a.2
    """,
    "the publisher's place too": """
        p init start=960 | init p > p
        p lost
        p.2 resume p t=1 | resumed p t:2 > p.2
        reload
        a sub            | offer > a
        a start          | start a > p.2 a
    """,
    "read anew: who is away can still be resumed": """
        a sub
        p init           | init p > p a
        a start          | start a > p a
        a lost
        reload
        a.2 resume a t=2 | resumed a t:3 > a.2
        p init task=u    | u:init p > p a.2
    """,
    "a resumed connection that is lost and read anew": """
        a sub
        p init start=9600  | init p > p a
        a lost
        unstored
        a.2 resume a t=1   | resumed a t:2 > a.2
        a.2 lost
        reload
        a.3 resume a.2 t=1 | resumed a.2 t:2 > a.3
        a.3 start          | start a > p a.3
    """,
    "at work and away: it is not offered again": """
        a sub
        p init start=960 | init p > p a
        a start          | start a > p a
        a lost
        a.2 sub
        ? people         | a started
        a.2 resume a t=2 | resumed a t:3 > a.2
        ? people         | a.2 started
    """,
}


@pytest.mark.parametrize("script", STORIES.values(), ids=STORIES.keys())
def test_story(script: str) -> None:
    check(script)


#: connections that a client may hold here
MOST = 5


def connect(world: World, name: str, client: str = "a") -> None:
    rights = access(client, sub=["*"], watch=["*"], connections=MOST)
    world.do(inputs.Connected(connection=name, access=rights, session=session_of(name)))


def resume(world: World, by: str, lost: str) -> Resumed:
    command = inputs.Resume(connection=by, session=session_of(lost), epoch=EPOCH, tasks={})
    answer = world.do(command)[0]
    assert isinstance(answer, Resumed)
    return answer


def test_watches_and_what_was_said_of_payloads_go_over() -> None:
    world = World()
    connect(world, "a")
    world.do(inputs.Subscribe(connection="a", pattern="x", lazy_payload=9))
    watching = Watching(tasks={"t": 3, "u": 1}, patterns=("x",))
    world.do(inputs.Disconnected(connection="a", watching=watching))
    connect(world, "b")
    command = inputs.Resume(
        connection="b", session=session_of("a"), epoch=EPOCH, tasks={"t": 7, "v": 0}
    )
    assert world.do(command) == [
        Resumed(
            to="b",
            previous="a",
            replays={"t": 8, "u": 1, "v": 1},
            watching=watching,
            lazy_payload=9,
        )
    ]


def test_subscriptions_go_over_up_to_the_limit() -> None:
    world = World(max_subscriptions=3)
    for name, patterns in (("a", ("x", "y", "z")), ("b", ("y", "w"))):
        connect(world, name)
        for pattern in patterns:
            world.do(inputs.Subscribe(connection=name, pattern=pattern))
    world.do(inputs.Disconnected(connection="a"))
    assert resume(world, "b", "a").previous == "a"
    assert set(world.engine.books.connections["b"].subscriptions) == {"y", "w", "x"}


def test_so_many_of_a_client_are_kept_and_the_first_lost_gives_way() -> None:
    world = World()
    connect(world, "other", client="b")
    world.do(inputs.Disconnected(connection="other"))
    for n in range(MOST + 1):
        connect(world, f"a{n}")
        world.do(inputs.Disconnected(connection=f"a{n}"))
    books = world.engine.books
    assert len(books.connections) == len(books.sessions) == MOST + 1
    connect(world, "b", client="b")
    assert resume(world, "b", "other").previous == "other"
    connect(world, "a")
    assert resume(world, "a", "a0").previous is None
    assert resume(world, "a", "a1").previous == "a1"


def test_nothing_is_left_of_a_thousand_resumes() -> None:
    world = World()
    connect(world, "0")
    world.do(inputs.Subscribe(connection="0", pattern="x"))
    for n in range(1_000):
        world.do(inputs.Disconnected(connection=str(n)))
        connect(world, str(n + 1))
        assert resume(world, str(n + 1), str(n)).previous == str(n)
    books = world.engine.books
    assert set(books.connections) == {"1000"}
    assert len(books.connections["1000"].former) == FORMER_KEPT
    world.do(inputs.Disconnected(connection="1000"))
    world.tick(world.limits.resume_grace_ms + 8)
    assert not books.connections
    assert not len(books.sessions)
    assert len(books.deadlines) == 0


def test_no_grace_at_all() -> None:
    world = World(resume_grace_ms=0)
    connect(world, "a")
    world.do(inputs.Disconnected(connection="a"))
    world.tick(8)
    assert not world.engine.books.connections


def test_a_session_is_shown_nowhere() -> None:
    world = World()
    connect(world, "a")
    connection = world.engine.books.connections["a"]
    shown = repr(
        (
            connection,
            inputs.Connected(connection="a", access=connection.access, session=session_of("a")),
        )
    )
    assert session_of("a") not in shown
