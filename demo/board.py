"""What is known of each running task, told by its events. No terminal in here."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import taskhub

_STATES: Final = {
    "init": "waiting",
    "start": "running",
    "update": "running",
    "success": "succeeded",
    "fail": "failed",
}
_SHOWN_CHARACTERS: Final = 60


@dataclass(slots=True, kw_only=True)
class Row:
    """One task as the last event left it."""

    action: str
    #: waiting, running, succeeded or failed.
    state: str
    #: Who spoke last, the hub aside.
    who: str
    #: Milliseconds since 1970.
    began: int
    #: How far it is, and of how much; both 0 where it never said.
    done: float = 0
    total: float = 0
    #: What came out, or why it was dropped.
    note: str = ""

    def apply(self, event: taskhub.Event) -> None:
        """One more event of this task."""
        self.state = _STATES.get(event.kind, self.state)
        if event.by != "hub":
            self.who = event.by
        if event.kind == "update":
            self._progress(event.value)
        elif event.kind == "drop":
            self.note = f"dropped by {event.by} {shown(event.value)}".rstrip()
        elif event.kind == "success":
            self.done = self.total
            self.note = self.note if event.value is None else shown(event.value)
        elif event.kind == "fail":
            self.note = shown(event.value)

    def _progress(self, value: Any) -> None:
        match value:
            case {"done": int() | float() as done, "total": int() | float() as total}:
                self.done, self.total = done, total


class Board:
    """All tasks that have begun and not ended."""

    def __init__(self) -> None:
        self.running: dict[str, Row] = {}

    def apply(self, event: taskhub.Event) -> Row | None:
        """Note an event; the row of a task that has just ended, which leaves the board."""
        if event.kind == "init":
            self.running[event.task_id] = Row(
                action=event.action or "", state="waiting", who=event.by, began=event.at
            )
            return None
        row = self.running.get(event.task_id)
        if row is None:  # begun before anybody watched
            return None
        row.apply(event)
        return self.running.pop(event.task_id) if event.kind == "end" else None


def event_line(event: taskhub.Event) -> str:
    """One event as one line of text."""
    value = "" if event.kind in {"start", "end"} else shown(event.value)
    return (
        f"{clock(event.at)}  {event.action or '(begun earlier)':<16} {event.kind:<8} "
        f"{event.by:<10} {event.task_id[:8]}  {value}"
    ).rstrip()


def clock(milliseconds: int) -> str:
    """The local time of day."""
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%H:%M:%S.%f}"[:-3]


def shown(value: Any) -> str:
    """A JSON value, not too long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
