"""The one table of the lifecycle (docs/protocol.md §5): a missing key is a refusal."""

from hub.core.values import EventKind, ParticipantState, TaskState

T, E, P = TaskState, EventKind, ParticipantState

#: (state, event) → state. Outcomes in state ``success`` or ``fail`` have no key: decided once.
TASK: dict[tuple[TaskState, EventKind], TaskState] = {
    (T.INIT, E.START): T.START,
    (T.INIT, E.DROP): T.INIT,
    (T.INIT, E.SUCCESS): T.SUCCESS,
    (T.INIT, E.FAIL): T.FAIL,
    (T.START, E.START): T.START,
    (T.START, E.UPDATE): T.START,
    (T.START, E.DROP): T.START,
    (T.START, E.SUCCESS): T.SUCCESS,
    (T.START, E.FAIL): T.FAIL,
    (T.SUCCESS, E.START): T.SUCCESS,
    (T.SUCCESS, E.UPDATE): T.SUCCESS,
    (T.SUCCESS, E.DROP): T.SUCCESS,
    (T.SUCCESS, E.END): T.END,
    (T.FAIL, E.END): T.END,
    # T.END is terminal: no key.
}

#: (participant's state, what it sends) → its state. Done is done: only ``end`` is still heard.
PARTICIPANT: dict[tuple[ParticipantState, EventKind], ParticipantState] = {
    (P.OFFERED, E.START): P.STARTED,
    (P.OFFERED, E.UPDATE): P.STARTED,
    (P.OFFERED, E.DROP): P.DROPPED,
    (P.OFFERED, E.SUCCESS): P.SUCCEEDED,
    (P.OFFERED, E.FAIL): P.FAILED,
    (P.OFFERED, E.END): P.DROPPED,
    (P.STARTED, E.START): P.STARTED,
    (P.STARTED, E.UPDATE): P.STARTED,
    (P.STARTED, E.DROP): P.DROPPED,
    (P.STARTED, E.SUCCESS): P.SUCCEEDED,
    (P.STARTED, E.FAIL): P.FAILED,
    (P.STARTED, E.END): P.DROPPED,
    (P.SUCCEEDED, E.END): P.SUCCEEDED,
    (P.FAILED, E.END): P.FAILED,
    (P.DROPPED, E.END): P.DROPPED,
    (P.TIMED_OUT, E.END): P.TIMED_OUT,
    (P.LOST, E.END): P.LOST,
}
