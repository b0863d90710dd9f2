"""The hub's own reasons (docs/protocol.md §5.4): ``{"code", "message"}`` as JSON text."""

import json

from hub.core.values import Body

NULL: Body = "null"


def reason(code: str, message: str) -> Body:
    """A reason of the hub."""
    return json.dumps({"code": code, "message": message})


NO_SUBSCRIBER = reason(
    "no-subscriber", "No service subscribed to this action within the start timeout."
)
START_TIMEOUT = reason("start-timeout", "No service started this task within the start timeout.")
END_TIMEOUT = reason("end-timeout", "The task had no outcome within the end timeout.")
SERVICE_LOST = reason("service-lost", "The connection of the service was lost.")
FORBIDDEN = reason("forbidden", "The permission to serve this action was withdrawn.")


def cancelled(by: str, given: Body | None) -> Body:
    """Why a cancelled task failed; ``given`` is what the canceller said, JSON or None."""
    text = reason("cancelled", f"Cancelled by {by}.")
    if given is None:
        return text
    return f'{text[:-1]}, "reason": {given}}}'
