"""SIGINT and SIGTERM for everyone who serves on one event loop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class _Handled:
    """Of one loop: who is told, and what was there before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stops: list[Callable[[], None]] = []
        self._loop = loop
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # Windows has none of this, and other threads than the main one neither.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                self._loop.add_signal_handler(number, self._told)
                self._before[number] = before

    def remove(self) -> None:
        for number, before in self._before.items():
            self._loop.remove_signal_handler(number)
            signal.signal(number, before or signal.SIG_DFL)

    def _told(self) -> None:
        for stop in list(self.stops):
            stop()


_handled: WeakKeyDictionary[asyncio.AbstractEventLoop, _Handled] = WeakKeyDictionary()


@contextlib.contextmanager
def signals_told(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at each SIGINT and SIGTERM, where the platform and the thread allow it."""
    loop = asyncio.get_running_loop()
    if (handled := _handled.get(loop)) is None:
        handled = _handled[loop] = _Handled(loop)
        handled.install()
    handled.stops.append(stop)
    try:
        yield
    finally:
        handled.stops.remove(stop)
        if not handled.stops:
            del _handled[loop]
            handled.remove()
