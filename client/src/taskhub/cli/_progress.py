"""How a published task is doing: a moving bar on a terminal, lines anywhere else."""

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from taskhub._wire import Event
from taskhub.cli._screen import Screen
from taskhub.cli._text import event_text, progress_text

if TYPE_CHECKING:
    from rich.progress import Progress


class Lines:
    """A line for each event."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        """One event."""
        # The result is data, and a fail the error: both are told elsewhere.
        if event.kind == "init":
            self._screen.told(event, f"accepted as {event.task_id}")
        elif event.kind in {"start", "update", "drop"}:
            self._screen.told(event, event_text(event))


class Bar(Lines):
    """One line that moves, and is gone at the end."""

    def __init__(self, screen: Screen, title: str) -> None:
        super().__init__(screen)
        self._progress = _progress()
        self._row = self._progress.add_task(title, total=None, state="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """One event."""
        fields: dict[str, Any] = {}
        if event.kind == "update" and isinstance(event.value, dict):
            fields = {
                name: number
                for name, key in (("completed", "done"), ("total", "total"))
                if isinstance(number := event.value.get(key), int | float)
            }
        update = event.kind == "update"
        state = progress_text(event.value) if update else event.kind
        self._progress.update(self._row, state=state, **fields)


def view_of(screen: Screen, title: str) -> Lines:
    """What shows a task's progress on stderr."""
    moving = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not screen.json
    return Bar(screen, title) if moving else Lines(screen)


def _progress() -> "Progress":
    # rich takes long to import, and is needed here only. It obeys NO_COLOR by itself.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True)),
        TimeElapsedColumn(),
        console=Console(stderr=True, highlight=False),
        transient=True,
        redirect_stdout=False,
    )
