"""Hubs that are worse, for the checks to notice."""

from typing import Any

import msgspec

from hub.core.inputs import Report
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
