"""When something is due: a timer wheel for a hundred thousand deadlines.

Stored times are the truth (invariant 8); this is their shadow in memory. Arming
and disarming cost a dict and a set operation each; the heap holds buckets, not
deadlines, and is rebuilt when most of its buckets are empty, so ten thousand
short tasks a second do not fill it with dead entries.
"""

import heapq

#: Width of a bucket in milliseconds: deadlines fire at most this much late, never early.
GRAIN_MS = 8

Key = int | str


class Deadlines:
    """Deadlines by key, a task's integer key or a connection's id; one for each key."""

    def __init__(self) -> None:
        self._buckets: dict[int, set[Key]] = {}
        self._heap: list[int] = []
        self._bucket_of: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._bucket_of)

    def arm(self, key: Key, at: int) -> None:
        """Have ``key`` due at this time (ms), in place of what it was armed for."""
        bucket = -(-at // GRAIN_MS)
        before = self._bucket_of.get(key)
        if before == bucket:
            return
        if before is not None:
            self._discard(before, key)
        self._bucket_of[key] = bucket
        members = self._buckets.get(bucket)
        if members is None:
            self._buckets[bucket] = {key}
            heapq.heappush(self._heap, bucket)
        else:
            members.add(key)

    def disarm(self, key: Key) -> None:
        """Forget ``key``; nothing happens when it is not armed."""
        bucket = self._bucket_of.pop(key, None)
        if bucket is not None:
            self._discard(bucket, key)

    def due(self, now: int) -> list[Key]:
        """Take out what is due, the earliest first."""
        found: list[Key] = []
        current = now // GRAIN_MS
        while self._heap and self._heap[0] <= current:
            members = self._buckets.pop(heapq.heappop(self._heap), set())
            # A set has no order of its own; a fixed one keeps replays equal.
            for key in sorted(members, key=str):
                del self._bucket_of[key]
                found.append(key)
        return found

    def next_at(self) -> int | None:
        """When the next bucket is due (ms), or None; it may turn out empty."""
        return self._heap[0] * GRAIN_MS if self._heap else None

    def _discard(self, bucket: int, key: Key) -> None:
        members = self._buckets[bucket]
        members.discard(key)
        if members:
            return
        del self._buckets[bucket]
        if len(self._heap) > 2 * len(self._buckets) + 64:
            self._heap = list(self._buckets)
            heapq.heapify(self._heap)
