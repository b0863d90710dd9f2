"""How long to wait before the next attempt: exponential, with full jitter."""

import random
from typing import Final

#: Seconds that the first wait is at most, and any wait: half of the grace in which a hub that was
#: restarted expects its services back (docs/protocol.md §5.4).
FIRST: Final = 0.2
LONGEST: Final = 5.0


class Backoff:
    """Full jitter: many clients that lost one hub do not come back all at once."""

    def __init__(self, *, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._attempts = 0

    def reset(self) -> None:
        """The next wait is a first one again."""
        self._attempts = 0

    def next(self) -> float:
        """Seconds to wait now."""
        most = min(self._longest, self._first * 2.0 ** min(self._attempts, 30))
        self._attempts += 1
        return random.uniform(0, most)  # noqa: S311 (spreads load, guards nothing)
