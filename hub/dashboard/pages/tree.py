"""A JSON value as a tree that folds, with every number and every member as it was received.

All text in it is somebody else's: it is escaped here, once, and nothing of it is ever markup.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.dashboard.pages.format import counted

#: values that are shown; the rest is in the raw text
_MOST: Final = 1_000
_LONGEST_TEXT: Final = 2_000
#: levels that are open at first
_OPEN: Final = 2


class _Literal(str):
    """A number as received: 1e400 and 0.10 stay what they are."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """An object; names may come twice."""


def tree(text: str) -> SafeString | None:
    """The value as nested lists; None: it has no levels, or it is no JSON after all."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_Members,
            parse_int=_Literal,
            parse_float=_Literal,
            parse_constant=_Literal,
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not value:
        return None
    return _Tree().branch(value, level=1)


class _Tree:
    def __init__(self) -> None:
        self._shown = 0

    def branch(self, value: list[Any], level: int) -> SafeString:
        items = format_html_join("", "<li>{}</li>", ((item,) for item in self._items(value, level)))
        return format_html('<ul class="tree">{}</ul>', items)

    def _items(self, value: list[Any], level: int) -> Iterator[SafeString]:
        pairs: Iterator[tuple[Any, Any]] = (
            iter(value) if isinstance(value, _Members) else enumerate(value)
        )
        for at, (name, member) in enumerate(pairs):
            if self._shown >= _MOST:
                yield format_html('<span class="none">{} more</span>', len(value) - at)
                return
            self._shown += 1
            yield self._item(name, member, level)

    def _item(self, name: str | int, value: Any, level: int) -> SafeString:
        key = format_html('<span class="key">{}</span> ', name)
        if not isinstance(value, list) or not value:
            return key + scalar(value)
        kind = "member" if isinstance(value, _Members) else "element"
        return format_html(
            '<details{}><summary>{}<span class="none">{}</span></summary>{}</details>',
            mark_safe(" open") if level < _OPEN else "",
            key,
            counted(len(value), kind),
            self.branch(value, level + 1),
        )


def scalar(value: Any) -> SafeString:
    """A value without levels."""
    if isinstance(value, _Literal):
        return format_html('<span class="num">{}</span>', value)
    if isinstance(value, str):
        if len(value) <= _LONGEST_TEXT:
            return format_html('<span class="str">{}</span>', value)
        rest = f"… {len(value) - _LONGEST_TEXT} more characters"
        return format_html(
            '<span class="str">{}</span><span class="none">{}</span>', value[:_LONGEST_TEXT], rest
        )
    if isinstance(value, list):
        return format_html(
            '<span class="none">{}</span>', "{}" if isinstance(value, _Members) else "[]"
        )
    return format_html('<span class="word">{}</span>', json.dumps(value))
