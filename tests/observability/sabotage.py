"""Worse hubs, each of which a check of this directory has to notice."""

import logging
from typing import Any

from structlog.stdlib import ProcessorFormatter

from hub import counts, logs
from hub.accounts import Accounts
from hub.core.decision import Decision
from hub.core.effects import Deliver
from hub.core.facts import Fact
from hub.core.inputs import Report
from hub.core.publishing import Publishing
from hub.core.values import EventKind
from hub.gateway import scrape
from hub.journal.sqlite import SqliteJournal
from hub.router.local import LocalRouter


def plain_lines() -> None:
    """Log as Python does: whatever a stranger says is printed as it is."""
    ProcessorFormatter.format = logging.Formatter.format  # type: ignore[method-assign]


def boundless() -> None:
    """Write every line, however many."""
    logs.Bounded.filter = lambda *_: True  # type: ignore[method-assign]


def talkative() -> None:
    """Say what a task is about."""
    note = Accounts.refused

    def say(self: Accounts, refuse: object) -> None:
        logs.logger("hub.sabotage").debug("refused", request=getattr(refuse, "request", ""))
        note(self, refuse)  # type: ignore[arg-type]

    Accounts.refused = say  # type: ignore[method-assign]


def forgetful() -> None:
    """Count nothing that was refused or stored."""
    counts.Decisions.refuse = lambda *_: None  # type: ignore[method-assign]
    counts.Commits.committed = lambda *_: None  # type: ignore[method-assign]


def broken_core() -> None:
    """Fail at each update, in the middle of the core, with what it held in the message."""
    report = Publishing.report

    def fail(self: Publishing, command: Report, now: int) -> list[Decision]:
        if command.kind is EventKind.UPDATE:
            raise KeyError(command.event_id)
        return report(self, command, now)

    Publishing.report = fail  # type: ignore[method-assign]


def killed_writer() -> None:
    """End the writer thread at one commit, by something that no ``except Exception`` takes."""
    commit, failures = SqliteJournal.commit, iter([True])

    def fail(self: SqliteJournal, facts: list[Fact]) -> frozenset[int]:
        if next(failures, False):
            raise SystemExit("the writer's end")
        return commit(self, facts)

    SqliteJournal.commit = fail  # type: ignore[assignment, method-assign]


def broken_and_talkative() -> None:
    """Both."""
    broken_core()
    talkative()


def open_figures() -> None:
    """Show the figures to everybody."""
    scrape._is_staff = lambda request: True


def line_for_each_task() -> None:
    """Tell of each task at INFO."""
    deliver = LocalRouter.deliver

    def say(self: LocalRouter, effect: Deliver) -> None:
        logs.logger("hub.sabotage").info("delivered")
        deliver(self, effect)

    LocalRouter.deliver = say  # type: ignore[method-assign]


def presence_that_fails_once() -> None:
    """Lose one write of who is connected."""
    record, failures = SqliteJournal.record_presence, iter([True])

    def fail(self: SqliteJournal, *arguments: Any) -> None:
        if next(failures, False):
            raise OSError("no disk")
        record(self, *arguments)

    SqliteJournal.record_presence = fail  # type: ignore[assignment, method-assign]
