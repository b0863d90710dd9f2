"""Named SQL statements, each in a file beside this one, loaded once."""

import re
from functools import cache
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """Statements of one file by name, without their comments."""
    _, *parts = _NAME.split((_DIRECTORY / file).read_text())
    return {
        name: " ".join(
            line.strip() for line in body.splitlines() if line and not line.startswith("--")
        )
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


@cache
def for_rows(statement: str, columns: int, rows: int) -> str:
    """The statement with its ``{rows}`` filled in with placeholders."""
    row = f"({', '.join('?' * columns)})"
    return statement.replace("{rows}", ", ".join([row] * rows))
