"""What people and programs without a socket do: publish, cancel, publish again, disconnect.

Each enters the pipeline as a frame does, or as an operator's word. Blocking: call from a thread
other than the hub's, as Django's views are; each waits until its change is durable.
All raise Rejection (docs/protocol.md §7).
"""

from dataclasses import dataclass, field

from hub.core.access import Access
from hub.core.values import Body, Expect, Settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person, by login name. What they may do was checked before."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be published; None: the hub's default. Bodies are JSON."""

    action: str
    payload: Body = field(default="null", repr=False)
    #: given to make a repeat safe; None: made here
    task_id: str | None = None
    event_id: str | None = None
    start_timeout: int | None = None
    end_timeout: int | None = None
    expect: Expect | None = None
    settle: Settle | None = None
    claim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A task that is stored."""

    task_id: str
    #: it had been published before, with the same ids and content
    repeated: bool
    #: it has ended within the time that was waited
    ended: bool


def task_publish(*, access: Access, task: NewTask, wait_s: float = 0) -> Published:
    """Publish as this client; wait for its end for at most so long."""
    raise NotImplementedError


def task_cancel(*, task_id: str, by: Access | Operator, reason: Body | None = None) -> None:
    """Cancel as its publisher, or as an operator. ``reason`` is JSON."""
    raise NotImplementedError


def task_publish_again(*, task_id: str, by: Access | Operator) -> str:
    """A new task with the content of this one, which it names; returns its id.

    An operator's is published in the name of the first publisher, and remembers the operator.
    """
    raise NotImplementedError


def connection_disconnect(*, connection: str, operator: Operator) -> bool:
    """Close one connection; whether it was open. Its program may come back."""
    raise NotImplementedError
