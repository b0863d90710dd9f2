"""Values in the words of the dashboard: spans, sizes, progress, trees, lanes, bars."""

import pytest

from hub.dashboard.pages import format as fmt
from hub.dashboard.pages.commands import publish_command, serve_command, watch_command
from hub.dashboard.pages.links import action_url, searched, task_url
from hub.dashboard.pages.progress import progress_of
from hub.dashboard.pages.spark import spark
from hub.dashboard.pages.tree import tree


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "–"),
        (-5, "0 ms"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (9_949, "9.9 s"),
        (9_950, "9 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (185_000, "3 min 5 s"),
        (7_500_000, "2 h 5 min"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_durations(ms: int | None, words: str) -> None:
    assert fmt.duration(ms) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (3_500, "3.4 KiB"), (1 << 20, "1 MiB")],
)
def test_sizes(count: int, words: str) -> None:
    assert fmt.size(count) == words


def test_numbers() -> None:
    assert fmt.number(10_000) == "10\u202f000"
    assert fmt.number(0.25) == "0.2"
    assert fmt.number(9.04) == "9"
    assert fmt.capped(10_000, more=True) == "10\u202f000+"
    assert fmt.counted(1, "task") == "1 task"
    assert fmt.counted(2, "task") == "2 tasks"


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "0 %"),
        (0, 9, "0 %"),
        (1, 1000, "under 1 %"),
        (1, 3, "33 %"),
        (999, 1000, "99 %"),
        (5, 5, "100 %"),
    ],
)
def test_no_percentage_claims_none_or_all_where_it_is_not_so(
    part: int, whole: int, words: str
) -> None:
    assert fmt.percent(part, whole) == words


@pytest.mark.parametrize(
    ("update", "value", "maximum", "words"),
    [
        ('{"done": 3, "total": 10}', 3, 10, "3 of 10"),
        ('{"done": 12, "total": 10}', 10, 10, "12 of 10"),
        ('{"done": 0.5, "total": 2, "message": "x"}', 0.5, 2, "0.5 of 2"),
        ("0.256", 0.256, 1, "25 %"),
        ("1", 1, 1, "100 %"),
        ("0", 0, 1, "0 %"),
    ],
)
def test_an_update_that_says_how_far(update: str, value: float, maximum: float, words: str) -> None:
    progress = progress_of(update)
    assert progress is not None
    assert (progress.value, progress.max, progress.text) == (value, maximum, words)


@pytest.mark.parametrize(
    "update",
    [
        None,
        "null",
        "true",
        "2",
        "-0.1",
        '"half"',
        "[1, 2]",
        "{}",
        '{"done": 1}',
        '{"done": "1", "total": 2}',
        '{"done": true, "total": 2}',
        '{"done": 1, "total": 0}',
        '{"done": -1, "total": 2}',
        '{"done": 1, "total": 1e999}',
        '{"done": NaN, "total": 2}',
        f'{{"done": 1, "total": 1{"0" * 400}}}',
        f"1{'0' * 4500}",
        f'{{"done": 1, "total": 2, "log": "{"x" * 5000}"}}',
        "not json",
    ],
)
def test_an_update_that_says_something_else(update: str | None) -> None:
    assert progress_of(update) is None


def test_a_tree_keeps_numbers_and_members_as_they_came() -> None:
    shown = tree('{"n": 0.10, "big": 12345678901234567890123, "e": 1E400, "n": null}') or ""
    assert shown.count('class="key">n</span>') == 2
    for part in ("0.10", "12345678901234567890123", "1E400", "null"):
        assert f">{part}</span>" in shown


def test_a_tree_shows_markup_as_text_in_names_and_values() -> None:
    shown = tree('{"<b>": "<script>", "l": [{"\\"x": "</pre>"}]}') or ""
    assert "&lt;b&gt;" in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;/pre&gt;" in shown
    assert "<b>" not in shown
    assert "<script" not in shown


@pytest.mark.parametrize("text", ["1", '"text"', "null", "[]", "{}", "no json", "{"])
def test_what_has_no_levels_is_no_tree(text: str) -> None:
    assert tree(text) is None


def test_a_tree_is_bounded() -> None:
    shown = tree("[" + ",".join("[1,2,3]" for _ in range(5_000)) + "]") or ""
    assert shown.count("<li>") < 1_300
    assert " more" in shown
    deep = tree("[" * 64 + "1" + "]" * 64) or ""
    assert deep.count("<details") == 63


def test_addresses_hold_any_name() -> None:
    assert task_url("a:b", "body", "1").endswith("/tasks/a:b/body/1/")
    assert action_url("email/address:validate").endswith("/actions/email/address:validate/")
    assert action_url("a?b#c\n%").endswith("/actions/a%3Fb%23c%0A%25/")
    assert searched("action", "email:send") == "action:email:send"
    assert searched("action", "a b") == 'action:"a b"'


def test_lines_to_copy_quote_names_for_a_shell() -> None:
    assert serve_command("a;rm -rf /") == "taskhub sub --exec cat 'a;rm -rf /'"
    assert publish_command("-x").endswith("-- -x '{}'")
    assert watch_command("0" * 32) == f"taskhub watch {'0' * 32}"
    assert watch_command("t1") == "taskhub watch --task t1"


def test_bars_without_inline_style() -> None:
    shown = spark((0, 1, 4), span="the last hour")
    assert "5 tasks ended in the last hour, 4 tasks at most" in shown
    assert "style" not in shown
    assert spark((), span="the last hour").startswith("<svg")
