"""Frames as they are read: what a frame may hold, and what each field takes.

``LegacyFrame`` has the fields of taskhubjs 0.0.6; ``Frame`` adds those of v1. What a struct does
not name is skipped by the parser, so an option of v1 cannot reach a legacy connection. Bodies
stay ``msgspec.Raw``: they are checked to be JSON and then passed on as they came
(docs/protocol.md §4.1).
"""

import re
from itertools import accumulate
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hub.core.access import is_action, is_pattern
from hub.core.errors import Code, Rejection
from hub.core.limits import Limits
from hub.core.values import Body, EventKind, Expect, Settle
from hub.protocol.commands import V1_COMMANDS, Pub
from hub.protocol.fields import COMMAND_ID_LENGTH, ID_GRAMMAR, LARGEST_INTEGER, RESUMED_TASKS

is_id = re.compile(ID_GRAMMAR).fullmatch
is_command_id = re.compile(rf"(?s:.{{0,{COMMAND_ID_LENGTH}}})").fullmatch
_is_harmless = re.compile(r"[A-Za-z0-9._:/-]{1,40}").fullmatch


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub's settings say about frames."""

    #: actions follow the grammar of §1; else any string of 1 to 255 characters
    strict_actions: bool
    #: levels of brackets and braces, the frame's own included
    max_nesting: int
    #: milliseconds
    max_start_timeout: int
    #: milliseconds
    max_end_timeout: int


def rules_of(limits: Limits, *, strict_actions: bool) -> Rules:
    """The rules that a hub with these limits holds frames to."""
    return Rules(
        strict_actions=strict_actions,
        max_nesting=limits.max_nesting,
        max_start_timeout=limits.max_start_timeout_ms,
        max_end_timeout=limits.max_end_timeout_ms,
    )


class LegacyFrame(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A frame of a legacy connection; every field may be absent."""

    cmd: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    action: str | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    update: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    reason: Raw | UnsetType = UNSET


class Frame(LegacyFrame, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A frame of a v1 connection."""

    id: str | UnsetType = UNSET
    start_timeout: int | UnsetType = UNSET
    end_timeout: int | UnsetType = UNSET
    expect: Expect | UnsetType = UNSET
    settle: Settle | UnsetType = UNSET
    claim: bool | UnsetType = UNSET
    group: bool | UnsetType = UNSET
    lazy_payload: int | UnsetType = UNSET
    from_seq: int | UnsetType = msgspec.field(default=UNSET, name="from")
    what: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    tasks: dict[str, int] | UnsetType = UNSET


Reader = msgspec.json.Decoder[Any]
LEGACY_READER: Final[Reader] = msgspec.json.Decoder(LegacyFrame)
V1_READER: Final[Reader] = msgspec.json.Decoder(Frame)
_VALUE: Final = msgspec.json.Decoder(Raw)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])

#: The fields of each command, and of each event of ``pub`` (§3, §4.1, §4.2), as they are checked.
USED_FIELDS: Final = {
    name: command.__struct_encode_fields__ for name, command in V1_COMMANDS.items()
}
_PUB: Final = Pub.__struct_encode_fields__


def used_fields(frame: LegacyFrame) -> tuple[str, ...]:
    """The fields that this frame's command uses, as far as the command is known."""
    if frame.cmd == "pub":
        return USED_FIELDS.get(f"pub {frame.event}", _PUB)
    return USED_FIELDS.get(str(frame.cmd), ())


def read_exactly(text: str, reader: Reader) -> tuple[Any, str | None]:
    """Read a frame that the reader refused as a whole: slow, and precise about why.

    Returns the frame with its well-typed fields only, and the first ill-typed field among those
    its command uses. "Unknown fields are ignored" (§4.1) holds for known names as well: a
    ``success`` may carry a ``payload``, a ``settle`` or anything else, of any type.

    Raises Rejection: bad-json, bad-command.
    """
    members = _members(text)
    fitting: dict[str, Raw] = {}
    wrong = set()
    for field in reader.type.__struct_encode_fields__:
        one = {field: members[field]} if field in members else {}
        try:
            reader.decode(msgspec.json.encode(one))
            fitting |= one
        except msgspec.ValidationError:
            wrong.add(field)
    frame = reader.decode(msgspec.json.encode(fitting))
    return frame, next((field for field in used_fields(frame) if field in wrong), None)


def _members(text: str) -> dict[str, Raw]:
    try:
        _VALUE.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        # §7: NaN, Infinity, lone surrogates, control characters, trailing data. The parser's words
        # name a rule and a place, never the content.
        raise Rejection(Code.BAD_JSON, f"The frame is not valid JSON: {error}.") from None
    if not text.lstrip(" \t\r\n").startswith("{"):
        message = "The frame is JSON, but not an object; a command is an object."
        raise Rejection(Code.BAD_COMMAND, message)
    return _MEMBERS.decode(text)


_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NOT_BRACKETS = bytes(set(range(256)) - set(_STEP))


def depth(text: str) -> int:
    """How deep JSON text is nested; brackets inside strings do not count.

    Linear and without Python per character: a megabyte of brackets takes 40 ms.
    """
    outside = _STRING.sub("", text).encode(errors="replace")
    brackets = outside.translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def too_deep(rules: Rules) -> Rejection:
    """Nesting over the limit (§7)."""
    return Rejection(
        Code.BAD_JSON,
        f"The frame is nested deeper than {rules.max_nesting} levels.",
        limit="max_nesting",
    )


def text_of(data: bytes) -> str:
    """The text in a binary frame (§2.4). Raises Rejection: bad-json."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"The binary frame is not UTF-8: no character begins at byte {error.start}."
        raise Rejection(Code.BAD_JSON, message) from None


# What each field takes

_ID = "a string of 1 to 64 characters out of A-Z a-z 0-9 . _ : -"
_NAME = "out of A-Z a-z 0-9 . _ -, at most 255 characters"
_MILLISECONDS = "a positive whole number of milliseconds"
_BODY = "any JSON value, null included"
#: The end of a sentence: '"taskId" must be …'.
_ACCEPTS: Final = {
    "id": f"a string of at most {COMMAND_ID_LENGTH} characters",
    "event": "a string",
    "eventId": _ID,
    "taskId": _ID,
    "action": "a string",
    "payload": _BODY,
    "update": _BODY,
    "result": _BODY,
    "reason": _BODY,
    "startTimeout": _MILLISECONDS,
    "endTimeout": _MILLISECONDS,
    "expect": '"result" or "delivery"',
    "settle": '"any", "first" or "all"',
    "claim": "true or false",
    "group": "true or false",
    "lazyPayload": "a whole number of bytes, 0 or more",
    "from": "a whole number, 1 or more",
    "session": "a string, as the welcome of the lost connection told it",
    "epoch": "a string, as the welcome of the lost connection told it",
    "tasks": "an object of task ids, each with the last seq seen: a whole number, 0 or more",
    "what": '"payload", "result", "task" or "events"',
}


def missing(field: str) -> Rejection:
    """The field is not there at all."""
    return Rejection(Code.MISSING_FIELD, f'"{field}" is missing; it is {_ACCEPTS[field]}.')


def wrong(field: str, more: str = "") -> Rejection:
    """The field is of the wrong type or out of range."""
    return Rejection(Code.BAD_FIELD, f'"{field}" must be {_ACCEPTS[field]}{more}.')


def shown(value: str, otherwise: str) -> str:
    """The value in quotes when it is short and harmless; messages carry no content."""
    return f'"{value}"' if _is_harmless(value) else otherwise


def required_id(value: str | UnsetType, field: str) -> str:
    """A taskId or eventId (§7). Raises Rejection: missing-field, bad-field."""
    if value is UNSET:
        raise missing(field)
    if is_id(value) is None:
        raise wrong(field)
    return value


def ids(frame: LegacyFrame) -> tuple[str, str]:
    """The taskId and the eventId of a ``pub``. Raises Rejection: missing-field, bad-field."""
    task_id, event_id = frame.task_id, frame.event_id
    if task_id is UNSET or event_id is UNSET or not (is_id(task_id) and is_id(event_id)):
        return required_id(task_id, "taskId"), required_id(event_id, "eventId")
    return task_id, event_id


def command_id(frame: Frame) -> str | None:
    """The ``id`` to echo (§3). Raises Rejection: bad-field."""
    value = frame.id
    if value is UNSET:
        return None
    if is_command_id(value) is None:
        raise wrong("id")
    return value


def body(value: Raw | UnsetType, field: str) -> Body:
    """The value exactly as received (§4.1). Raises Rejection: missing-field."""
    if value is UNSET:
        raise missing(field)
    return str(value, "utf-8")


def optional_body(value: Raw | UnsetType) -> Body | None:
    """The value exactly as received, if any."""
    return None if value is UNSET else str(value, "utf-8")


def action(value: str | UnsetType, rules: Rules) -> str:
    """An action (§1). Raises Rejection: missing-field, bad-action."""
    if value is UNSET:
        raise missing("action")
    if not is_action(value, strict=rules.strict_actions):
        raise _bad_action(value, f"an action is noun:verb or noun/noun:verb {_NAME}", rules)
    return value


def pattern(value: str | UnsetType, rules: Rules) -> str:
    """A pattern (§1). Raises Rejection: missing-field, bad-action."""
    if value is UNSET:
        raise missing("action")
    if not is_pattern(value, strict=rules.strict_actions):
        raise _bad_action(value, f"a pattern is noun:verb, noun, noun/noun or * {_NAME}", rules)
    return value


def _bad_action(value: str, grammar: str, rules: Rules) -> Rejection:
    accepted = grammar if rules.strict_actions else "it takes 1 to 255 characters"
    message = f"{shown(value, 'The action')} is against the grammar: {accepted}."
    return Rejection(Code.BAD_ACTION, message)


def timeout(value: int | UnsetType, field: str, maximum: int) -> int | None:
    """Milliseconds (§4.2). Raises Rejection: bad-field."""
    if value is UNSET:
        return None
    if not 1 <= value <= maximum:
        raise wrong(field, f", at most {maximum} on this hub")
    return value


def whole_number(value: int | UnsetType, field: str, least: int) -> int | None:
    """A seq or a size. Raises Rejection: bad-field."""
    if value is UNSET:
        return None
    if not least <= value <= LARGEST_INTEGER:
        raise wrong(field)
    return value


def told(value: str | UnsetType, field: str) -> str:
    """What the welcome told. Raises Rejection: missing-field."""
    if value is UNSET:
        raise missing(field)
    return value


def seen(value: dict[str, int] | UnsetType) -> dict[str, int]:
    """The last seq seen of each task (§6). Raises Rejection: missing-field, bad-field, limit."""
    if value is UNSET:
        raise missing("tasks")
    if len(value) > RESUMED_TASKS:
        raise Rejection(Code.LIMIT, f"A resume names at most {RESUMED_TASKS} tasks.")
    for task_id, seq in value.items():
        if is_id(task_id) is None or not 0 <= seq <= LARGEST_INTEGER:
            raise wrong("tasks")
    return value


_KINDS: Final[dict[str | UnsetType, EventKind]] = {kind.value: kind for kind in EventKind}


def kind(value: str | UnsetType) -> EventKind:
    """An event's name (§1). Raises Rejection: missing-field, bad-event."""
    known = _KINDS.get(value)
    if known is not None:
        return known
    if value is UNSET:
        raise missing("event")
    message = f"{shown(value, 'This')} is not an event; they are {', '.join(EventKind)}."
    raise Rejection(Code.BAD_EVENT, message)
