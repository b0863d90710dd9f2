"""Pieces of SQL with their parameters, and what SQLite and PostgreSQL say differently.

Lists of tasks are read by SQL of our own: which index serves a page is ours to choose, and the
ORM has no word for it. A piece holds only text written here; what a user typed is a parameter.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

#: What one column of a row may be; a boolean is an integer on SQLite.
Value = str | int | None
#: Keys and times beyond this are beyond every row.
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sql:
    """Text with ``%s`` for each parameter."""

    text: str
    parameters: tuple[Value, ...] = ()


ALWAYS = Sql("1 = 1")
NEVER = Sql("1 = 0")


def all_of(pieces: Iterable[Sql]) -> Sql:
    """All of these hold."""
    return _join(" AND ", [piece for piece in pieces if piece is not ALWAYS], ALWAYS)


def any_of(pieces: Iterable[Sql]) -> Sql:
    """One of these holds."""
    listed = list(pieces)
    if ALWAYS in listed:
        return ALWAYS
    return _join(" OR ", [piece for piece in listed if piece is not NEVER], NEVER)


def one_of(column: str, values: Iterable[str | int]) -> Sql:
    """The column has one of these values."""
    listed = tuple(values)
    if not listed:
        return NEVER
    return Sql(f"{column} IN ({', '.join(['%s'] * len(listed))})", listed)


def _join(word: str, pieces: list[Sql], none: Sql) -> Sql:
    if len(pieces) <= 1:
        return pieces[0] if pieces else none
    text = word.join(piece.text for piece in pieces)
    return Sql(f"({text})", tuple(p for piece in pieces for p in piece.parameters))


def on_postgresql() -> bool:
    """Whether the history is on PostgreSQL; else it is on SQLite."""
    return connection.vendor == "postgresql"


def in_bytes(column: str) -> str:
    """The column, compared byte by byte: as SQLite does, whatever PostgreSQL's locale."""
    return f'{column} COLLATE "C"' if on_postgresql() else column


def bytes_of(column: str) -> str:
    """How long a text is as UTF-8."""
    return f"octet_length({column})" if on_postgresql() else f"length(CAST({column} AS BLOB))"


def by_index(name: str | None) -> str:
    """``FROM`` for tasks by this index. SQLite has no figures to choose by; PostgreSQL has."""
    if name is None or on_postgresql():
        return "hub_task t"
    return f"hub_task t INDEXED BY {name}"


def storable(text: str) -> bool:
    """Whether a row can hold this text at all: no NUL, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def bounded(number: int) -> int:
    """The number as the database can hold it."""
    return max(-LARGEST, min(LARGEST, number))


def rows(piece: Sql) -> list[tuple[Value, ...]]:
    """The rows that a statement finds."""
    with connection.cursor() as cursor:
        cursor.execute(piece.text, piece.parameters)
        return list(cursor.fetchall())


def first_number(piece: Sql) -> int | None:
    """The number in the first row's first column; None: no row, or no number."""
    with connection.cursor() as cursor:
        cursor.execute(piece.text, piece.parameters)
        found = cursor.fetchone()
    return None if found is None or found[0] is None else int(found[0])
