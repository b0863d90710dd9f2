"""docs/observability.md says of events and figures what the code says."""

import ast
import re
from pathlib import Path

from hub.metrics import FIGURES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "observability.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def events_in_code() -> set[tuple[str, str]]:
    """Name and level of each event that the hub logs."""
    found = set()
    for path in [*(ROOT / "hub").rglob("*.py"), *(ROOT / "credentials").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = ast.unparse(node.func.value)
            if node.func.attr not in LEVELS or owner.split(".")[-1] != "log":
                continue
            name = node.args[0]
            assert isinstance(name, ast.Constant), f"{path}: an event's name is constant"
            assert re.fullmatch("[a-z]+(_[a-z]+)*", str(name.value)), name.value
            assert len(node.args) == 1, f"{path}: data goes into fields"
            found.add((str(name.value), node.func.attr.replace("exception", "error")))
    return found


def test_each_event_is_on_the_page_and_no_other() -> None:
    on_the_page = [(name.strip("`"), level) for name, level, *_ in rows("Events")]
    assert sorted(on_the_page) == sorted(events_in_code())


def test_each_figure_is_on_the_page_and_no_other() -> None:
    on_the_page = [tuple(row) for row in rows("Figures")]
    assert on_the_page == [
        (f"`{figure.name}`", ", ".join(f"`{label}`" for label in figure.labels), figure.help)
        for figure in FIGURES
    ]


def test_nothing_is_logged_past_the_structured_log() -> None:
    past = [
        str(path.relative_to(ROOT))
        for package in ("hub", "credentials", "taskhub_site")
        for path in (ROOT / package).rglob("*.py")
        if "logging.getLogger" in path.read_text()
    ]
    assert past == []
