"""The lifecycle of a task: the decisions made by its one table (docs/protocol.md §5).

Laws of this file:

- A missing key in the table (``hub.core.transitions``) is the only way a transition is
  refused, and a refusal comes before the first fact: it leaves the task untouched.
- Deciding never changes a task; the facts recorded in a turn do (``hub.core.turn``).
- A task has one outcome and one end. Everything that may settle it ends in
  ``_conclude``; everything that may end it ends in ``_finish``.
"""

from hub.core import reasons
from hub.core.errors import Code, Rejection
from hub.core.task import Participant, Task
from hub.core.transitions import PARTICIPANT
from hub.core.turn import Turn
from hub.core.values import Body, EventKind, Expect, ParticipantState, Settle, TaskState

# Bound once: a member looked up on its class costs as much as the comparison it is for.
_START = EventKind.START
_UPDATE = EventKind.UPDATE
_DROP = EventKind.DROP
_SUCCESS = EventKind.SUCCESS
_FAIL = EventKind.FAIL
_END = EventKind.END
_OFFERED = ParticipantState.OFFERED
_STARTED = ParticipantState.STARTED
_SUCCEEDED = ParticipantState.SUCCEEDED
_FAILED = ParticipantState.FAILED
_DROPPED = ParticipantState.DROPPED


def check(task: Task, number: int, kind: EventKind, max_events: int) -> None:
    """Refuse what a participant may not send now. Raises Rejection; changes nothing.

    ``number`` 0 is a publisher that has not yet taken part in its own task.
    """
    if task.claimed_by and task.claimed_by != number and kind is not _END:
        raise Rejection(Code.CLAIMED, "Another service has claimed this task.")
    state = task.participants[number].state if number else _OFFERED
    if (state, kind) not in PARTICIPANT:
        raise Rejection(
            Code.ILLEGAL_TRANSITION, f"This participant is {state}; it cannot send {kind} any more."
        )
    if not number and task.outcome is not None and kind is not _END:
        raise Rejection(
            Code.ILLEGAL_TRANSITION, f"This task is settled ({task.outcome}); only its end remains."
        )
    room = max_events - task.seq - (state is _OFFERED)  # an implied start takes a seq too
    if kind is _UPDATE and room < 1:
        # docs/protocol.md §7; outcomes always pass.
        raise Rejection(
            Code.LIMIT,
            f"A task has at most {max_events} events; send its outcome now.",
            limit="max_events_per_task",
        )


def report(turn: Turn, number: int, kind: EventKind, *, event_id: str, body: Body | None) -> None:
    """What a participant did (§5.2, §5.3). ``check`` has passed."""
    participant = turn.task.participants[number]
    if participant.state is _OFFERED:
        _start(turn, participant, event_id if kind is _START else None)
    if kind is _START:
        return
    if kind is _UPDATE:
        turn.tell(_UPDATE, by=participant.client, body=body, event_id=event_id, participant=number)
        return
    if kind is _SUCCESS:
        _succeed(turn, participant, event_id, body)
    elif kind is _FAIL:
        _fail(turn, participant, event_id, body)
    else:
        # §5.4: an ``end`` is never forwarded, so its drop gets an id of the hub's.
        _drop(turn, participant, event_id if kind is _DROP else None, body)
    _conclude(turn)
    _finish(turn)


def _start(turn: Turn, participant: Participant, event_id: str | None) -> None:
    turn.tell(
        _START,
        by=participant.client,
        event_id=event_id,
        participant=participant.number,
        participant_state=_STARTED,
    )
    if turn.task.claim:
        # §5.7: the first start wins; the others count as dropped.
        for other in turn.task.active():
            if other.number != participant.number:
                turn.close(other, _DROPPED)


def _succeed(turn: Turn, participant: Participant, event_id: str, body: Body | None) -> None:
    task = turn.task
    settles = task.outcome is None and task.settle is not Settle.ALL
    turn.tell(
        _SUCCESS if settles else _DROP,
        by=participant.client,
        body=body,
        event_id=event_id,
        participant=participant.number,
        participant_state=_SUCCEEDED,
        stands_for=None if settles else _SUCCESS,
    )


def _fail(turn: Turn, participant: Participant, event_id: str, body: Body | None) -> None:
    task = turn.task
    alone = task.offered + task.started == 1 and task.first_fail is None and not task.successes
    settles = task.outcome is None and (task.settle is Settle.FIRST or alone)
    turn.tell(
        _FAIL if settles else _DROP,
        by=participant.client,
        body=body,
        event_id=event_id,
        participant=participant.number,
        participant_state=_FAILED,
        stands_for=None if settles else _FAIL,
    )


def _drop(turn: Turn, participant: Participant, event_id: str | None, body: Body | None) -> None:
    turn.tell(
        _DROP,
        by=participant.client,
        body=body,
        event_id=event_id,
        participant=participant.number,
        participant_state=_DROPPED,
    )


def lose(turn: Turn, number: int, why: Body) -> None:
    """A participant will not come back, or may not go on (§5.4)."""
    participant = turn.task.participants[number]
    at_work = participant.state is _STARTED
    turn.tell(_DROP, body=why, participant=number, participant_state=ParticipantState.LOST)
    _conclude(turn, lost=why if at_work else None)
    _finish(turn)


def start_window_over(turn: Turn) -> None:
    """The start deadline has come: who has not started, will not (§5.4)."""
    for participant in turn.task.active():
        if participant.state is _OFFERED:
            turn.close(participant, ParticipantState.TIMED_OUT)
    _conclude(turn)
    _finish(turn)


def end_deadline_over(turn: Turn) -> None:
    """The end deadline has come: the task ends in any case (§5.4)."""
    for participant in turn.task.active():
        turn.close(participant, ParticipantState.TIMED_OUT)
    if turn.task.outcome is None:
        turn.tell(_FAIL, body=reasons.END_TIMEOUT)
    _finish(turn)


def cancel(turn: Turn, *, by: str, reason: Body) -> None:
    """The publisher or an operator ends the task (§5.4). Raises Rejection when settled."""
    task = turn.task
    if task.outcome is not None:
        raise Rejection(
            Code.ILLEGAL_TRANSITION,
            f"This task is settled ({task.outcome}) and cannot be cancelled.",
        )
    turn.tell(_FAIL, by=by, body=reason)
    _finish(turn)


def _conclude(turn: Turn, lost: Body | None = None) -> None:
    """Settle the task when nobody is left who could (the table of §5.4)."""
    task = turn.task
    if task.outcome is not None or task.hopeful:
        return
    if task.successes:
        results = ",".join(f'{{"by":"{v.by}","result":{v.body}}}' for v in task.successes)
        turn.tell(_SUCCESS, body=f"[{results}]")
    elif task.first_fail is not None:
        turn.tell(_FAIL, by=task.first_fail.by, body=task.first_fail.body)
    elif lost is not None:
        turn.tell(_FAIL, body=lost)
    elif task.dropped:
        turn.tell(_SUCCESS, body=reasons.NULL)
    elif task.lost:
        # Lost before, and those who were left never started: nobody did the work.
        turn.tell(_FAIL, body=reasons.SERVICE_LOST)
    elif turn.now < task.start_deadline:
        return  # nobody has started yet, and somebody still may
    elif not task.participants:
        turn.tell(_FAIL, body=reasons.NO_SUBSCRIBER)
    elif task.expect is Expect.DELIVERY:
        turn.tell(_SUCCESS, body=reasons.NULL)
    else:
        turn.tell(_FAIL, body=reasons.START_TIMEOUT)


def _finish(turn: Turn) -> None:
    """End the task: at once after a fail, after a success when everyone is done (§5.4)."""
    task = turn.task
    if task.outcome is None or (task.outcome is TaskState.SUCCESS and task.hopeful):
        return
    for participant in task.active():
        turn.close(participant, _DROPPED)
    turn.tell(_END)
