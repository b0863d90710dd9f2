"""States as people see them: an icon, a word and a colour, wherever they are shown."""

from dataclasses import dataclass

from hub.core.values import EventKind, ParticipantState, TaskState


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state is shown. The word alone says it; icon and colour help to find it."""

    word: str
    #: id in icons.svg
    icon: str
    #: class of the colour: ``wait``, ``run``, ``good``, ``bad``, ``warn``, ``calm``
    tone: str


WAITING = Mark("waiting", "wait", "wait")
RUNNING = Mark("running", "run", "run")
SUCCEEDED = Mark("succeeded", "good", "good")
FAILED = Mark("failed", "bad", "bad")

_TASK = {
    TaskState.INIT: WAITING,
    TaskState.START: RUNNING,
    TaskState.SUCCESS: SUCCEEDED,
    TaskState.FAIL: FAILED,
}

PARTICIPANT = {
    ParticipantState.OFFERED: Mark("offered", "wait", "wait"),
    ParticipantState.STARTED: Mark("at work", "run", "run"),
    ParticipantState.SUCCEEDED: SUCCEEDED,
    ParticipantState.FAILED: FAILED,
    ParticipantState.DROPPED: Mark("dropped", "drop", "calm"),
    ParticipantState.TIMED_OUT: Mark("timed out", "late", "warn"),
    ParticipantState.LOST: Mark("lost", "lost", "warn"),
}

EVENT = {
    EventKind.INIT: Mark("published", "wait", "calm"),
    EventKind.START: Mark("start", "run", "run"),
    EventKind.UPDATE: Mark("update", "update", "run"),
    EventKind.DROP: Mark("drop", "drop", "calm"),
    EventKind.SUCCESS: Mark("success", "good", "good"),
    EventKind.FAIL: Mark("fail", "bad", "bad"),
    EventKind.END: Mark("end", "end", "calm"),
}


def mark_of(state: TaskState, outcome: TaskState | None) -> Mark:
    """The state of a task: its outcome once it has one, ended or not."""
    return _TASK[outcome or state]
