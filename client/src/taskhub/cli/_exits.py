"""What the shell is told: the exit codes, and which error has which."""

from typing import Final

from taskhub._errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    ProtocolError,
    Refused,
    TaskHubError,
    TaskTimeout,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_CONNECTED: Final = 3
REFUSED: Final = 4
TIMEOUT: Final = 5
INTERRUPTED: Final = 130

#: The first that fits; what is not here is a failed task, or as good as one.
_EXITS: Final[tuple[tuple[type[TaskHubError], int], ...]] = (
    (ConfigurationError, USAGE),
    (AuthenticationError, REFUSED),
    (ConnectionFailed, NOT_CONNECTED),
    (ConnectionLost, NOT_CONNECTED),
    (ProtocolError, NOT_CONNECTED),
    (Refused, REFUSED),
    (TaskTimeout, TIMEOUT),
)


def exit_code(error: TaskHubError) -> int:
    """The exit code for an error."""
    return next((code for kind, code in _EXITS if isinstance(error, kind)), FAILED)
