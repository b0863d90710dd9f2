"""Actions, patterns, and the one matcher for both (docs/protocol.md §1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.access import PatternSet, access, is_action, is_pattern, patterns_covering

ACTIONS = ["email:send", "email/address:validate", "a:b", "9:9", "a.b_c-d/E:F.g", "a" * 253 + ":b"]
NOUNS = ["email", "email/address", "a.b_c-d/E", "a" * 255]
NEITHER = [
    *("", ":", "email:", ":send", "email::send", "a:b:c", "/a:b", "a/:b", "a//b:c", "a:b/c"),
    *(
        "-a:b",
        "a:.b",
        "_a",
        "a b:c",
        "a:b ",
        "a:b\n",
        "\na:b",
        "é:b",
        "a:٣",
        "email/*",
        "**",
        "*:b",
    ),
    *("a:b\x00", "a/", "a" * 254 + ":b", "a" * 256),
]


@pytest.mark.parametrize("text", ACTIONS)
def test_actions(text: str) -> None:
    assert is_action(text, strict=True)
    assert is_pattern(text, strict=True)


@pytest.mark.parametrize("text", [*NOUNS, "*"])
def test_patterns_that_are_no_actions(text: str) -> None:
    assert is_pattern(text, strict=True)
    assert not is_action(text, strict=True)


@pytest.mark.parametrize("text", NEITHER)
def test_neither(text: str) -> None:
    assert not is_action(text, strict=True)
    assert not is_pattern(text, strict=True)


@pytest.mark.parametrize("check", [is_action, is_pattern])
@pytest.mark.parametrize(
    ("text", "fits"),
    [("", False), ("x", True), ("any thing\n", True), ("é" * 255, True), ("é" * 256, False)],
)
def test_the_loose_grammar(check: object, text: str, fits: bool) -> None:
    assert callable(check)
    assert check(text, strict=False) is fits


@pytest.mark.parametrize(
    ("name", "covering"),
    [
        ("email:send", ["email:send", "email", "*"]),
        ("email/address:validate", ["email/address:validate", "email/address", "email", "*"]),
        ("a/b/c", ["a/b/c", "a/b", "a", "*"]),
        ("*", ["*"]),
        ("/odd", ["/odd", "*"]),
        ("a:b/c:d", ["a:b/c:d", "a", "*"]),
    ],
)
def test_patterns_covering(name: str, covering: list[str]) -> None:
    assert patterns_covering(name) == tuple(covering)


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("weather", "weather:forecast", True),
        ("weather", "weather/metno:forecast", True),
        ("weather", "weather", True),
        ("weather", "weather/metno", True),
        ("weather", "weatherman:x", False),
        ("weather", "weatherman", False),
        ("weather", "Weather:forecast", False),
        ("weather", "*", False),
        ("weather/metno", "weather:forecast", False),
        ("weather/metno", "weather", False),
        ("weather:forecast", "weather:forecast", True),
        ("weather:forecast", "weather:forecasts", False),
        ("weather:forecast", "weather", False),
        ("forecast", "weather:forecast", False),
        ("*", "weather:forecast", True),
        ("*", "weather", True),
        ("*", "*", True),
    ],
)
def test_covers(pattern: str, name: str, covered: bool) -> None:
    assert PatternSet([pattern]).covers(name) is covered


def test_no_pattern_covers_nothing() -> None:
    assert not PatternSet().covers("email:send")
    assert not PatternSet().covers("*")


def test_access_holds_one_set_a_verb() -> None:
    rights = access("mailer", sub=["email"], pub=["log:write"], watch=iter(["*"]), group=True)
    assert rights.client == "mailer"
    assert rights.group
    assert rights.sub.covers("email:send")
    assert not rights.pub.covers("email:send")
    assert rights.pub.covers("log:write")
    assert rights.watch.covers("log:write")
    assert not access("nobody").group
    assert access("nobody") == access("nobody", sub=[], pub=(), watch=[])


_segments = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,4}", fullmatch=True)


@given(nouns=st.lists(_segments, min_size=1, max_size=4), verb=_segments)
def test_an_action_is_covered_by_each_noun_above_it_and_by_no_other(
    nouns: list[str], verb: str
) -> None:
    action = f"{'/'.join(nouns)}:{verb}"
    assert is_action(action, strict=True)
    above = ["/".join(nouns[:count]) for count in range(1, len(nouns) + 1)]
    assert set(patterns_covering(action)) == {action, *above, "*"}
    for pattern in above:
        assert is_pattern(pattern, strict=True)
        assert PatternSet([pattern]).covers(action)
        assert not PatternSet([f"{pattern}x"]).covers(action)
