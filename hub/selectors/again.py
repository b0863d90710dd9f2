"""Which task was published again as which."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from hub.models import Again, Task

#: Tasks told of one that was published again and again.
MAX_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainRow:
    """One task that has the content of another one."""

    task_id: str
    #: ``taskId`` of the one before
    of: str
    #: login name of the operator, or name of the client
    by: str
    #: ms since the epoch
    at: int


def again_of(task_id: str) -> AgainRow | None:
    """How this task came to be, if it is another one published again."""
    found = Again.objects.filter(task_id=task_id).first()
    return None if found is None else _row(found)


def again_as(task_id: str) -> list[AgainRow]:
    """The tasks that this one was published again as, newest first; the last hundred."""
    stored = Exists(Task.objects.filter(task_id=OuterRef("task_id")))  # not one that was refused
    found = Again.objects.filter(stored, of=task_id).order_by("-at", "-task_id")[:MAX_LISTED]
    return [_row(again) for again in found]


def _row(again: Again) -> AgainRow:
    return AgainRow(task_id=again.task_id, of=again.of, by=again.by, at=again.at)
