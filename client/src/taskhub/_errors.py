"""Everything this package raises on purpose.

TaskHubError
├── ConfigurationError       no URL, name or key, or one that cannot be used
├── ConnectionFailed         the hub was not reached, or refused the connection
│   └── AuthenticationError  it does not know this name with this key, or no longer
├── ConnectionLost           the client was closed, or is not connected yet
├── ProtocolError            the hub said something this client cannot read
├── Refused                  the hub refused a command; nothing has changed
│   ├── PermissionDenied     this client may not do that with this action
│   └── PayloadTooLarge      the frame is larger than the hub takes
├── TaskFailed               the task's outcome is fail
│   ├── NoSubscriber         nobody serves its action
│   ├── TaskTimeout          nobody started, or finished, in time; or you waited long enough
│   └── TaskCancelled        its publisher or an operator cancelled it
├── QueueFull                too many commands wait for the hub
└── Overflow                 events were not read in time

Each has `code` (docs/protocol.md §7 and §5.4, or None) and `retry` (whether the same call may
succeed later by itself). `Drop`, which a handler raises to drop its job, is a signal and not an
error: see `_job.py`.
"""

from typing import Any, Final


class TaskHubError(Exception):
    """Base of all errors of this package."""

    #: What kind of refusal or failure it is; None where the class says it all.
    code: str | int | None = None
    #: Whether the same call may succeed later.
    retry: bool = False


class ConfigurationError(TaskHubError):
    """The client was not told where to connect or as whom."""


class ConnectionFailed(TaskHubError):  # noqa: N818 (named as its sibling ConnectionLost)
    """The hub was not reached, or refused the connection. `status` is its HTTP answer, if any."""

    code: int | None
    retry: bool = True

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status: int | None = status
        self.code = status


class AuthenticationError(ConnectionFailed):
    """The hub does not accept this client name with this key, or no longer: 401, or close 4401."""

    retry: bool = False


class ConnectionLost(TaskHubError):  # noqa: N818 (says what happened)
    """There is no connection to the hub, and there will be none. `code`: WebSocket close code."""

    code: int | None
    retry: bool = True

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ProtocolError(TaskHubError):
    """The hub said something this client cannot read: probably their versions do not match."""


class Refused(TaskHubError):  # noqa: N818 (an answer of the hub)
    """The hub refused a command and changed nothing.

    `code` is one of docs/protocol.md §7, `message` the hub's sentence.
    """

    code: str

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        step = _NEXT_STEPS.get(code) or ("Try again later." if retry else "")
        super().__init__(f"{message} ({code}) {step}".rstrip())
        self.code = code
        self.message: str = message
        self.retry = retry


class PermissionDenied(Refused):
    """The client's permissions do not cover this. `action` is the action or pattern, if any."""

    def __init__(self, code: str, message: str, *, action: str | None = None) -> None:
        super().__init__(code, message)
        self.action: str | None = action


class PayloadTooLarge(Refused):
    """The value makes a frame that is larger than the hub takes; it was not sent."""


class TaskFailed(TaskHubError):  # noqa: N818 (says what happened)
    """The task failed. `reason` is what was given for it, `code` the hub's, where it is one."""

    code: str | None

    def __init__(self, reason: Any, *, action: str = "", task_id: str = "") -> None:
        code = reason.get("code") if isinstance(reason, dict) else None
        self.code = code if isinstance(code, str) else None
        said = reason.get("message") if isinstance(reason, dict) and self.code else None
        text = f"{said} ({self.code})" if isinstance(said, str) else repr(reason)
        step = _NEXT_STEPS.get(self.code or "", "")
        super().__init__(f"{action} ({task_id}) failed: {text} {step}".strip())
        self.reason: Any = reason
        self.action: str = action
        self.task_id: str = task_id


class NoSubscriber(TaskFailed):
    """Nobody subscribed to the action while the task's start window was open."""

    retry: bool = True


class TaskTimeout(TaskFailed):
    """Nobody started or finished in time; with code `wait-timeout` only the waiting is over."""

    retry: bool = True


class TaskCancelled(TaskFailed):
    """The task was cancelled by its publisher or an operator."""


class QueueFull(TaskHubError):  # noqa: N818 (says what happened)
    """As many commands as the client may hold wait for the hub's answer; this one was not taken."""

    retry: bool = True


class Overflow(TaskHubError):  # noqa: N818 (says what happened)
    """More arrived than was read in time, and the rest was let go."""


_NEXT_STEPS: Final = {
    "forbidden": "Ask an administrator of the hub for the permission.",
    "bad-action": "An action is noun:verb; a pattern may also be a noun, or *.",
    "duplicate-task": "Leave task_id out, and the client chooses a new one.",
    "unknown-task": "Check the id; a client sees its own tasks and those it may watch.",
    "too-big": "Send a smaller value, or a link to it.",
    "no-subscriber": "Start a service for the action, or give it a longer start_timeout.",
    "start-timeout": "Give it a longer start_timeout, or the service a higher concurrency.",
    "end-timeout": "Give it a longer end_timeout, or look at what its service does.",
    "wait-timeout": "The task goes on: wait for it again, or cancel it.",
    "service-lost": "Look at the service: its connection was lost while it worked.",
}

_FAILURES: Final[dict[str | None, type[TaskFailed]]] = {
    "no-subscriber": NoSubscriber,
    "start-timeout": TaskTimeout,
    "end-timeout": TaskTimeout,
    "wait-timeout": TaskTimeout,
    "cancelled": TaskCancelled,
}


def failure(reason: Any, *, action: str, task_id: str) -> TaskFailed:
    """The error for a task that failed with this reason."""
    code = reason.get("code") if isinstance(reason, dict) else None
    kind = _FAILURES.get(code if isinstance(code, str) else None, TaskFailed)
    return kind(reason, action=action, task_id=task_id)


def refusal(code: str, message: str, *, retry: bool, action: str | None) -> Refused:
    """The error for a command that was refused with this code."""
    if code == "forbidden":
        return PermissionDenied(code, message, action=action)
    if code == "too-big":
        return PayloadTooLarge(code, message)
    return Refused(code, message, retry=retry)
