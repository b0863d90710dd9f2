"""The words of the search line, one row a case."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.values import TaskState
from hub.selectors.search import search_parse
from hub.selectors.tasks import TaskFilter

NOW = 1_900_000_000_000
INIT, START, SUCCESS, FAIL, END = TaskState

UNDERSTOOD: dict[str, dict[str, Any]] = {
    "": {},
    "   ": {},
    "action:email:send": {"actions": ("email:send",)},
    "action:email ACTION:* action:email": {"actions": ("email", "*")},
    "client:web service:mailer.1 id:a:b-c": {
        "publisher": "web",
        "service": "mailer.1",
        "task_id": "a:b-c",
    },
    "client:web client:web": {"publisher": "web"},
    "state:open": {"open": True},
    "state:init": {"states": frozenset({INIT})},
    "state:end": {"states": frozenset({END})},
    "state:fail": {"outcomes": frozenset({FAIL})},
    "state:Success,fail": {"outcomes": frozenset({SUCCESS, FAIL})},
    "state:start state:fail": {"states": frozenset({START}), "outcomes": frozenset({FAIL})},
    "state:open,fail": {
        "states": frozenset({INIT, START, SUCCESS, FAIL}),
        "outcomes": frozenset({FAIL}),
    },
    "since:15m until:30s": {"since": NOW - 900_000, "until": NOW - 30_000},
    "since:2w": {"since": NOW - 1_209_600_000},
    "since:2030-01-02": {"since": 1_893_542_400_000},
    "until:2030-01-02T00:00+01:00": {"until": 1_893_538_800_000},
    'since:"2030-01-02 00:00:01.5"': {"since": 1_893_542_401_500},
    "no room": {"reason": "no room"},
    '"no  room"': {"reason": "no  room"},
    'reason:"no  room" left': {"reason": "no  room left"},
    '"foo:bar"': {"reason": "foo:bar"},
    '"open quote': {"reason": "open quote"},
    '""': {},
    "50% (half)": {"reason": "50% (half)"},
    "12:30": {"reason": "12:30"},
}
#: line, what of it is understood, and what the problem says
NOT_UNDERSTOOD: list[tuple[str, dict[str, Any], str]] = [
    ("email:send", {}, "action:email:send"),
    ("state:done", {}, "init, start, success, fail, open, end"),
    ("state:fail,", {"outcomes": frozenset({FAIL})}, "with commas"),
    ("since:soon", {}, "15m"),
    ("since:9999999999h", {}, "15m"),
    ("until:0001-01-01T00:00+23:59", {"until": -62_135_683_140_000}, ""),
    ("action:email:*", {}, "email for all below it"),
    ("action: x", {"reason": "x"}, "action: is empty"),
    ("reason:", {}, "reason: is empty"),
    ("client:w/b", {}, "client's name"),
    ("id:ä", {}, "task's id"),
    ("client:a client:b", {"publisher": "b"}, "the last one counts"),
]


@pytest.mark.parametrize("line", UNDERSTOOD)
def test_it_is_understood(line: str) -> None:
    found = search_parse(line, NOW)
    assert found.filter == TaskFilter(**UNDERSTOOD[line])
    assert found.problems == ()


@pytest.mark.parametrize(("line", "understood", "problem"), NOT_UNDERSTOOD)
def test_what_is_not_understood_is_told(
    line: str, understood: dict[str, Any], problem: str
) -> None:
    found = search_parse(line, NOW)
    assert found.filter == TaskFilter(**understood)
    assert problem in "".join(found.problems)
    assert len(found.problems) == (1 if problem else 0)


def test_actions_of_any_shape_where_the_hub_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Any:
        action_grammar = "any"

    monkeypatch.setattr("hub.selectors.search.hub_settings", Any)
    assert search_parse("action:email:*", NOW).filter.actions == ("email:*",)


@given(st.text() | st.from_regex(r"((action|state|id|since|until|x):?\S* ?){1,4}"))
def test_it_never_raises_and_shows_no_long_text(line: str) -> None:
    for problem in search_parse(line, NOW).problems:
        assert len(problem) < 300
        assert problem.endswith(".")
