"""One frame in, one command or refusal out; nothing here raises for what a client sent.

The way of a frame: one parse into a typed struct, one dispatch on ``cmd``, one command. Only a
frame that the struct refuses takes the exact path of ``hub.protocol.frames``, which finds out why.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.effects import Refuse
from hub.core.errors import Code, Rejection
from hub.core.inputs import (
    Cancel,
    Command,
    Get,
    Init,
    Report,
    Resume,
    Subscribe,
    Unsubscribe,
    Unwatch,
    Watch,
)
from hub.core.values import Body, EventKind, Expect, Settle, Token
from hub.protocol import frames
from hub.protocol.fields import REQUEST_LENGTH
from hub.protocol.frames import Frame, LegacyFrame, Rules, body, required_id, text_of

__all__ = ["REQUEST_LENGTH", "Rules", "decode", "text_of"]

# Bound once: a look-up on an enum class costs as much as parsing a short field.
_INIT = EventKind.INIT
_UPDATE = EventKind.UPDATE
_DROP = EventKind.DROP
_SUCCESS = EventKind.SUCCESS
_FAIL = EventKind.FAIL
_RESULT = Expect.RESULT
_ANY = Settle.ANY


class _Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """Legacy or v1: how to read a frame, and what its commands are."""

    reader: frames.Reader
    commands: Mapping[str | UnsetType, Callable[[Any, str, str, Rules], Command]]


def decode(text: str, *, connection: str, v1: bool, rules: Rules) -> Command | Refuse:
    """The command in this frame of ``connection``, or the refusal to answer it with."""
    dialect = _V1 if v1 else _LEGACY
    # Two counts cost 0.2 µs and tell almost every frame from one that may be nested too deep.
    suspect = text.count("[") + text.count("{") > rules.max_nesting
    if suspect and frames.depth(text) > rules.max_nesting:
        return _refuse(LegacyFrame(), frames.too_deep(rules), text, connection)
    try:
        frame = dialect.reader.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _exactly(text, connection, dialect, rules)
    return _command(frame, text, connection, dialect, rules)


def _exactly(text: str, connection: str, dialect: _Dialect, rules: Rules) -> Command | Refuse:
    try:
        frame, wrong = frames.read_exactly(text, dialect.reader)
    except Rejection as rejection:
        return _refuse(LegacyFrame(), rejection, text, connection)
    if wrong is not None and frame.cmd in dialect.commands:  # or §3: it uses no field at all
        return _refuse(frame, frames.wrong(wrong), text, connection)
    return _command(frame, text, connection, dialect, rules)


def _command(
    frame: LegacyFrame, text: str, connection: str, dialect: _Dialect, rules: Rules
) -> Command | Refuse:
    build = dialect.commands.get(frame.cmd)
    if build is None:
        return _refuse(frame, _unknown_command(frame.cmd, dialect), text, connection)
    try:
        return build(frame, connection, text[:REQUEST_LENGTH], rules)
    except Rejection as rejection:
        return _refuse(frame, rejection, text, connection)


def _unknown_command(cmd: str | UnsetType, dialect: _Dialect) -> Rejection:
    known = ", ".join(map(str, dialect.commands))
    if cmd is UNSET:
        message = f'The frame has no "cmd", or not a string; it is one of {known}.'
    else:
        name = frames.shown(cmd, "This")
        message = f"{name} is not a command on this connection; they are {known}."
    return Rejection(Code.BAD_COMMAND, message)


def _refuse(frame: LegacyFrame, rejection: Rejection, text: str, connection: str) -> Refuse:
    """The refusal with all that could be read, so that the client can tell what it answers (§7)."""
    task_id = _readable(frame.task_id, frames.is_id)
    command_id = frame.id if isinstance(frame, Frame) else UNSET
    return Refuse(
        to=connection,
        rejection=rejection,
        command_id=_readable(command_id, frames.is_command_id),
        task_id=task_id,
        event_id=_readable(frame.event_id, frames.is_id),
        # a lone surrogate cannot be sent back
        request=text[:REQUEST_LENGTH].encode(errors="replace").decode(),
        refused_init=task_id is not None and frame.cmd == "pub" and frame.event == "init",
    )


def _readable(value: str | UnsetType, fits: Callable[[str], object]) -> str | None:
    return value if value is not UNSET and fits(value) else None


# Commands of a legacy connection (§3): an ``id`` or an option is an unknown field to it.


def _legacy_subscribe(frame: LegacyFrame, connection: str, request: str, rules: Rules) -> Command:
    return Subscribe(
        connection=connection,
        request=request,
        pattern=frames.action(frame.action, rules),
        exact=True,
    )


def _legacy_publish(frame: LegacyFrame, connection: str, request: str, rules: Rules) -> Command:
    kind = frames.kind(frame.event)
    task_id, event_id = frames.ids(frame)
    if kind is _INIT:
        return Init(
            connection=connection,
            request=request,
            task_id=task_id,
            event_id=event_id,
            action=frames.action(frame.action, rules),
            payload=body(frame.payload, "payload"),
        )
    return Report(
        connection=connection,
        request=request,
        kind=kind,
        task_id=task_id,
        event_id=event_id,
        body=_reported(frame, kind),
    )


def _reported(frame: LegacyFrame, kind: EventKind) -> Body | None:
    """The field that §4.1 asks for beside the ids."""
    if kind is _SUCCESS:
        return body(frame.result, "result")
    if kind is _UPDATE:
        return body(frame.update, "update")
    if kind is _FAIL:
        return body(frame.reason, "reason")
    return None


# Commands of a v1 connection (§3)


def _subscribe(frame: Frame, connection: str, request: str, rules: Rules) -> Command:
    return Subscribe(
        connection=connection,
        command_id=frames.command_id(frame),
        request=request,
        pattern=frames.pattern(frame.action, rules),
        group=frame.group is True,
        lazy_payload=frames.whole_number(frame.lazy_payload, "lazyPayload", 0),
    )


def _unsubscribe(frame: Frame, connection: str, request: str, rules: Rules) -> Unsubscribe:
    return Unsubscribe(
        connection=connection,
        command_id=frames.command_id(frame),
        request=request,
        pattern=frames.pattern(frame.action, rules),
    )


def _publish(frame: Frame, connection: str, request: str, rules: Rules) -> Command:
    command_id = frames.command_id(frame)
    kind = frames.kind(frame.event)
    task_id, event_id = frames.ids(frame)
    if kind is _INIT:
        return Init(
            connection=connection,
            command_id=command_id,
            request=request,
            task_id=task_id,
            event_id=event_id,
            action=frames.action(frame.action, rules),
            payload=body(frame.payload, "payload"),
            start_timeout=frames.timeout(
                frame.start_timeout, "startTimeout", rules.max_start_timeout
            ),
            end_timeout=frames.timeout(frame.end_timeout, "endTimeout", rules.max_end_timeout),
            expect=_RESULT if frame.expect is UNSET else frame.expect,
            settle=_ANY if frame.settle is UNSET else frame.settle,
            claim=frame.claim is True,
        )
    return Report(
        connection=connection,
        command_id=command_id,
        request=request,
        kind=kind,
        task_id=task_id,
        event_id=event_id,
        # §4.3: a v1 drop may say why
        body=frames.optional_body(frame.reason) if kind is _DROP else _reported(frame, kind),
    )


def _cancel(frame: Frame, connection: str, request: str, rules: Rules) -> Cancel:  # noqa: ARG001
    return Cancel(
        connection=connection,
        command_id=frames.command_id(frame),
        request=request,
        task_id=required_id(frame.task_id, "taskId"),
        reason=frames.optional_body(frame.reason),
    )


def _watch(frame: Frame, connection: str, request: str, rules: Rules) -> Watch:
    task_id, pattern = _watched(frame, rules)
    return Watch(
        connection=connection,
        command_id=frames.command_id(frame),
        request=request,
        task_id=task_id,
        pattern=pattern,
        from_seq=frames.whole_number(frame.from_seq, "from", 1) or 1,
    )


def _unwatch(frame: Frame, connection: str, request: str, rules: Rules) -> Unwatch:
    task_id, pattern = _watched(frame, rules)
    return Unwatch(
        connection=connection,
        command_id=frames.command_id(frame),
        request=request,
        task_id=task_id,
        pattern=pattern,
    )


def _watched(frame: Frame, rules: Rules) -> tuple[str | None, str | None]:
    """One task or one pattern, never both (§3)."""
    if frame.task_id is UNSET and frame.action is UNSET:
        raise Rejection(Code.MISSING_FIELD, '"taskId" or "action" is missing; give one of them.')
    if frame.task_id is UNSET:
        return None, frames.pattern(frame.action, rules)
    if frame.action is not UNSET:
        raise Rejection(Code.BAD_FIELD, '"taskId" and "action" exclude each other; give one.')
    return required_id(frame.task_id, "taskId"), None


def _get(frame: Frame, connection: str, request: str, rules: Rules) -> Get:  # noqa: ARG001
    if frame.what is UNSET:
        raise frames.missing("what")
    if frame.what not in ("payload", "result", "task", "events"):
        raise frames.wrong("what")
    return Get(
        connection=connection,
        command_id=frames.command_id(frame),
        request=request,
        task_id=required_id(frame.task_id, "taskId"),
        what=frame.what,
        from_seq=frames.whole_number(frame.from_seq, "from", 1) or 1,
    )


def _resume(frame: Frame, connection: str, request: str, rules: Rules) -> Resume:  # noqa: ARG001
    return Resume(
        connection=connection,
        command_id=frames.command_id(frame),
        request=Token(request),  # it holds the session
        session=Token(frames.told(frame.session, "session")),
        epoch=frames.told(frame.epoch, "epoch"),
        tasks=frames.seen(frame.tasks),
    )


_LEGACY: Final = _Dialect(
    reader=frames.LEGACY_READER,
    commands={"sub": _legacy_subscribe, "pub": _legacy_publish},
)
_V1: Final = _Dialect(
    reader=frames.V1_READER,
    commands={
        "sub": _subscribe,
        "unsub": _unsubscribe,
        "pub": _publish,
        "cancel": _cancel,
        "watch": _watch,
        "unwatch": _unwatch,
        "get": _get,
        "resume": _resume,
    },
)
