"""Hubs that are worse, for the checks to notice."""

from typing import Any

import msgspec

from hub.core import reasons
from hub.core.inputs import Disconnected, Report
from hub.core.membership import Membership
from hub.core.publishing import Publishing
from hub.core.values import EventKind


def spoil_results() -> None:
    """Every third result is another one."""
    report = Publishing.report
    successes = 0

    def spoiled(self: Publishing, command: Report, now: int) -> Any:
        nonlocal successes
        if command.kind is EventKind.SUCCESS:
            successes += 1
            if successes % 3 == 0:
                command = msgspec.structs.replace(command, body='"spoiled"')
        return report(self, command, now)

    Publishing.report = spoiled  # type: ignore[method-assign]


def know_no_grace() -> None:
    """What a connection was at is lost with it."""
    disconnected = Membership.disconnected

    def at_once(self: Membership, item: Disconnected, now: int) -> Any:
        connection = self.books.connections.get(item.connection)
        at_work = [] if connection is None else self._at_work(connection)
        decisions = disconnected(self, item, now)
        lost = [self._lose(*pair, reasons.SERVICE_LOST, now) for pair in at_work]
        return [*decisions, *lost]

    Membership.disconnected = at_once  # type: ignore[method-assign]
