"""The client of a TaskHub: publish tasks, serve them, watch them happen."""

from taskhub._client import Client
from taskhub._errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    NoSubscriber,
    Overflow,
    PayloadTooLarge,
    PermissionDenied,
    ProtocolError,
    QueueFull,
    Refused,
    TaskCancelled,
    TaskFailed,
    TaskHubError,
    TaskTimeout,
)
from taskhub._job import Drop, Job
from taskhub._service import Subscription
from taskhub._task import Outcome, Task
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
    "NoSubscriber",
    "Outcome",
    "Overflow",
    "PayloadTooLarge",
    "PermissionDenied",
    "ProtocolError",
    "QueueFull",
    "Refused",
    "Subscription",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "TaskHubError",
    "TaskTimeout",
    "Watch",
]
