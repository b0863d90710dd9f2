"""Where the core's time and ids come from: it has none of its own (invariant 1)."""

import itertools
import secrets
import time
from collections.abc import Callable


def wall_clock() -> Callable[[], int]:
    """Milliseconds since the epoch that never jump: read once, then counted monotonically.

    Setting the system's clock moves no deadline and no stored time of a hub that runs; its
    times differ from the system's by that step until its next start, which takes the system's.
    Deadlines are stored times: those of tasks that are open at that start are off by the step,
    so a hub started after the clock was set forward ends the tasks that fall due within it.
    """
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: (offset + time.monotonic_ns()) // 1_000_000


def system_time() -> int:
    """Milliseconds since the epoch by the system's clock: for who asks beside a hub that runs."""
    return time.time_ns() // 1_000_000


def fresh_ids() -> Callable[[], str]:
    """Event ids: unique over all processes and starts, and cheap: a random prefix and a count."""
    prefix = secrets.token_hex(8)
    count = itertools.count(1)
    return lambda: f"{prefix}-{next(count):x}"
