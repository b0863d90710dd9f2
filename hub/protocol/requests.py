"""Bodies of HTTP requests, read by the rules of frames (docs/protocol.md §4.1, §4.2, §7).

Values stay as they came: a payload is checked to be JSON and passed on byte for byte.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hub.core.errors import Code, Rejection
from hub.core.values import Body, Expect, Settle
from hub.protocol import frames
from hub.protocol.frames import Rules

_VALUE: Final = msgspec.json.Decoder(Raw)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


class NewTaskRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``POST tasks/``: the fields of an ``init`` (§4.1, §4.2); those not named are ignored."""

    task_id: str | UnsetType = UNSET
    action: str | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    start_timeout: int | UnsetType = UNSET
    end_timeout: int | UnsetType = UNSET
    expect: Expect | UnsetType = UNSET
    settle: Settle | UnsetType = UNSET
    claim: bool | UnsetType = UNSET


class ReasonRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``POST tasks/<id>/cancel/``: why, if anything is to be said."""

    reason: Raw | UnsetType = UNSET


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """A task to be published, as far as its words go. None: not said."""

    task_id: str | None
    action: str
    payload: Body
    start_timeout: int | None
    end_timeout: int | None
    expect: Expect | None
    settle: Settle | None
    claim: bool


_NEW_TASK: Final = msgspec.json.Decoder(NewTaskRequest)
_REASON: Final = msgspec.json.Decoder(ReasonRequest)


def read_publish(data: bytes, rules: Rules) -> Publish:
    """The task that is to be published. Raises Rejection."""
    request: NewTaskRequest = _read(data, _NEW_TASK, rules)
    task_id = None if request.task_id is UNSET else frames.required_id(request.task_id, "taskId")
    return Publish(
        task_id=task_id,
        action=frames.action(request.action, rules),
        payload=frames.body(request.payload, "payload"),
        start_timeout=frames.timeout(
            request.start_timeout, "startTimeout", rules.max_start_timeout
        ),
        end_timeout=frames.timeout(request.end_timeout, "endTimeout", rules.max_end_timeout),
        expect=None if request.expect is UNSET else request.expect,
        settle=None if request.settle is UNSET else request.settle,
        claim=request.claim is True,
    )


def read_reason(data: bytes, rules: Rules) -> Body | None:
    """The reason in the body, if there is one; no body is none. Raises Rejection."""
    if not data:
        return None
    request: ReasonRequest = _read(data, _REASON, rules)
    return frames.optional_body(request.reason)


def _read(data: bytes, reader: msgspec.json.Decoder[Any], rules: Rules) -> Any:
    text = _text_of(data)
    suspect = text.count("[") + text.count("{") > rules.max_nesting
    if suspect and frames.depth(text) > rules.max_nesting:
        raise Rejection(
            Code.BAD_JSON,
            f"The body is nested deeper than {rules.max_nesting} levels.",
            limit="max_nesting",
        )
    try:
        return reader.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise _why_not(text, reader) from None


def _text_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"The body is not UTF-8: no character begins at byte {error.start}."
        raise Rejection(Code.BAD_JSON, message) from None


def _why_not(text: str, reader: msgspec.json.Decoder[Any]) -> Rejection:
    """What is wrong with a body that the reader refused as a whole."""
    try:
        _VALUE.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        # The parser's words name a rule and a place, never the content.
        return Rejection(Code.BAD_JSON, f"The body is not valid JSON: {error}.")
    if not text.lstrip(" \t\r\n").startswith("{"):
        return Rejection(Code.BAD_FIELD, "The body is JSON, but not an object; send an object.")
    return _ill_typed(_MEMBERS.decode(text), reader)


def _ill_typed(members: Mapping[str, Raw], reader: msgspec.json.Decoder[Any]) -> Rejection:
    for field in reader.type.__struct_encode_fields__:
        if field in members:
            try:
                reader.decode(msgspec.json.encode({field: members[field]}))
            except msgspec.ValidationError:
                return frames.wrong(field)
    return Rejection(Code.BAD_JSON, "The body could not be read; send an object of the fields.")
