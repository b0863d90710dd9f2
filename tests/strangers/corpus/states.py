"""Commands about tasks that are not there, not one's own, or not in the state for it (§5, §7)."""

import json
from typing import Any

from tests.strangers.corpus.case import FAIL, Case, both, init, v1

BODIES: dict[str, dict[str, Any]] = {
    "start": {}, "update": {"update": 1}, "drop": {}, "success": {"result": 1}, "fail": {"reason": 1},
}  # fmt: skip


def _pub(event: str, task: str, **fields: Any) -> str:
    command = {"cmd": "pub", "event": event, "eventId": "$E", "taskId": task}
    return json.dumps({**command, **BODIES.get(event, {}), **fields})


def _init(task: str, **fields: Any) -> str:
    return _pub("init", task, **{"action": "weather:x", "payload": 1, **fields})


def _each(task: str, answer: str) -> list[Case]:
    return [both(f"{event} of {task}", _pub(event, task), answer) for event in BODIES]


#: For the publisher's client these do not exist, or were never offered to it.
UNKNOWN = ["nowhere", "$OTHERS", "a:b.c_d-e", "0", "A" * 64, "__proto__", "constructor", "hub"]
#: What an end of a client is answered with: nothing changed (D10).
NOTHING = Case("", "", "ok", "silence")

CASES: list[Case] = [
    # §5.5: to others the task does not exist
    *(case for task in UNKNOWN for case in _each(task, "unknown-task")),
    *(v1(f"cancel of {task}", json.dumps({"cmd": "cancel", "taskId": task}), "unknown-task") for task in UNKNOWN),
    *(v1(f"watch of {task}", json.dumps({"cmd": "watch", "taskId": task}), "unknown-task") for task in UNKNOWN),
    *(v1(f"get {what} of {task}", json.dumps({"cmd": "get", "taskId": task, "what": what}), "unknown-task")
      for task in ("nowhere", "$OTHERS") for what in ("payload", "result", "task", "events")),
    *(v1(f"unwatch of {task}", json.dumps({"cmd": "unwatch", "taskId": task}), "ok") for task in UNKNOWN),
    # D10: an end is never an error
    *(NOTHING._replace(name=f"end of {task}", frame=_pub("end", task))
      for task in (*UNKNOWN, "$ENDED", "$SETTLED", "$OPEN", "$CLAIMED", "$LATE")),
    # §5.1: the taskId is taken, by whomever
    *(init(f"init of {task}", _init(task), "duplicate-task")
      for task in ("$OPEN", "$ENDED", "$SETTLED", "$OTHERS", "$CLAIMED", "$LATE")),
    *(init(f"init of {task} of another action", _init(task, action="email:x"), "duplicate-task") for task in ("$OPEN", "$OTHERS")),
    init("init of a foreign action and a taken task", _init("$OTHERS", action="other:x"), "forbidden"),
    # §4.7, D9: the eventId is taken
    init("init with an eventId of another task", _init("$T", eventId="$OPEN_INIT"), "event-conflict"),
    init("init again, of other content", _init("$OPEN", eventId="$OPEN_INIT"), "event-conflict"),
    *(both(f"{event} with the eventId of the init", _pub(event, "$OPEN", eventId="$OPEN_INIT"), "event-conflict") for event in BODIES),
    *(both(f"{event} with an eventId of another task", _pub(event, "$OPEN", eventId="$SETTLED_INIT"), "event-conflict") for event in BODIES),
    init("init with an eventId of an ended task", _init("$T", eventId="$ENDED_INIT"), "event-conflict"),
    # §5.8
    *_each("$ENDED", "task-ended"),
    v1("cancel of an ended task", '{"cmd":"cancel","taskId":"$ENDED"}', "task-ended"),
    # §5.4, D8: settled, and not ended
    v1("cancel of a settled task", '{"cmd":"cancel","taskId":"$SETTLED"}', "illegal-transition"),
    v1("cancel of a settled task, with a reason", '{"cmd":"cancel","taskId":"$SETTLED","reason":{"deep":[1]}}', "illegal-transition"),
    # §5.7, D12
    *_each("$CLAIMED", "claimed"),
    # D3: too late to start, for good
    *_each("$LATE", "illegal-transition"),
    # a participant may not cancel
    v1("cancel of a task of another", '{"cmd":"cancel","taskId":"$CLAIMED"}', "forbidden"),
    v1("cancel of a task of another, too late", '{"cmd":"cancel","taskId":"$LATE"}', "forbidden"),
    # D11
    both("update over the limit of events", _pub("update", "$FULL"), "limit"),
    both("update over the limit, once more", _pub("update", "$FULL", update=2), "limit"),
    # what the hub alone says
    both("a fail in the name of the hub", _pub("fail", "$OTHERS", by="hub", seq=1, at=1), "unknown-task"),
    both("a drop that stands for a success", _pub("drop", "$OTHERS", outcome="success", result=1), "unknown-task"),
    # reads that change nothing
    *(v1(f"get {what} of {task}", json.dumps({"cmd": "get", "taskId": task, "what": what}), "ok")
      for task in ("$OPEN", "$ENDED", "$SETTLED", "$CLAIMED") for what in ("payload", "result", "task", "events")),
    Case("init refused for its timeout, of a taken task", _init("$OTHERS", startTimeout=0), "bad-field", "duplicate-task" + FAIL),
]  # fmt: skip
