"""The asyncio client of a TaskHub: publish tasks, serve them, watch them happen."""

from taskhub._client import Client
from taskhub._errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    Overflow,
    Refused,
    TaskFailed,
    TaskHubError,
)
from taskhub._job import Drop, Job
from taskhub._task import Task
from taskhub._watch import Watch
from taskhub._wire import Event

__all__ = [
    "AuthenticationError",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionLost",
    "Drop",
    "Event",
    "Job",
    "Overflow",
    "Refused",
    "Task",
    "TaskFailed",
    "TaskHubError",
    "Watch",
]
