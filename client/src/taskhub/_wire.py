"""The frames of taskhub.v1 as this client needs them; nobody else here knows JSON."""

import os
import re
from typing import Any, Final

import msgspec

from taskhub._errors import Refused, refusal

SUBPROTOCOL: Final = "taskhub.v1"

#: The id at the beginning of a command, in the error about one the hub could not read.
_ID_OF_UNREADABLE: Final = re.compile(r'"id":"([0-9a-f]{32})"')

#: What `get` can ask for.
READABLE: Final = ("payload", "result", "task", "events")

#: The field that holds an event's value, for those that have one (docs/protocol.md §4.1, §4.3).
_VALUE_FIELD: Final = {
    "init": "payload",
    "update": "update",
    "drop": "reason",
    "success": "result",
    "fail": "reason",
}


#: What can happen to a task, in the order of its life.
EVENT_KINDS: Final = ("init", "start", "update", "drop", "success", "fail", "end")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a task."""

    #: init, start, update, drop, success, fail or end.
    kind: str
    task_id: str
    event_id: str
    #: Its place among the events of its task: 1, 2, 3 …
    seq: int
    #: When it was stored, milliseconds since 1970.
    at: int
    #: The client it came from, or `hub`.
    by: str
    #: The task's action; None where this connection has not seen the task's init.
    action: str | None
    #: The payload, update, result or reason; None for a start and an end.
    value: Any
    #: Of a drop that was sent as a fail or success and did not settle the task (§5.3): which.
    outcome: str | None = None
    #: Of an init whose payload was kept back as too large (§4.5): its size in bytes.
    payload_size: int | None = None
    #: Of an init: when the hub lets the task fail, milliseconds since 1970.
    end_deadline: int | None = None


class Message(msgspec.Struct, kw_only=True, rename="camel", gc=False):
    """Any message of the hub: a reply, an error, an event, or several of these at once."""

    status: str
    type: str | None = None
    id: str | None = None
    event: str | None = None
    event_id: str | None = None
    task_id: str | None = None
    seq: int = 0
    at: int = 0
    by: str = ""
    action: str | None = None
    payload: Any = None
    payload_size: int | None = None
    end_deadline: int | None = None
    update: Any = None
    result: Any = None
    reason: Any = None
    outcome: str | None = None
    task: Any = None
    events: list["Message"] | None = None
    session: str = ""
    epoch: str = ""
    limits: dict[str, Any] | None = None
    now: int = 0
    resumed: bool = False
    request: str = ""
    code: str | None = None
    message: str = ""
    error: str | None = None
    retry: bool = False

    @property
    def answers(self) -> str | None:
        """The id of the command it answers, if it is an answer."""
        # An event of this client has one id for both: a hub need not echo the command's.
        if self.id or self.event_id or self.status != "error":
            return self.id or self.event_id
        # What the hub could not read, it quotes: every command begins with its cmd and id.
        found = _ID_OF_UNREADABLE.search(self.request[:200])
        return found and found[1]

    def as_event(self, action: str | None) -> Event:
        """The event it tells of; `action` is used where the message does not name it."""
        kind = self.event or ""
        field = _VALUE_FIELD.get("success" if self.outcome == "success" else kind)
        return Event(
            kind=kind,
            task_id=self.task_id or "",
            event_id=self.event_id or "",
            seq=self.seq,
            at=self.at,
            by=self.by,
            action=self.action or action,
            value=None if field is None else getattr(self, field),
            outcome=self.outcome,
            payload_size=self.payload_size,
            end_deadline=self.end_deadline,
        )

    def as_refusal(self, action: str | None = None) -> Refused:
        """The error it is, about a command for this action."""
        code = self.code or self.error or "unknown"
        return refusal(code, self.message, retry=self.retry, action=action)

    def limit(self, name: str) -> int | None:
        """A limit of the welcome by its name in the hub's settings, or in camel case."""
        head, *rest = name.split("_")
        limits = self.limits or {}
        value = limits.get(name, limits.get(head + "".join(map(str.capitalize, rest))))
        return value if isinstance(value, int) else None


_decoder: Final = msgspec.json.Decoder(Message)


def message_decode(frame: str | bytes) -> Message:
    """One message. Raises msgspec.DecodeError when it is none of this protocol."""
    return _decoder.decode(frame)


def command_encode(command: dict[str, Any]) -> bytes:
    """One command as a text frame. Raises what msgspec raises for values it cannot encode."""
    return msgspec.json.encode(command)


def new_id() -> str:
    """An id no other client will choose, for tasks, events and commands."""
    return os.urandom(16).hex()


def event_command(kind: str, task_id: str, **fields: Any) -> dict[str, Any]:
    """A `pub` of one event. The command has the event's id, see `Message.answers`."""
    event_id = new_id()
    return {
        "cmd": "pub",
        "id": event_id,
        "event": kind,
        "eventId": event_id,
        "taskId": task_id,
        **fields,
    }


def command(cmd: str, **fields: Any) -> dict[str, Any]:
    """Any other command; a field that is None is left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {"cmd": cmd, "id": new_id(), **given}
