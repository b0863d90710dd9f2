"""A second reading of docs/protocol.md §1, §3, §4 and §7, by Python's own JSON parser.

It shares no line with ``hub.protocol``. It tells *all* that is wrong with a frame, as §7 does not
say which of several errors is told.
"""

import json
import re
from collections.abc import Collection
from typing import Any, Final

from tests.strangers.line import V1

#: As on every hub of these tests.
NESTING: Final = 64
MAX_START_MS: Final = 86_400_000
MAX_END_MS: Final = 30 * MAX_START_MS
LARGEST: Final = 2**53 - 1

_PART = "[A-Za-z0-9][A-Za-z0-9._-]*"
_NOUN = f"{_PART}(/{_PART})*"
_ACTION = re.compile(f"{_NOUN}:{_PART}")
_PATTERN = re.compile(f"[*]|{_NOUN}(:{_PART})?")
_ID = re.compile("[A-Za-z0-9._:-]{1,64}")
_INTEGER = re.compile("-?[0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")

Fields = list[tuple[str, Any, bool]]
#: The fields of each command and event, as (name, kind, whether it has to be there).
_COMMON: Fields = [("eventId", "id", True), ("taskId", "id", True)]
_OPTIONS: Fields = [
    ("startTimeout", (1, MAX_START_MS), False),
    ("endTimeout", (1, MAX_END_MS), False),
    ("expect", {"result", "delivery"}, False),
    ("settle", {"any", "first", "all"}, False),
    ("claim", "bool", False),
]
_COMMAND_ID = ("id", "command id", False)
_EVENTS: dict[str, Fields] = {
    "init": [("action", "action", True), ("payload", "body", True)],
    "start": [],
    "update": [("update", "body", True)],
    "drop": [],
    "success": [("result", "body", True)],
    "fail": [("reason", "body", True)],
    "end": [],
}
_COMMANDS: dict[str, Fields] = {
    "sub": [
        ("action", "pattern", True),
        ("group", "bool", False),
        ("lazyPayload", (0, LARGEST), False),
    ],
    "unsub": [("action", "pattern", True)],
    "cancel": [("taskId", "id", True)],
    "watch": [("taskId", "id", False), ("action", "pattern", False), ("from", (1, LARGEST), False)],
    "unwatch": [("taskId", "id", False), ("action", "pattern", False)],
    "get": [
        ("taskId", "id", True),
        ("what", {"payload", "result", "task", "events"}, True),
        ("from", (1, LARGEST), False),
    ],
    "resume": [("session", "text", True), ("epoch", "text", True), ("tasks", "seqs", True)],
}


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class _NotJson(Exception):  # noqa: N818
    pass


def defects(frame: str | bytes, version: str) -> set[str]:
    """The codes of all that is wrong with a frame by itself; empty: it is a command."""
    try:
        value = _parsed(frame)
    except _NotJson:
        return {"bad-json"}
    if not isinstance(value, dict):
        return {"bad-command"}
    cmd = value.get("cmd")
    if type(cmd) is not str:
        return {"bad-command"}
    if version != V1:
        return _legacy(cmd, value)
    if cmd == "pub":
        return _event(value, v1=True)
    if cmd not in _COMMANDS:
        return {"bad-command"}
    found = _wrong([_COMMAND_ID, *_COMMANDS[cmd]], value)
    if cmd in ("watch", "unwatch"):
        given = {"taskId", "action"} & value.keys()
        if len(given) != 1:
            found.add("bad-field" if given else "missing-field")
    return found


def command(frame: str | bytes) -> tuple[str, str, str, str]:
    """cmd, event, taskId and eventId of a frame that is a command, "" where there is none."""
    value = _parsed(frame)
    cmd, event, task, event_id = [
        v if type(v := value.get(name)) is str else ""
        for name in ("cmd", "event", "taskId", "eventId")
    ]
    return cmd, event, task, event_id


def allowed(frame: str | bytes, nouns: Collection[str]) -> bool | None:
    """Whether these grants cover what a command is about; None: it is not about an action (§1)."""
    value = _parsed(frame)
    asks = value["cmd"] in ("sub", "watch") or (value["cmd"], value.get("event")) == ("pub", "init")
    action = value.get("action")
    if not asks or type(action) is not str:
        return None
    return any(action == noun or action.startswith((f"{noun}:", f"{noun}/")) for noun in nouns)


def _legacy(cmd: str, value: dict[str, Any]) -> set[str]:
    if cmd == "pub":
        return _event(value, v1=False)
    return _wrong([("action", "action", True)], value) if cmd == "sub" else {"bad-command"}


def _event(value: dict[str, Any], *, v1: bool) -> set[str]:
    fields: Fields = [*_COMMON, *([_COMMAND_ID] if v1 else [])]
    found = set()
    event = value.get("event")
    if type(event) is not str:
        found.add("bad-field" if "event" in value else "missing-field")
    elif event in _EVENTS:
        fields += _EVENTS[event]
        fields += _OPTIONS if v1 and event == "init" else []
    else:
        found.add("bad-event")
    return found | _wrong(fields, value)


def _wrong(fields: Fields, value: dict[str, Any]) -> set[str]:
    found = set()
    for name, kind, required in fields:
        if name in value:
            found.add(_fault(kind, value[name]))
        elif required:
            found.add("missing-field")
    return found - {""}


def _fault(kind: Any, given: Any) -> str:
    match kind:
        case "body":
            return ""
        case "bool":
            return "" if type(given) is bool else "bad-field"
        case (least, most):
            whole = type(given) is Number and _INTEGER.fullmatch(given)
            fits = whole and len(given) < 20 and least <= int(given) <= most
            return "" if fits else "bad-field"
        case "seqs":
            pairs = given.items() if type(given) is dict else [("", None)]
            fit = (_fault("id", i) == _fault((0, LARGEST), seq) == "" for i, seq in pairs)
            return "" if all(fit) else "bad-field"
    if type(given) is not str:
        return "bad-field"
    match kind:
        case "text":
            return ""
        case "command id":
            return "" if len(given) <= 128 else "bad-field"
        case "id":
            return "" if _ID.fullmatch(given) else "bad-field"
        case "action" | "pattern":
            grammar = _ACTION if kind == "action" else _PATTERN
            return "" if len(given) <= 255 and grammar.fullmatch(given) else "bad-action"
    return "" if given in kind else "bad-field"


# JSON


def _parsed(frame: str | bytes) -> Any:
    """The value, numbers as ``Number``. Raises _NotJson."""
    try:
        text = frame if isinstance(frame, str) else frame.decode()
    except UnicodeDecodeError:
        raise _NotJson from None
    if _too_deep(text):
        raise _NotJson
    try:
        return _checked(_PARSER.decode(text))
    except ValueError:
        raise _NotJson from None


def _too_deep(text: str) -> bool:
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            if depth > NESTING:
                return True
        elif character in "]}":
            depth -= 1
    return False


def _checked(value: Any) -> Any:
    if isinstance(value, str) and _SURROGATE.search(value):
        raise _NotJson
    if isinstance(value, list):
        for one in value:
            _checked(one)
    return value


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, value in members:  # also those that a later one of the same name replaces
        _checked(name)
        _checked(value)
    return dict(members)


def _refused(_: str) -> Any:
    raise _NotJson


_PARSER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_refused
)
