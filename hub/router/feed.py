"""Committed events for observers: pages of the dashboard, streams of the API.

An observer is told which tasks have changed, not how: it reads the truth itself. What it has not
taken yet is merged, so a slow one costs no more than a fast one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.core.facts import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has happened since an observer last took."""

    #: key of a task → its last seq
    tasks: dict[int, int]
    #: actions of tasks that were published or ended
    actions: frozenset[str]
    #: more tasks than are kept for one observer: read everything anew
    overflowed: bool


class Observer:
    """Someone who watches. Made by ``Feed.observe``; lives on the hub's loop."""

    async def changed(self) -> None:
        """Wait until there is something to take."""
        raise NotImplementedError

    def take(self) -> Changes:
        """Everything since the last time."""
        raise NotImplementedError

    def close(self) -> None:
        """Watch no more."""
        raise NotImplementedError


class Feed:
    """All observers of this process. With none, an event costs one look at a flag."""

    def observe(self, *, task: int | None = None, limit: int = 1_000) -> Observer:
        """Watch one task by its key, or all; ``limit`` tasks are kept between two takes."""
        raise NotImplementedError

    def tell(self, action: str, events: Sequence[Event]) -> None:
        """Events of one task are committed. Called by the router for each ``Deliver``."""
        raise NotImplementedError
