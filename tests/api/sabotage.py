"""Hubs that are spoiled or hurried in one way each."""

from typing import Any

from hub.api import sse
from hub.selectors import tasks


def short_heartbeat() -> None:
    """Heartbeats as often as rights are looked at."""
    sse.HEARTBEAT_S = 0.1  # type: ignore[misc]


def broken_lists() -> None:
    """Lists fail with words that nobody outside may hear."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret of the database")

    tasks.task_page = fail
