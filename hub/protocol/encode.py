"""What the hub says, as JSON text (docs/protocol.md §2.5, §3, §4.3, §7).

Events are spliced, not built: a body is JSON already and must leave exactly as it came (§4.1), and
ids, event names and client names consist of characters that JSON never escapes. Everything a
person or a client wrote freely (actions, messages, requests, command ids) is encoded. All else is
encoded from the types of ``messages.py``; tests/protocol/test_asyncapi.py holds what is spliced to
the types that describe it.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.effects import Acknowledge, Refuse, Resumed, Unchanged
from hub.core.errors import ERROR_CLASS, Code
from hub.core.facts import Created, Event
from hub.core.task import Participant, Task
from hub.core.values import BODY_FIELD, Body, EventKind, Expect, ParticipantState, Settle
from hub.protocol import messages
from hub.protocol.legacy import LegacyError

_to_json = msgspec.json.Encoder().encode


def _text(value: object) -> str:
    return _to_json(value).decode()


_INIT = EventKind.INIT
_DROP = EventKind.DROP
_SUCCESS = EventKind.SUCCESS
_FAIL = EventKind.FAIL
_ANY = Settle.ANY
_RESULT = Expect.RESULT

#: From the end of the eventId to the event's body.
_BEFORE_BODY: Final = {
    kind: f'","event":"{kind}","{BODY_FIELD[kind]}":'
    if kind in BODY_FIELD
    else f'","event":"{kind}"'
    for kind in EventKind
}
_BEFORE_REASON: Final = '","event":"drop","reason":'
_BEFORE_FAIL: Final = '","event":"drop","outcome":"fail","reason":'
_BEFORE_SUCCESS: Final = '","event":"drop","outcome":"success","result":'


# Events (§4.3)


def event_legacy(event: Event) -> str:
    """An event for legacy connections: what taskhubjs 0.0.6 sends, and nothing more."""
    kind = event.kind
    before = _before_payload(event.created) if kind is _INIT else _BEFORE_BODY[kind]
    # a drop's reason is v1's: it has no body field here
    body = event.body or "null" if kind in BODY_FIELD else ""
    return f'{{"status":"ok","eventId":"{event.event_id}{before}{body},"taskId":"{event.task_id}"}}'


def event_v1(event: Event, *, size_only: bool = False) -> str:
    """An event for v1 connections; ``size_only`` gives an init's ``payloadSize`` (§4.5)."""
    kind = event.kind
    before = _BEFORE_BODY[kind]
    body = event.body or "null" if kind in BODY_FIELD else ""
    after = ""
    if kind is _INIT:
        before = _before_payload(event.created, size_only=size_only)
        after = _after_init(event.at, event.created)
        if size_only:
            body = str(payload_size(body))
    elif kind is _DROP and event.body is not None:
        before = _before_drop_body(event.stands_for)
        body = event.body
    return (
        f'{{"status":"ok","eventId":"{event.event_id}{before}{body},"taskId":"{event.task_id}"'
        f',"seq":{event.seq},"at":{event.at},"by":"{event.by}"{after}}}'
    )


def payload_size(payload: Body) -> int:
    """Bytes of a payload as sent: what ``lazyPayload`` is compared with (§4.5)."""
    return len(payload) if payload.isascii() else len(payload.encode())


def _before_payload(created: Created | None, *, size_only: bool = False) -> str:
    assert created is not None, "an init says what it creates"
    return _before_payload_of(created.action, "payloadSize" if size_only else "payload")


@lru_cache(4_096)
def _before_payload_of(action: str, field: str) -> str:
    return f'","event":"init","action":{_text(action)},"{field}":'


def _before_drop_body(stands_for: EventKind | None) -> str:
    """§5.3: a word that did not settle the task is a drop, and says what it was."""
    if stands_for is _SUCCESS:
        return _BEFORE_SUCCESS
    return _BEFORE_FAIL if stands_for is _FAIL else _BEFORE_REASON


def _after_init(at: int, created: Created | None) -> str:
    """The deadlines, and the options of §4.2 that are not the default."""
    assert created is not None, "an init says what it creates"
    start, end = created.start_timeout, created.end_timeout
    text = (
        f',"startTimeout":{start},"endTimeout":{end}'
        f',"startDeadline":{at + start},"endDeadline":{at + end}'
    )
    if created.settle is not _ANY:
        text += f',"settle":"{created.settle}"'
    if created.expect is not _RESULT:
        text += f',"expect":"{created.expect}"'
    return text + ',"claim":true' if created.claim else text


def _or_unset(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def with_id(message: str, command_id: str) -> str:
    """The same message with the ``id`` of the command it answers (§3)."""
    return f'{message[:-1]},"id":{_text(command_id)}}}'


# Answers (§3)


def acknowledge(done: Acknowledge) -> str:
    """Subscribed, unsubscribed, watching, no longer watching a pattern."""
    return _text(
        messages.PatternAnswer(
            message=done.message, action=done.action, id=_or_unset(done.command_id)
        )
    )


def unchanged(same: Unchanged) -> str:
    """An event that changed nothing and has no stored message to send again; v1 only (§4.7)."""
    return _text(
        messages.Unchanged(
            message="nothing changed",
            task_id=same.task_id,
            event_id=same.event_id,
            id=_or_unset(same.command_id),
        )
    )


def resumed(effect: Resumed) -> str:
    """The answer to ``resume`` (§6)."""
    done = effect.previous is not None
    text = _RESUMED if done else _NOT_RESUMED
    return text if effect.command_id is None else with_id(text, effect.command_id)


def ok(message: str, *, command_id: str | None = None, **more: str) -> str:
    """A plain yes, with ``more`` fields as the wire names them."""
    text = _text({"status": "ok", "message": message, **more})
    return text if command_id is None else with_id(text, command_id)


_RESUMED: Final = _text(messages.Resumed(message="Resumed.", resumed=True))
_NOT_RESUMED: Final = _text(
    messages.Resumed(message="There is no such session to resume; subscribe anew.", resumed=False)
)


def welcome(
    *,
    connection_id: str,
    session: str,
    epoch: str,
    hub: str,
    limits: Mapping[str, int],
    now: int,
) -> str:
    """The first message to a v1 connection (§2.5). ``hub`` is the version, ``now`` in ms."""
    return _text(
        messages.Welcome(
            type="welcome",
            connection_id=connection_id,
            session=session,
            epoch=epoch,
            protocol="taskhub.v1",
            hub=hub,
            limits={_camel(name): value for name, value in limits.items()},
            now=now,
        )
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def answer_get(what: str, value: str, command_id: str | None = None) -> str:
    """What was asked for; ``value`` is JSON: a body, ``null``, a summary or a list of events."""
    message = f'{{"status":"ok","{what}":{value}}}'
    return message if command_id is None else with_id(message, command_id)


def event_list(events: Iterable[Event]) -> str:
    """Stored events as v1 messages, for ``get`` with what: events."""
    return f"[{','.join(map(event_v1, events))}]"


def task_summary(task: Task) -> str:
    """One task at a glance, for ``get`` with what: task. Times are ms since the epoch."""
    return _text(
        messages.Summary(
            task_id=task.task_id,
            action=task.action,
            publisher=task.publisher,
            state=task.state,
            outcome=task.outcome,
            seq=task.seq,
            created_at=task.created_at,
            started_at=task.started_at,
            settled_at=task.settled_at,
            ended_at=task.ended_at,
            start_deadline=task.start_deadline,
            end_deadline=task.end_deadline,
            participants=[_part(participant) for participant in task.participants.values()],
        )
    )


def _part(participant: Participant) -> messages.Part:
    body = UNSET if participant.body is None else _raw(participant.body)
    succeeded = participant.state is ParticipantState.SUCCEEDED
    return messages.Part(
        client=participant.client,
        state=participant.state,
        started_at=participant.started_at,
        done_at=participant.done_at,
        result=body if succeeded else UNSET,
        reason=UNSET if succeeded else body,
    )


# Errors (§7)

#: Why a connection is closed (§2.7): the code of the error told before, and the sentence.
CLOSING: Final = {
    1001: (Code.UNAVAILABLE, "The hub is going away; connect again."),
    1008: (Code.BAD_JSON, "Too many unreadable frames within a minute."),
    1009: (Code.TOO_BIG, "The frame is larger than this hub takes."),
    1012: (Code.UNAVAILABLE, "The hub is restarting; connect again in a moment."),
    4401: (Code.FORBIDDEN, "The key was revoked or the client disabled; ask an administrator."),
    4409: (Code.ILLEGAL_TRANSITION, "Another connection has resumed this session."),
    4408: (Code.LIMIT, "The connection reads too slowly; connect again and read faster."),
    4429: (Code.LIMIT, "The connection sends too fast; connect again and send slower."),
    4503: (Code.UNAVAILABLE, "An operator closed this connection; connect again in a moment."),
}


def refusal(refuse: Refuse, *, v1: bool, fresh_id: str) -> list[str]:
    """The messages that answer a refused command, in order.

    A legacy publisher whose init is refused also hears a ``fail`` of its task under ``fresh_id``,
    stored nowhere: its ``pub()`` settles by nothing else.
    """
    rejection = refuse.rejection
    code, message = rejection.code, rejection.message
    error, request = ERROR_CLASS[code], str(refuse.request)
    if v1:
        told = messages.Error(
            error=error,
            code=code,
            message=message,
            request=request,
            id=_or_unset(refuse.command_id),
            task_id=_or_unset(refuse.task_id),
            event_id=_or_unset(refuse.event_id),
            retry=rejection.retry,
        )
        return [_text(told)]
    said = [_text(LegacyError(error=error, message=message, request=request))]
    if refuse.refused_init and refuse.task_id is not None:
        reason = _text({"code": code, "message": message})
        said.append(_bare_fail(refuse.task_id, fresh_id, reason))
    return said


def closing(close_code: int) -> str:
    """The error that tells a v1 connection why it is closed right after (§2.7)."""
    code, message = CLOSING[close_code]
    return _text(
        messages.Closing(
            error=ERROR_CLASS[code],
            code=code,
            message=message,
            request="",
            # after a pause the connection is welcome again
            retry=code in (Code.UNAVAILABLE, Code.LIMIT),
            close=close_code,
        )
    )


def _bare_fail(task_id: str, event_id: str, reason: Body) -> str:
    before = _BEFORE_BODY[_FAIL]
    return f'{{"status":"ok","eventId":"{event_id}{before}{reason},"taskId":"{task_id}"}}'


def _raw(body: Body) -> msgspec.Raw:
    return msgspec.Raw(body.encode())
