"""Every field of every command: missing, of each wrong type, at its bounds and beyond (§3, §4, §7)."""

import json
from typing import Any

from tests.strangers.corpus.case import FAIL, Case, both, init, v1

#: A command that is right as it stands, and what each of its fields takes.
COMMANDS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "sub": (
        {"cmd": "sub", "action": "weather:x"},
        {"id": "text", "action": "text", "group": "bool", "lazyPayload": "size"},
    ),
    "unsub": ({"cmd": "unsub", "action": "weather:x"}, {"id": "text", "action": "text"}),
    "watch a task": (
        {"cmd": "watch", "taskId": "$OPEN"},
        {"id": "text", "taskId": "id", "from": "seq"},
    ),
    "watch a pattern": (
        {"cmd": "watch", "action": "weather:x"},
        {"id": "text", "action": "text", "from": "seq"},
    ),
    "unwatch": ({"cmd": "unwatch", "taskId": "$OPEN"}, {"id": "text", "taskId": "id"}),
    "unwatch a pattern": (
        {"cmd": "unwatch", "action": "weather:x"},
        {"id": "text", "action": "text"},
    ),
    "get": (
        {"cmd": "get", "taskId": "$OPEN", "what": "events"},
        {"id": "text", "taskId": "id", "what": "word", "from": "seq"},
    ),
    "resume": (
        {"cmd": "resume", "session": "s", "epoch": "e", "tasks": {"$OPEN": 1}},
        {"id": "text", "session": "text", "epoch": "text", "tasks": "seqs"},
    ),
    "cancel": ({"cmd": "cancel", "taskId": "$OPEN"}, {"id": "text", "taskId": "id"}),
    "init": (
        {"cmd": "pub", "event": "init", "eventId": "$E", "taskId": "$T", "action": "weather:x", "payload": 1},
        {"id": "text", "event": "text", "eventId": "id", "taskId": "id", "action": "text",
         "startTimeout": "time", "endTimeout": "time", "expect": "word", "settle": "word", "claim": "bool"},
    ),
    **{
        event: (
            {"cmd": "pub", "event": event, "eventId": "$E", "taskId": "$OPEN", **body},
            {"id": "text", "event": "text", "eventId": "id", "taskId": "id"},
        )
        for event, body in {
            "start": {}, "update": {"update": 1}, "drop": {}, "success": {"result": 1},
            "fail": {"reason": 1}, "end": {},
        }.items()
    },
}  # fmt: skip

#: Values of each type of JSON.
VALUES: dict[str, list[str]] = {
    "null": ["null"],
    "bool": ["true", "false"],
    "number": ["0", "7", "-1", "1.5", "1e3", "1e999", "9" * 5_000],
    "text": ['""', '"7"', '"a b"', '"\\u0000"', '"' + "x" * 65 + '"'],
    "other": ["[]", '["x"]', "{}", '{"x":1}'],
}
#: For each kind of field the values that it may be given, whatever comes of them; all others are
#: ``bad-field``. An id of characters or a length that it may not have is a ``bad-field`` as well.
TAKES: dict[str, list[str]] = {
    "text": VALUES["text"],
    "id": ['"7"'],
    "bool": VALUES["bool"],
    "size": ["0", "7"],
    "seq": ["7"],
    "time": ["7"],
    "word": [],
    "seqs": ["{}", '{"x":1}'],
}
#: Fields of v1 that are unknown ones to a legacy connection (§3).
OPTIONS = {"id", "group", "lazyPayload", "from", "what", "startTimeout", "endTimeout", "expect", "settle", "claim"}  # fmt: skip
OF_LEGACY = {"sub", "init", "start", "update", "drop", "success", "fail", "end"}


def _with(command: dict[str, Any], field: str, value: str) -> str:
    """The command as text, with this value in one of its fields."""
    members = {name: json.dumps(given) for name, given in command.items()} | {field: value}
    return "{" + ",".join(f'"{name}":{given}' for name, given in members.items()) + "}"


def _wrong_types() -> list[Case]:
    cases = []
    for name, (command, fields) in COMMANDS.items():
        for field, kind in fields.items():
            refused = [v for values in VALUES.values() for v in values if v not in TAKES[kind]]
            for value in refused:
                frame = _with(command, field, value)
                title = f"{name}: {field} {value:.12}"
                if name not in OF_LEGACY:
                    cases.append(v1(title, frame, "bad-field"))
                elif field in OPTIONS:
                    # a harmless event: what a legacy connection makes of it is told elsewhere
                    if name in ("sub", "init"):
                        told = "ok" if name == "sub" else "init"
                        cases.append(Case(title, frame, "bad-field", told))
                else:
                    fails = name == "init" and field not in ("taskId", "event")
                    legacy = "bad-field" + (FAIL if fails else "")
                    cases.append(Case(title, frame, "bad-field", legacy))
    return cases


def _missing() -> list[Case]:
    cases = []
    for name, (command, _) in COMMANDS.items():
        for field in command.keys() - {"cmd"}:
            frame = json.dumps({key: value for key, value in command.items() if key != field})
            title = f"{name} without {field}"
            fails = FAIL if name == "init" and field not in ("taskId", "event") else ""
            legacy = "missing-field" + fails if name in OF_LEGACY else "bad-command"
            cases.append(Case(title, frame, "missing-field", legacy))
    return sorted(cases)


def _init(**fields: str) -> str:
    """An init as text with fields as they are written."""
    command = COMMANDS["init"][0]
    members = {name: json.dumps(given) for name, given in command.items()} | fields
    return "{" + ",".join(f'"{name}":{given}' for name, given in members.items()) + "}"


DAY = 86_400_000
ID_64, ID_65 = '"' + "A" * 64 + '"', '"' + "A" * 65 + '"'
#: What an id is not made of (§7).
ODD = [
    *" !\"#$%&'()*+,/;<=>?@[\\]^`{|}~\t\n\r\0\x7f",
    "é",
    "\u0661",
    "\u00a0",
    "\u200b",
    "\U0001f600",
]
LARGEST = 2**53 - 1

CASES: list[Case] = [
    *_wrong_types(),
    *_missing(),
    *(both(f"taskId with {c!r}", _init(taskId=json.dumps(f"a{c}b")), "bad-field") for c in ODD),
    *(init(f"eventId with {c!r}", _init(eventId=json.dumps(f"a{c}b")), "bad-field") for c in ODD),
    # bounds
    both("taskId of 65", _init(taskId=ID_65), "bad-field"),
    init("eventId of 65", _init(eventId=ID_65), "bad-field"),
    both("taskId of nothing", _init(taskId='""'), "bad-field"),
    v1("id of 128", '{"cmd":"unsub","action":"weather:x","id":"' + "i" * 128 + '"}', "ok"),
    v1("id of 129", '{"cmd":"unsub","action":"weather:x","id":"' + "i" * 129 + '"}', "bad-field"),
    v1("id of 128 astral characters", '{"cmd":"unsub","action":"weather:x","id":"' + "\U0001f600" * 128 + '"}', "ok"),
    v1("id of 129 astral characters", '{"cmd":"unsub","action":"weather:x","id":"' + "\U0001f600" * 129 + '"}', "bad-field"),
    v1("id of nothing", '{"cmd":"unsub","action":"weather:x","id":""}', "ok"),
    v1("id of a NUL and a line end", '{"cmd":"unsub","action":"weather:x","id":"\\u0000\\n"}', "ok"),
    *(Case(f"startTimeout {n}", _init(startTimeout=str(n)), "init", "init") for n in (1, DAY)),
    *(Case(f"startTimeout {n}", _init(startTimeout=n), "bad-field", "init")
      for n in ("0", "-0", "-1", str(DAY + 1), "1.0", "1e2", "1E0", "9223372036854775808", "18446744073709551616")),
    *(Case(f"endTimeout {n}", _init(endTimeout=str(n)), "init", "init") for n in (1, 30 * DAY)),
    *(Case(f"endTimeout {n}", _init(endTimeout=n), "bad-field", "init")
      for n in ("0", "-1", str(30 * DAY + 1), "60000.0", "6e4", '"60000"', "-9223372036854775809")),
    *(v1(f"from {n}", '{"cmd":"get","taskId":"$OPEN","what":"events","from":%s}' % n, answer)
      for n, answer in (("1", "ok"), (LARGEST, "ok"), (LARGEST + 1, "bad-field"), ("0", "bad-field"), ("1.0", "bad-field"), ("1e0", "bad-field"))),
    *(Case(f"lazyPayload {n}", '{"cmd":"sub","action":"weather:x","lazyPayload":%s}' % n, answer, "ok")
      for n, answer in ((LARGEST, "ok"), (LARGEST + 1, "bad-field"), (2**63, "bad-field"), (2**64, "bad-field"), ("-0", "ok"), ("0.0", "bad-field"))),
    *(Case(f"{field} {word}", _init(**{field: f'"{word}"'}), answer, "init")
      for field, word, answer in (
          ("expect", "result", "init"), ("expect", "delivery", "init"), ("expect", "Result", "bad-field"),
          ("expect", "results", "bad-field"), ("settle", "any", "init"), ("settle", "first", "init"),
          ("settle", "all", "init"), ("settle", "ALL", "bad-field"), ("settle", "none", "bad-field"))),
    *(v1(f"get {word!r}", f'{{"cmd":"get","taskId":"$OPEN","what":"{word}"}}', answer)
      for word, answer in (
          ("payload", "ok"), ("result", "ok"), ("task", "ok"), ("events", "ok"), ("event", "bad-field"),
          ("Task", "bad-field"), ("task ", "bad-field"), ("", "bad-field"), ("__proto__", "bad-field"))),
    *(v1(f"tasks {tasks:.20}", f'{{"cmd":"resume","session":"s","epoch":"e","tasks":{tasks}}}', answer)
      for tasks, answer in (
          ('{"x":0}', "ok"), (f'{{"x":{LARGEST}}}', "ok"), (f'{{"x":{LARGEST + 1}}}', "bad-field"), ('{"x":-1}', "bad-field"),
          ('{"x":1.0}', "bad-field"), ('{"x":1e3}', "bad-field"), ('{"x":"1"}', "bad-field"), ('{"x":null}', "bad-field"),
          ('{"":1}', "bad-field"), ('{"a b":1}', "bad-field"), ('{"x":1,"x":"1"}', "bad-field"), ('{"x":true}', "bad-field"),
          ("{" + ",".join(f'"{n}":{n}' for n in range(4_000)) + "}", "ok"))),
    # §1: events
    *(both(f"event {word!r}", f'{{"cmd":"pub","event":"{word}","eventId":"$E","taskId":"$T"}}', "bad-event")
      for word in ("", "INIT", "Start", "start ", " start", "start\\n", "start\\u0000", "started", "cancel",
                   "welcome", "error", "ѕtart", "__proto__", "constructor", "x" * 5_000)),
    # §3: a task or a pattern
    *(v1(f"{cmd} of both", f'{{"cmd":"{cmd}","taskId":"$OPEN","action":"weather"}}', "bad-field") for cmd in ("watch", "unwatch")),
    *(v1(f"{cmd} of neither", f'{{"cmd":"{cmd}","what":"task"}}', "missing-field") for cmd in ("watch", "unwatch")),
    # §3, §4.1: fields that a command does not use, whatever their type
    both("sub with fields of others", '{"cmd":"sub","action":"weather:x","taskId":[],"event":{},"eventId":0,"payload":1,"what":0,"from":"x","settle":1}', "ok"),
    Case("unsub with options of sub", '{"cmd":"unsub","action":"weather:x","group":"x","lazyPayload":"x"}', "ok", "bad-command"),
    init("init with fields of others", _init(update="[]", result="{}", reason="null", what="[]", group="7", **{"from": '"x"'}), "init"),
    both("start with options of init", '{"cmd":"pub","event":"start","eventId":"$E","taskId":"nowhere","startTimeout":"x","action":7,"claim":"x"}', "unknown-task"),
]  # fmt: skip
