"""A task as a row of a table, with all that its template shows."""

from dataclasses import dataclass

from django.utils.safestring import SafeString

from hub.dashboard.page import Viewer
from hub.dashboard.pages.format import duration, moment, short_id
from hub.dashboard.pages.links import task_url
from hub.dashboard.pages.progress import Progress, progress_of
from hub.dashboard.pages.states import Mark, mark_of
from hub.selectors.tasks import TaskRow

#: services named in a row; more are counted
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What parts/task_row.html shows."""

    key: int
    url: str
    task_id: str
    short_id: str
    action: str
    publisher: str
    services: tuple[str, ...]
    #: services that are not named
    others: int
    mark: Mark
    progress: Progress | None
    started: SafeString | str
    duration: str
    #: the duration still grows
    open: bool


def row_of(task: TaskRow, now: int, viewer: Viewer) -> Row:
    """The row of one task at this time (ms). How far it is, is what its updates say."""
    tells = viewer.view_payload and task.ended_at is None
    return Row(
        key=task.key,
        url=task_url(task.task_id),
        task_id=task.task_id,
        short_id=short_id(task.task_id),
        action=task.action,
        publisher=task.publisher,
        services=task.services[:_NAMED],
        others=max(0, len(task.services) - _NAMED),
        mark=mark_of(task.state, task.outcome),
        progress=progress_of(task.update) if tells else None,
        started=moment(task.started_at),
        duration=duration((task.settled_at or task.ended_at or now) - task.created_at),
        open=task.outcome is None,
    )
