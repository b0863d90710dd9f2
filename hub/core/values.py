"""The words of the protocol as types (docs/protocol.md §1).

Values are msgspec structs: frozen, and a tenth of the price of a frozen
dataclass to make (docs/adr/0002-values-are-msgspec-structs.md).
"""

from enum import StrEnum

#: A JSON value exactly as it was received; never parsed again, never rounded.
Body = str

#: The name under which the hub itself speaks in ``by``. No client may have it.
HUB = "hub"


class EventKind(StrEnum):
    """What can happen to a task, on the wire (docs/protocol.md §1)."""

    INIT = "init"
    START = "start"
    UPDATE = "update"
    DROP = "drop"
    SUCCESS = "success"
    FAIL = "fail"
    END = "end"


class TaskState(StrEnum):
    """How far a task has come: ``init → start → (success | fail) → end``."""

    INIT = "init"
    START = "start"
    SUCCESS = "success"
    FAIL = "fail"
    END = "end"


class ParticipantState(StrEnum):
    """How far one participant has come with one task."""

    OFFERED = "offered"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DROPPED = "dropped"
    TIMED_OUT = "timed out"
    LOST = "lost"


class Settle(StrEnum):
    """Which participant's word decides the outcome (docs/protocol.md §5.3)."""

    ANY = "any"
    FIRST = "first"
    ALL = "all"


class Expect(StrEnum):
    """Whether a publisher waits for a result or only for delivery (§5.4)."""

    RESULT = "result"
    DELIVERY = "delivery"


#: The field that carries an event's body, for those that have one (§4.1).
BODY_FIELD = {
    EventKind.INIT: "payload",
    EventKind.UPDATE: "update",
    EventKind.SUCCESS: "result",
    EventKind.FAIL: "reason",
}


class Token(str):
    """A secret in a string, or a text that holds one: never shown by ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"
