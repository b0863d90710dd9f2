"""What is kept of an ended task for a while, and who may know of a task."""

import msgspec

from hub.core.access import Access
from hub.core.task import Task


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an ended task for a while."""

    key: int
    task_id: str
    action: str
    publisher: str
    #: client names of its participants
    clients: frozenset[str]
    event_ids: dict[str, tuple[str, int, int]]


def remembered(task: Task) -> Remembered:
    """An ended task without its payload and participants."""
    return Remembered(
        key=task.key,
        task_id=task.task_id,
        action=task.action,
        publisher=task.publisher,
        clients=frozenset([p.client for p in task.participants.values()]),
        event_ids=task.event_ids,
    )


def visible(task: Task | Remembered, access: Access) -> bool:
    """Whether a client may know of a task: publisher, participant, or by *watch* (§3)."""
    if access.client == task.publisher or access.watch.covers(task.action):
        return True
    if isinstance(task, Remembered):
        took_part = access.client in task.clients
    else:
        took_part = any(p.client == access.client for p in task.participants.values())
    return took_part and access.sub.covers(task.action)
