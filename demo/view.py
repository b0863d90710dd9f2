"""Two ways to see the tasks: a live table on a terminal, plain lines anywhere else."""

import asyncio
import sys
import time
from types import TracebackType
from typing import Final

import taskhub
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.board import Board, Row, clock, event_line

_SECONDS_A_FRAME: Final = 0.125
_STYLES: Final = {
    "waiting": "dim",
    "running": "cyan",
    "succeeded": "green",
    "failed": "bold red",
}


class View:
    """Plain: one line for each event. Entered while there is traffic."""

    def __enter__(self) -> "View":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Print something that is no event."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    async def follow(self, events: taskhub.Watch) -> None:
        """Show events as they come."""
        async for event in events:
            self.say(event_line(event))


class NoView(View):
    """Shows nothing of the tasks."""

    async def follow(self, events: taskhub.Watch) -> None:
        async for _ in events:
            pass


class LiveView(View):
    """A terminal: one line for each running task; those that have ended scroll by above."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._board = Board()
        # Drawn from the event loop and not from a thread of its own, which would read the board
        # while it changes.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "View":
        self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    async def follow(self, events: taskhub.Watch) -> None:
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(self._draw())
            async for event in events:
                if (ended := self._board.apply(event)) is not None:
                    # Printing draws the table again, which must not hold the row any more.
                    self._live.update(self._table())
                    self._console.print(_ended(ended, event.at))
            drawing.cancel()

    async def _draw(self) -> None:
        while True:
            self._live.update(self._table(), refresh=True)
            await asyncio.sleep(_SECONDS_A_FRAME)

    def _table(self) -> Table:
        now = time.time() * 1000
        rows = list(self._board.running.values())
        room = max(self._console.height - 3, 1)
        table = Table.grid(padding=(0, 2))
        for width in (16, 9, 24, 5, 10, 7):  # fixed, so that nothing jumps
            table.add_column(min_width=width)
        for row in rows[:room]:
            table.add_row(
                Text(row.action),
                Text(row.state, style=_STYLES[row.state]),
                ProgressBar(total=row.total or 1, completed=row.done, width=24),
                Text(f"{row.done:g}/{row.total:g}" if row.total else ""),
                Text(row.who),
                Text(_seconds(now - row.began), justify="right"),
            )
        if len(rows) > room:
            table.add_row(Text(f"and {len(rows) - room} more", style="dim"))
        return table


def _ended(row: Row, at: int) -> Text:
    return Text.assemble(
        (f"{clock(at)}  ", "dim"),
        f"{row.action:<16} ",
        (f"{row.state:<10}", _STYLES[row.state]),
        f" {row.who:<10} {_seconds(at - row.began):>7}  ",
        (row.note, "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _seconds(milliseconds: float) -> str:
    return f"{max(milliseconds, 0) / 1000:.1f} s"


def view_choose() -> View:
    """Live on a terminal that can do it, plain otherwise."""
    console = Console(highlight=False)
    return LiveView(console) if console.is_terminal and not console.is_dumb_terminal else View()
