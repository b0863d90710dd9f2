"""Hubs that fail under load, each in one way: the checks must find them."""

import dataclasses
import hashlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.conf import settings

from hub import housekeeping, windows
from hub.core.facts import Fact
from hub.gateway import door, session, websocket
from hub.gateway.authentication import Authentication
from hub.journal import group_commit
from hub.journal.sqlite import SqliteJournal
from hub.pipeline import Pipeline
from hub.router.port import Outgoing
from hub.router.presence import Roll
from tests.overload.limit_tools import MINUTE_S, SMALL


def unbounded_outbox() -> None:
    """A connection that does not read is kept, with all that is there for it."""
    session.Session.send = lambda self, messages: self._writer.write(messages)  # type: ignore[assignment,method-assign]


def waiting_for_the_slow() -> None:
    """Whoever has much unsent makes all others wait."""
    send, count = session.Session.send, iter(range(1 << 60))

    def wait(self: session.Session, messages: Outgoing) -> None:
        if self._writer.unsent > 65_536 and next(count) % 100 == 99:
            time.sleep(0.05)
        send(self, messages)

    session.Session.send = wait  # type: ignore[method-assign]
    websocket.CLOSE_TIMEOUT_S = 1.0  # not what this is about


def no_holding_back() -> None:
    """Publishers are read however long the line is."""
    group_commit.MAX_BACKLOG = group_commit.MAX_BACKLOG_SIZE = 1 << 60


def losing_frames() -> None:
    """One frame of a thousand is never answered."""
    receive, count = Pipeline.receive, iter(range(1 << 60))

    def lose(self: Pipeline, sink: Any, text: str) -> Any:
        return None if next(count) % 1_000 == 999 else receive(self, sink, text)

    Pipeline.receive = lose  # type: ignore[method-assign]


def forgetting_batches() -> None:
    """A batch is said to be stored, and is not."""
    commit, count = SqliteJournal.commit, iter(range(1 << 60))

    def forget(self: SqliteJournal, facts: Sequence[Fact]) -> frozenset[int]:
        return frozenset() if next(count) == 20 else commit(self, facts)

    SqliteJournal.commit = forget  # type: ignore[method-assign]


def slow_keys_in_the_loop() -> None:
    """Keys are hashed where everything else waits for it."""
    authenticate = Authentication.authenticate

    async def slow(self: Authentication, pairs: Any) -> Any:
        hashlib.pbkdf2_hmac("sha256", b"key", b"salt", 100_000)
        return await authenticate(self, pairs)

    Authentication.authenticate = slow  # type: ignore[method-assign]


def drain_without_1012() -> None:
    """Everybody is told to go away for good."""
    vars(door)["GOING_AWAY"] = 1001


def drain_without_a_word() -> None:
    """Everybody is closed by the server alone, which knows nothing of §2.7."""
    door.Door.drain = lambda self: None  # type: ignore[method-assign]


def acknowledging_at_the_drain() -> None:
    """What waits when the drain begins is acknowledged, and not stored."""
    commit, freeze, draining = SqliteJournal.commit, Pipeline.freeze, threading.Event()

    def slow(self: SqliteJournal, facts: Sequence[Fact]) -> frozenset[int]:
        time.sleep(0.05)  # or there might be nothing under way
        return frozenset() if draining.is_set() else commit(self, facts)

    async def forget(self: Pipeline) -> None:
        draining.set()
        await freeze(self)

    SqliteJournal.commit = slow  # type: ignore[method-assign]
    Pipeline.freeze = forget  # type: ignore[method-assign]


def stuck_disk() -> None:
    """After a while the disk takes nothing and says nothing."""
    commit, count = SqliteJournal.commit, iter(range(1 << 60))

    def hang(self: SqliteJournal, facts: Sequence[Fact]) -> frozenset[int]:
        if next(count) == 100:
            (settings.TASKHUB.data_dir / "stuck").touch()
            threading.Event().wait()
        return commit(self, facts)

    SqliteJournal.commit = hang  # type: ignore[method-assign]


def leases_left_behind() -> None:
    """Nobody writes down who has gone."""

    def closed(self: Roll, connection: str) -> None:
        self.connected -= 1

    Roll.closed = closed  # type: ignore[method-assign]


def exact_limits() -> None:
    """A short minute, and a disk that has as much room as a file says; no limit is spoiled."""
    _limits_off_by(0)


def _limits_off_by(off: int) -> None:
    windows.MINUTE_S = MINUTE_S
    housekeeping.DISK_INTERVAL_S = 0.02

    def room(directory: Path) -> SimpleNamespace:
        return SimpleNamespace(free=int((directory / "free").read_text()))

    housekeeping.shutil.disk_usage = room  # type: ignore[attr-defined]
    limits = {name: value + off for name, value in SMALL.items()}
    wrong = dataclasses.replace(settings.TASKHUB.limits, **limits)
    settings.TASKHUB = dataclasses.replace(settings.TASKHUB, limits=wrong)


def one_more() -> None:
    """Every limit lets one more through."""
    _limits_off_by(1)


def one_less() -> None:
    """Every limit refuses the last one that it should let through."""
    _limits_off_by(-1)
