"""Who wants to hear of which actions (docs/protocol.md §1, §5.6)."""

import pytest

from hub.core.interest import Interest, Subscriber


def names(interest: Interest, action: str) -> list[str]:
    return [subscriber.connection for subscriber in interest.covering(action)]


@pytest.mark.parametrize(
    ("pattern", "covered", "other"),
    [
        ("weather:now", "weather:now", "weather:later"),
        ("weather", "weather:now", "weatherman:x"),
        ("weather", "weather/metno:now", "weathe:now"),
        ("weather/metno", "weather/metno:now", "weather:now"),
        ("weather/metno", "weather/metno/oslo:now", "weather/metnos:now"),
        ("*", "weather:now", None),
        ("Weather", "Weather:now", "weather:now"),
    ],
)
def test_a_pattern(pattern: str, covered: str, other: str | None) -> None:
    interest = Interest()
    interest.add("a", pattern, exact=False)
    assert names(interest, covered) == ["a"]
    assert other is None or names(interest, other) == []


def test_an_exact_action_covers_itself_alone() -> None:
    interest = Interest()
    interest.add("a", "weather", exact=True)
    interest.add("b", "*", exact=True)
    assert names(interest, "weather") == ["a"]
    assert names(interest, "weather:now") == []


def test_each_once_in_the_order_they_asked() -> None:
    interest = Interest()
    interest.add("b", "x:y", exact=False)
    interest.add("a", "x:y", exact=False)
    interest.add("a", "x", exact=False)
    interest.add("c", "*", exact=False)
    interest.add("c", "x:y", exact=True)
    assert names(interest, "x:y") == ["c", "b", "a"]


def test_removed_is_forgotten_at_once() -> None:
    interest = Interest()
    interest.add("a", "x", exact=False)
    interest.add("a", "x:y", exact=True)
    assert names(interest, "x:y") == ["a"]
    interest.remove("a", "x:y", exact=True)
    assert names(interest, "x:y") == ["a"]
    interest.remove("a", "x", exact=False)
    assert names(interest, "x:y") == []
    assert not interest._patterns
    assert not interest._exact


def test_removing_what_is_not_there() -> None:
    interest = Interest()
    interest.add("a", "x", exact=False)
    interest.remove("b", "x", exact=False)
    interest.remove("a", "x", exact=True)
    interest.remove("a", "y", exact=False)
    assert names(interest, "x:y") == ["a"]


def test_added_is_known_at_once() -> None:
    interest = Interest()
    assert names(interest, "x:y") == []
    interest.add("a", "x", exact=False)
    assert names(interest, "x:y") == ["a"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [((True, True), True), ((True, False), False), ((False, True), False)],
)
@pytest.mark.parametrize("exact", [True, False])
def test_alone_goes_before_group(groups: tuple[bool, bool], expected: bool, exact: bool) -> None:
    interest = Interest()
    interest.add("a", "x", exact=False, group=groups[0])
    interest.add("a", "x:y", exact=exact, group=groups[1])
    assert interest.covering("x:y") == (Subscriber("a", expected),)


def test_answers_are_kept_and_bounded() -> None:
    interest = Interest()
    interest.add("a", "*", exact=False)
    assert interest.covering("x:y") is interest.covering("x:y")
    for n in range(5_000):
        interest.covering(f"x:{n}")
    assert len(interest._answers) <= 4_096
    assert names(interest, "x:y") == ["a"]
