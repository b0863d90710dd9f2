"""Columns of rows as PostgreSQL array literals, the cheapest form in which many rows travel.

The driver's own lists cost a Python call for each element.
"""

from collections.abc import Iterable, Sequence

from hub.journal.rows import Row

#: The types of the columns, in the order of ``hub.journal.rows``.
NEW_TASKS = (
    *("bigint", "text", "text", "text", "text", "text", "text", "int"),
    *("bigint", "bigint", "bigint", "bigint", "int"),
    *("bigint", "bigint", "bigint", "bigint", "text", "text", "boolean"),
)
CHANGED_TASKS = (*("bigint", "int", "int", "text", "text", "bigint", "bigint", "bigint", "int"),)
WINDOWS = ("bigint", "bigint")
EVENTS = (
    *("bigint", "int", "text", "text", "bigint", "text", "text", "text", "int", "text", "text"),
)
NEW_PARTICIPANTS = (
    *("bigint", "int", "text", "text", "boolean", "text", "bigint", "bigint", "bigint", "text"),
)
CHANGED_PARTICIPANTS = ("bigint", "int", "text", "text", "bigint", "bigint", "text")
OPENED = ("text", "text", "text", "text", "text", "bigint")


def placeholders(types: Iterable[str]) -> str:
    """What stands for these columns in a statement, for ``unnest``."""
    return ", ".join(f"%s::{kind}[]" for kind in types)


def columns(rows: Sequence[Row], types: Sequence[str]) -> list[str]:
    """One array literal for each column."""
    if not rows:
        return ["{}"] * len(types)
    return [
        _texts(column) if kind == "text" else _plain(column)
        for kind, column in zip(types, zip(*rows, strict=True), strict=True)
    ]


def _plain(column: Iterable[object]) -> str:
    return "{" + ",".join(["NULL" if cell is None else str(cell) for cell in column]) + "}"


def _texts(column: Iterable[object]) -> str:
    return "{" + ",".join(map(_text, column)) + "}"


def _text(cell: object) -> str:
    if cell is None:
        return "NULL"
    return '"' + str(cell).replace("\\", "\\\\").replace('"', '\\"') + '"'
