"""Commands of this process as frames, and the answers to them read (docs/protocol.md §3).

What people and programs without a socket do takes the way of every frame; here its words are made.
"""

from typing import Final

import msgspec
from msgspec import Raw

from hub.core.errors import Code, Rejection
from hub.core.values import Body, EventKind, Expect, Settle
from hub.protocol.frames import is_id

#: The ``id`` of the one command that such a connection sends at a time.
ASKED: Final = "c"

_VALUE: Final = msgspec.json.Decoder(Raw)
_to_json = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What matters of one message of the hub."""

    status: str
    id: str | None = None
    event: str | None = None
    task_id: str | None = None
    #: of an error
    code: str | None = None
    message: str | None = None
    retry: bool = False

    def ends(self, task_id: str) -> bool:
        """Whether it tells the end of this task."""
        return self.event == "end" and self.task_id == task_id and self.status == "ok"

    def check(self) -> None:
        """Raises Rejection, if it is an error."""
        if self.status == "error":
            raise Rejection(Code(self.code or ""), self.message or "", retry=self.retry)


read: Final = msgspec.json.Decoder(Answer).decode


def init(
    *,
    task_id: str,
    event_id: str,
    action: str,
    payload: Body,
    start_timeout: int | None = None,
    end_timeout: int | None = None,
    expect: Expect | None = None,
    settle: Settle | None = None,
    claim: bool = False,
) -> str:
    """``pub`` of an init; None: the hub's default. Raises Rejection."""
    options = {
        "startTimeout": start_timeout,
        "endTimeout": end_timeout,
        "expect": expect,
        "settle": settle,
        "claim": claim or None,
    }
    return _frame(
        {
            "cmd": "pub",
            "id": ASKED,
            "event": EventKind.INIT,
            "eventId": event_id,
            "taskId": task_id,
            "action": action,
            "payload": _checked(payload, "payload"),
            **{name: value for name, value in options.items() if value is not None},
        }
    )


def cancel(task_id: str, reason: Body | None) -> str:
    """``cancel`` by the publisher. Raises Rejection."""
    frame: dict[str, object] = {"cmd": "cancel", "id": ASKED, "taskId": task_id}
    if reason is not None:
        frame["reason"] = _checked(reason, "reason")
    return _frame(frame)


def watch(task_id: str, from_seq: int) -> str:
    """``watch`` of one task."""
    return _frame({"cmd": "watch", "id": ASKED, "taskId": task_id, "from": from_seq})


def check_reason(reason: Body | None) -> None:
    """Raises Rejection, unless it is JSON or none at all."""
    if reason is not None:
        _checked(reason, "reason")


def is_task_id(text: str) -> bool:
    """Whether a task may be called so (§7)."""
    return is_id(text) is not None


def _checked(body: Body, field: str) -> Raw:
    """One JSON value and nothing behind it: a frame takes it as it is."""
    try:
        return _VALUE.decode(body)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise Rejection(Code.BAD_JSON, f'"{field}" is not JSON; send one JSON value.') from None


def _frame(fields: dict[str, object]) -> str:
    try:
        return _to_json(fields).decode()
    except UnicodeEncodeError:
        raise Rejection(Code.BAD_JSON, "A field is not Unicode text; send it as UTF-8.") from None
    except OverflowError:
        raise Rejection(Code.BAD_FIELD, "A number is too large; a timeout is in ms.") from None
