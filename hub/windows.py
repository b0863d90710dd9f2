"""Counting per minute and limiting per second, on a clock that is passed in."""

from collections import OrderedDict, deque
from collections.abc import Callable

MINUTE_S = 60.0

Clock = Callable[[], float]


class MinuteWindow:
    """How often something happened within the last minute; remembers at most ``limit`` times."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._times: deque[float] = deque(maxlen=limit)
        self._limit = limit
        self._clock = clock

    def add(self) -> None:
        """It happened now."""
        self._times.append(self._clock())

    @property
    def full(self) -> bool:
        """Whether it happened ``limit`` times within the last minute."""
        return len(self._times) == self._limit and not self.stale_at(self._times[0])

    def stale_at(self, time: float) -> bool:
        """Whether this time is more than a minute ago."""
        return self._clock() - time >= MINUTE_S

    @property
    def idle(self) -> bool:
        """Whether nothing happened within the last minute."""
        return not self._times or self.stale_at(self._times[-1])


class Failures:
    """Wrong keys by name and address, and by address alone (§7). Bounded: the oldest go first."""

    #: Names and addresses remembered at a time.
    CAPACITY = 10_000

    def __init__(self, per_name: int, per_address: int, clock: Clock) -> None:
        self._limits = {True: per_name, False: per_address}
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str | None], MinuteWindow] = OrderedDict()

    def add(self, name: str | None, address: str) -> None:
        """A wrong key was presented; ``name`` None: for a name that no client can have."""
        if name is not None:
            self._window(name, address).add()
        self._window(None, address).add()

    def too_many(self, name: str | None, address: str) -> bool:
        """Whether this address has to wait before it tries this name (or any) again."""
        keys: list[tuple[str, str | None]] = [(address, name), (address, None)]
        return any(key in self._windows and self._windows[key].full for key in keys)

    def _window(self, name: str | None, address: str) -> MinuteWindow:
        key = (address, name)
        window = self._windows.get(key)
        if window is None:
            window = MinuteWindow(self._limits[name is not None], self._clock)
            self._windows[key] = window
            if len(self._windows) > self.CAPACITY:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
        return window


class TokenBucket:
    """So many a second, a second's worth at once. Those over it wait; none is lost (§7)."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        self._free_at = clock() - 1.0

    def delay(self) -> float:
        """Take one; how many seconds to wait before it may be used."""
        now = self._clock()
        self._free_at = max(self._free_at, now - 1.0) + 1.0 / self.rate
        return max(0.0, self._free_at - now)
