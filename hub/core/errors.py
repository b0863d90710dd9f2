"""What the hub says when it will not, or cannot.

HubError
├── Rejection     theirs: a stable code, the task unchanged (docs/protocol.md §7)
└── HubFault      ours: generic text outside, the cause in the log

``Rejection`` is raised by the decoder, the access rules and the lifecycle, and
turned into an error message by the pipeline. It never leaves the consumer.
"""

from enum import StrEnum


class Code(StrEnum):
    """Every stable error code of docs/protocol.md §7."""

    BAD_JSON = "bad-json"
    BAD_COMMAND = "bad-command"
    MISSING_FIELD = "missing-field"
    BAD_FIELD = "bad-field"
    BAD_EVENT = "bad-event"
    BAD_ACTION = "bad-action"
    TOO_BIG = "too-big"
    LIMIT = "limit"
    FORBIDDEN = "forbidden"
    UNKNOWN_TASK = "unknown-task"
    DUPLICATE_TASK = "duplicate-task"
    EVENT_CONFLICT = "event-conflict"
    TASK_ENDED = "task-ended"
    CLAIMED = "claimed"
    ILLEGAL_TRANSITION = "illegal-transition"
    UNAVAILABLE = "unavailable"


#: The class a legacy client sees in ``error``.
ERROR_CLASS = {
    Code.BAD_JSON: "SyntaxError",
    Code.BAD_COMMAND: "TypeError",
    Code.MISSING_FIELD: "TypeError",
    Code.BAD_FIELD: "TypeError",
    Code.BAD_EVENT: "RangeError",
    Code.BAD_ACTION: "RangeError",
    Code.TOO_BIG: "RangeError",
    Code.LIMIT: "RangeError",
    Code.FORBIDDEN: "PermissionError",
    Code.UNKNOWN_TASK: "StateError",
    Code.DUPLICATE_TASK: "StateError",
    Code.EVENT_CONFLICT: "StateError",
    Code.TASK_ENDED: "StateError",
    Code.CLAIMED: "StateError",
    Code.ILLEGAL_TRANSITION: "StateError",
    Code.UNAVAILABLE: "HubError",
}


class HubError(Exception):
    """Base of everything this package raises on purpose."""


class Rejection(HubError):  # noqa: N818  (it is an answer, not an error of ours)
    """A command is refused; ``message`` says what happened and the next step.

    ``retry``: the reason may go away by itself, and the same frame can be sent again.
    ``limit``: the name of the limit that was reached, for who counts them.
    """

    def __init__(
        self, code: Code, message: str, *, retry: bool = False, limit: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry = retry or code is Code.UNAVAILABLE
        self.limit = limit


class HubFault(HubError):  # noqa: N818
    """The hub failed; nothing was committed, and the command may be sent again."""


class TaskNotLoaded(HubError):  # noqa: N818
    """The engine does not hold this task; load it from the journal and decide again."""

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.task_id = task_id
