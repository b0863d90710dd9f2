"""Everything this package raises on purpose.

TaskHubError
├── ConfigurationError       no URL, name or key, or one that cannot be used
├── ConnectionFailed         the hub was not reached, or refused the connection
│   └── AuthenticationError  it does not know this name with this key
├── ConnectionLost           there is no connection, or no longer
├── Refused                  the hub refused a command; nothing has changed
├── TaskFailed               the task's outcome is fail
└── Overflow                 a queue of this client was full

`Drop`, which a handler raises to drop its job, is a signal and not an error: see `_job.py`.
"""

from typing import Any


class TaskHubError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(TaskHubError):
    """The client was not told where to connect or as whom."""


class ConnectionFailed(TaskHubError):  # noqa: N818 (named as its sibling ConnectionLost)
    """The hub was not reached, or refused the connection. `status` is its HTTP answer, if any."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AuthenticationError(ConnectionFailed):
    """The hub does not accept this client name with this key."""


class ConnectionLost(TaskHubError):  # noqa: N818 (says what happened)
    """There is no connection to the hub, or no longer. `code` is the WebSocket close code."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Refused(TaskHubError):  # noqa: N818 (an answer of the hub)
    """The hub refused a command and changed nothing.

    `code` is one of docs/protocol.md §7; `retry` says that the same command may succeed later.
    """

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.retry = retry


class TaskFailed(TaskHubError):  # noqa: N818 (says what happened)
    """The task failed. `reason` is what was given for it, `code` the hub's, where it is one."""

    def __init__(self, reason: Any, *, action: str = "", task_id: str = "") -> None:
        super().__init__(f"{action} ({task_id}) failed: {reason!r}" if task_id else repr(reason))
        self.reason = reason
        self.action = action
        self.task_id = task_id

    @property
    def code(self) -> str | None:
        """The reason's `code`: `start-timeout`, `cancelled` … (§5.4); None if it has none."""
        code = self.reason.get("code") if isinstance(self.reason, dict) else None
        return code if isinstance(code, str) else None


class Overflow(TaskHubError):  # noqa: N818 (says what happened)
    """More arrived than was read in time, and the rest was let go."""
