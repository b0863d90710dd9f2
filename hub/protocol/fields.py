"""The fields of the wire as types, for ``commands.py`` and ``messages.py``.

A field's schema is a name, which ``schemas`` explains. msgspec checks nothing of it: frames are
checked by hand in ``frames.py``, which knows what to answer. tests/protocol/test_asyncapi.py
holds the two together.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Raw

from hub.core.access import ACTION_GRAMMAR, NAME_LENGTH, PATTERN_GRAMMAR
from hub.core.errors import ERROR_CLASS
from hub.core.values import TaskState

#: a taskId or eventId (§7)
ID_GRAMMAR: Final = "[A-Za-z0-9._:-]{1,64}"
#: a client's name; ``by`` may also be ``hub`` (§7)
CLIENT_GRAMMAR: Final = "[A-Za-z0-9._-]{1,64}"
#: characters of a v1 ``id``
COMMAND_ID_LENGTH: Final = 128
#: tasks that one ``resume`` may name
RESUMED_TASKS: Final = 10_000
#: the largest integer that every JSON implementation holds exactly; no seq or size comes near
LARGEST_INTEGER: Final = 2**53 - 1
#: characters of a frame that an error message shows (§7)
REQUEST_LENGTH: Final = 1024
#: events that one ``get`` answers with (§3)
LISTED_EVENTS: Final = 1_000

REFERENCE: Final = "#/components/schemas/"


def _as(name: str) -> Meta:
    return Meta(extra_json_schema={"$ref": REFERENCE + name})


Id = Annotated[str, _as("Id")]
CommandId = Annotated[str, _as("CommandId")]
Action = Annotated[str, _as("Action")]
Pattern = Annotated[str, _as("Pattern")]
ToldName = Annotated[str, _as("ToldName")]
ClientName = Annotated[str, _as("ClientName")]
Json = Annotated[Raw, _as("Json")]
Seq = Annotated[int, _as("Seq")]
SeenSeqs = Annotated[dict[str, int], _as("SeenSeqs")]
Size = Annotated[int, _as("Size")]
Time = Annotated[int, _as("Time")]
StartTimeout = Annotated[int, _as("StartTimeout")]
EndTimeout = Annotated[int, _as("EndTimeout")]
ToldTimeout = Annotated[int, _as("ToldTimeout")]
ErrorClass = Annotated[str, _as("ErrorClass")]
Request = Annotated[str, _as("Request")]
CloseCode = Annotated[int, _as("CloseCode")]
StoredEvents = Annotated[Raw, _as("StoredEvents")]
Outcome = Annotated[TaskState | None, _as("Outcome")]
Yes = Annotated[bool, Meta(extra_json_schema={"enum": [True]})]
Nothing = Annotated[str, Meta(extra_json_schema={"enum": [""]})]


def schemas(
    *, strict_actions: bool, max_start_timeout: int, max_end_timeout: int
) -> dict[str, Any]:
    """What the names above stand for, as JSON Schema (draft 7, as AsyncAPI 3.0 has it).

    The arguments are those of ``hub.protocol.frames.Rules``.
    """
    told = _text("An action or a pattern, as it was sent.", minLength=1, maxLength=NAME_LENGTH)
    action, pattern = dict(told), dict(told)
    if strict_actions:
        action |= {"pattern": f"^{ACTION_GRAMMAR}$"}
        pattern |= {"pattern": f"^{PATTERN_GRAMMAR}$"}
    else:  # not every database stores a NUL in text
        action |= {"pattern": r"^[^\u0000]*$"}
        pattern |= {"pattern": r"^[^\u0000]*$"}
    return {
        "Id": _text(
            "A taskId or eventId; who makes the task or event chooses it (§7).",
            pattern=f"^{ID_GRAMMAR}$",
        ),
        "CommandId": _text(
            "Chosen by the client; the message that answers the command carries it too (§3).",
            maxLength=COMMAND_ID_LENGTH,
        ),
        "Action": action | {"description": "What kind of work a task is (§1)."},
        "Pattern": pattern
        | {"description": "An action, a noun with everything below it, or * for everything (§1)."},
        "ToldName": told,
        "ClientName": _text("Of a client, or hub.", pattern=f"^{CLIENT_GRAMMAR}$"),
        "Json": {"description": "Any JSON value, null included; passed on byte for byte (§4.1)."},
        "Seq": _whole("The number of an event within its task, from 1 without a gap (§4.3).", 1),
        "SeenSeqs": {
            "description": "Of each task the last seq seen; 0 where nothing was seen (§6).",
            "type": "object",
            "propertyNames": {"pattern": f"^{ID_GRAMMAR}$"},
            "maxProperties": RESUMED_TASKS,
            "additionalProperties": _whole("The last seq seen.", 0),
        },
        "Size": _whole("Bytes of UTF-8 (§4.5).", 0),
        "Time": _whole("Milliseconds since the epoch, by the hub's clock (§2.5).", 0),
        "StartTimeout": _whole("Milliseconds (§4.2).", 1, max_start_timeout),
        "EndTimeout": _whole("Milliseconds (§4.2).", 1, max_end_timeout),
        "ToldTimeout": _whole("Milliseconds, as the init had it or the hub's default.", 1),
        "ErrorClass": {
            "description": "The class of an error (§7).",
            "enum": sorted(set(ERROR_CLASS.values())),
        },
        "Outcome": {
            "description": "null while the task is not settled.",
            "enum": [TaskState.SUCCESS, TaskState.FAIL, None],
        },
        "Request": _text(
            f"The frame that was refused, cut at {REQUEST_LENGTH:,} characters.",
            maxLength=REQUEST_LENGTH,
        ),
    }


def _text(description: str, **limits: Any) -> dict[str, Any]:
    return {"description": description, "type": "string", **limits}


def _whole(description: str, least: int, most: int = LARGEST_INTEGER) -> dict[str, Any]:
    """Written without fraction or exponent (§7), which JSON Schema cannot say."""
    return {"description": description, "type": "integer", "minimum": least, "maximum": most}
