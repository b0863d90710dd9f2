"""Who is sent a task: subscribers, late ones, groups, those who return (docs/protocol.md §3, §5.6).

How to read the stories: ``tests/core/helpers.py``.
"""

import pytest

from tests.core.audits import let_everything_end
from tests.core.helpers import check

LATE = {
    "inside the window, at once": """
        p init | init p > p
        +95
        a sub  | offer > a
        a success 1 | start a > p a
                    | success a 1 > p a
                    | end hub > p a
    """,
    "the window ends at its deadline, also before the hub has looked": """
        p init start=97 | init p > p
        +97
        a sub
        a start | refused unknown-task > a
        +7      | fail hub no-subscriber > p
                | end hub > p
    """,
    "only what the pattern covers": """
        p init action=weather/metno:now task=u | u:init p > p
        p init action=weatherman:x             | init p > p
        a sub action=weather                   | u:offer > a
        b sub action=weather/metno:now exact   | u:offer > b
        c sub action=weather exact
        d sub action=*                         | u:offer > d
                                               | offer > d
    """,
    "an exact subscription is one action": """
        a sub action=x exact
        b sub action=x
        p init action=x:y | init p > p b
    """,
    "not again for who has it": """
        a sub
        p init | init p > p a
        a sub
        a sub action=x
    """,
    "not again for who has done its part": """
        a sub
        b sub
        p init | init p > p a b
        a drop | start a > p a b
               | drop a > p a b
        a sub
    """,
    "not once it is settled": """
        a sub
        b sub
        p init      | init p > p a b
        a success 1 | start a > p a b
                    | success a 1 > p a b
        c sub
    """,
    "one who has started does not close the window": """
        a sub
        p init  | init p > p a
        a start | start a > p a
        b sub   | offer > b
        a success 1 | success a 1 > p a b
        +96     | end hub > p a b
    """,
    "a task unsubscribed from stays": """
        a sub
        p init      | init p > p a
        a unsub
        p init task=u | u:init p > p
        a success 1 | start a > p a
                    | success a 1 > p a
                    | end hub > p a
    """,
    "the publisher has heard of it already": """
        p init      | init p > p
        p sub
        ? people    | p offered
        p success 1 | start p > p
                    | success p 1 > p
                    | end hub > p
    """,
    "another connection of the publisher has not": """
        p init  | init p > p
        p.2 sub | offer > p.2
    """,
    "subscribed otherwise: the latest counts": """
        a sub exact
        a sub
        p init        | init p > p a
        a unsub
        p init task=u | u:init p > p
    """,
    "subscribed to several patterns: once": """
        a sub
        a sub action=x
        a sub action=*
        a sub exact
        p init | init p > p a
    """,
}

RETURN = {
    "returns inside the window, and is offered it again": """
        a sub
        p init  | init p > p a
        a lost
        a.2 sub | offer > a.2
        ? people | a.2 offered
        a.2 success 1 | start a > p a.2
                      | success a 1 > p a.2
                      | end hub > p a.2
    """,
    "an event takes over what a lost connection has begun": """
        a sub
        p init        | init p > p a
        a start       | start a > p a
        +96
        a lost
        +9996
        a.2 success 1 | success a 1 > p a.2
                      | end hub > p a.2
    """,
    "a second start takes over too, and tells nobody": """
        a sub
        p init    | init p > p a
        a start   | start a > p a
        a lost
        a.2 start | unchanged > a.2
        +10000
        ? people  | a.2 started
        a.2 sub
        a.2 start | unchanged > a.2
        a.2 drop  | drop a > p a.2
                  | success hub null > p a.2
                  | end hub > p a.2
    """,
    "after the grace it is too late": """
        a sub
        b sub
        p init        | init p > p a b
        b start       | start b > p a b
        a start       | start a > p a b
        a lost
        +10000        | drop hub service-lost > p b
        a.2 success 1 | refused unknown-task > a.2
    """,
    "not from a live connection": """
        a sub
        p init  | init p > p a
        a.2 start | refused unknown-task > a.2
    """,
    "not without the permission": """
        a sub
        p init  | init p > p a
        a lost
        a.2 connect sub=other
        a.2 start | refused unknown-task > a.2
    """,
    "not what another client has begun": """
        a sub
        p init  | init p > p a
        a lost
        b start | refused unknown-task > b
    """,
    "not what is done": """
        a sub
        b sub
        p init  | init p > p a b
        b start | start b > p a b
        a drop  | start a > p a b
                | drop a > p a b
        a lost
        a.2 success 1 | refused unknown-task > a.2
    """,
    "twice": """
        a sub
        p init  | init p > p a
        a lost
        a.2 sub | offer > a.2
        a.2 lost
        a.3 start | start a > p a.3
        a.3 lost
        a.4 success 1 | success a 1 > p a.4
                      | end hub > p a.4
    """,
    "two tasks, one at a time": """
        a sub
        p init        | init p > p a
        p init task=u | u:init p > p a
        a start        | start a > p a
        a start task=u | u:start a > p a
        a lost
        a.2 success 1 | success a 1 > p a.2
                      | end hub > p a.2
        +10000        | u:drop hub service-lost > p
                      | u:fail hub service-lost > p
                      | u:end hub > p
    """,
    "a publisher that drives, from its next connection": """
        p init  | init p > p
        p start | start p > p
        p lost
        p.2 success 1 | success p 1 > p p.2
                      | end hub > p p.2
    """,
    "a publisher that asks again hears on from there": """
        a sub
        p init id=i   | init p > p a
        p lost
        a start       | start a > p a
        p.2 init id=i | unchanged 1 > p.2
        a success 1   | success a 1 > p.2 a
                      | end hub > p.2 a
    """,
    "a publisher whose connection lives hears there": """
        a sub
        p init id=i   | init p > p a
        p.2 init id=i | unchanged 1 > p.2
        a start       | start a > p a
    """,
    "lost with nothing to do": """
        a sub
        a lost
        a lost
        p init | init p > p
    """,
    "lost when it was done": """
        a sub
        b sub
        p init | init p > p a b
        a drop | start a > p a b
               | drop a > p a b
        a lost
        b drop | start b > p a b
               | drop b > p a b
               | success hub null > p a b
               | end hub > p a b
    """,
}

GROUPS = {
    "one of the client's connections, the least busy": """
        g.1 sub group
        g.2 sub group
        p init        | init p > p g.1
        p init task=u | u:init p > p g.2
        p init task=v | v:init p > p g.1
        g.1 drop      | start g > p g.1
                      | drop g > p g.1
                      | success hub null > p g.1
                      | end hub > p g.1
        g.1 drop task=v | v:start g > p g.1
                        | v:drop g > p g.1
                        | v:success hub null > p g.1
                        | v:end hub > p g.1
        p init task=w | w:init p > p g.1
    """,
    "every service, one of each group": """
        a sub
        a.2 sub
        g.1 sub group
        g.2 sub group
        h.1 sub group
        p init | init p > p a a.2 g.1 h.1
    """,
    "as the admin has set it for the client": """
        g.1 connect group
        g.1 sub
        g.2 connect group
        g.2 sub
        p init | init p > p g.1
    """,
    "asked for both alone and in a group: alone": """
        g.1 sub group
        g.1 sub action=x
        g.2 sub group
        p init | init p > p g.1 g.2
        ? people | g.1 offered
                 | g.2 offered
    """,
    "lost before it started: the next one, at once, with a window of its own": """
        g.1 sub group
        g.2 sub group
        p init   | init p > p g.1
        +88
        g.1 lost | offer > g.2
                 | drop hub service-lost > p g.2
        +95
        g.2 success 1 | start g > p g.2
                      | success g 1 > p g.2
                      | end hub > p g.2
        ? people | g.1 lost service-lost
                 | g.2 succeeded 1
    """,
    "the window of the next one ends too": """
        g.1 sub group
        g.2 sub group
        p init   | init p > p g.1
        +48
        g.1 lost | offer > g.2
                 | drop hub service-lost > p g.2
        +95
        +1       | fail hub start-timeout > p g.2
                 | end hub > p g.2
    """,
    "the next one of its own client": """
        h.1 sub group
        h.2 sub group
        g.1 sub group
        g.2 sub group
        p init   | init p > p h.1 g.1
        g.1 lost | offer > g.2
                 | drop hub service-lost > p h.1 g.2
    """,
    "a window that is longer stays": """
        g.1 sub group
        g.2 sub group
        p init start=96 | init p > p g.1
        g.1 lost        | offer > g.2
                        | drop hub service-lost > p g.2
        +96             | fail hub start-timeout > p g.2
                        | end hub > p g.2
    """,
    "lost after it started: the next one, after the grace": """
        g.1 sub group
        g.2 sub group
        p init        | init p > p g.1
        g.1 start     | start g > p g.1
        +96
        g.1 lost
        +9999
        +1            | offer > g.2
                      | drop hub service-lost > p g.2
        g.2 success 1 | start g > p g.2
                      | success g 1 > p g.2
                      | end hub > p g.2
    """,
    "nobody else is there: it has the grace": """
        g.1 sub group
        p init   | init p > p g.1
        g.1 lost
        g.2 sub group | offer > g.2
        ? people | g.2 offered
    """,
    "nobody else is there after the grace either": """
        g.1 sub group
        p init    | init p > p g.1
        g.1 start | start g > p g.1
        g.1 lost
        +10000    | drop hub service-lost > p
                  | fail hub service-lost > p
                  | end hub > p
    """,
    "a late one, while another has the task": """
        g.1 sub group
        p init | init p > p g.1
        g.2 sub group
        g.2 start | refused unknown-task > g.2
    """,
    "a late one that subscribes for itself": """
        g.1 sub group
        p init  | init p > p g.1
        g.2 sub | offer > g.2
    """,
    "a late one, after the grace of the one that had it": """
        g.1 sub group
        p init start=20000 | init p > p g.1
        g.1 lost
        +10000        | drop hub service-lost > p
        g.2 sub group | offer > g.2
        ? people      | g.1 lost service-lost
                      | g.2 offered
    """,
    "settled tasks do not go round": """
        a sub
        g.1 sub group
        g.2 sub group
        p init      | init p > p a g.1
        a success 1 | start a > p a g.1
                    | success a 1 > p a g.1
        g.1 lost    | drop hub service-lost > p a
                    | end hub > p a
    """,
    "the next one is the publisher itself, which has heard of it": """
        g.1 sub group
        g.2 sub group
        g.2 init      | init g > g.2 g.1
        g.1 lost      | drop hub service-lost > g.2
        g.2 success 1 | start g > g.2
                      | success g 1 > g.2
                      | end hub > g.2
    """,
    "the next one has not had it yet": """
        g.1 sub group
        g.2 sub group
        p init               | init p > p g.1
        g.1 access sub=other | offer > g.2
                             | drop hub forbidden > p g.2
        g.1 access sub=*
        g.3 sub group
        g.1 sub group
        p init task=u        | u:init p > p g.3
        g.2 lost             | offer > g.3
                             | drop hub service-lost > p g.3
    """,
    "all of them have had it: it has the grace": """
        g.1 sub group
        g.2 sub group
        p init               | init p > p g.1
        g.1 access sub=other | offer > g.2
                             | drop hub forbidden > p g.2
        g.1 access sub=*
        g.1 sub group
        g.2 lost
        g.4 sub group        | offer > g.4
    """,
}

STORIES = {
    f"{section}: {name}": story
    for section, stories in {"late": LATE, "return": RETURN, "group": GROUPS}.items()
    for name, story in stories.items()
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(story: str) -> None:
    let_everything_end(check(story))


def test_a_window_opened_again_is_not_closed_by_the_tick_that_opened_it() -> None:
    """The grace ends first, then the old start deadline, and the hub sees both at once."""
    let_everything_end(
        check(
            """
            g.1 sub group
            g.2 sub group
            p init start=10008 | init p > p g.1
            g.1 start          | start g > p g.1
            g.1 lost
            +10008             | offer > g.2
                               | drop hub service-lost > p g.2
            +10007
            g.2 success 1      | start g > p g.2
                               | success g 1 > p g.2
                               | end hub > p g.2
            """
        )
    )


@pytest.mark.parametrize(
    ("story", "most"),
    [
        (
            """
            a sub
            b sub
            c sub
            p init | init p > p a b
            """,
            2,
        ),
        (
            """
            p init | init p > p
            a sub  | offer > a
            b sub  | offer > b
            c sub
            c start | refused unknown-task > c
            """,
            2,
        ),
        (
            """
            p init | init p > p
            a sub  | offer > a
            b sub  | offer > b
            c sub  | offer > c
            """,
            3,
        ),
    ],
    ids=["at the init", "late", "late, enough"],
)
def test_a_task_has_so_many_participants(story: str, most: int) -> None:
    let_everything_end(check(story, max_participants_per_task=most))
