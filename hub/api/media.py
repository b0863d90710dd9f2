"""JSON out, with bodies spliced in as they were received; JSON in, left as it came."""

from typing import Any, Final

import msgspec
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from hub.api.problems import Refused
from hub.conf import hub_settings
from hub.core.errors import Code
from hub.core.values import Body
from hub.protocol.frames import Rules, rules_of

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"


def raw(body: Body) -> msgspec.Raw:
    """A body as a value of a document: its bytes leave as they came (docs/protocol.md §4.1)."""
    return msgspec.Raw(body.encode())


class JsonRenderer(BaseRenderer):
    """Dictionaries, lists and ``msgspec.Raw`` to JSON."""

    media_type = JSON
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002
        renderer_context: Any = None,  # noqa: ARG002
    ) -> bytes:
        """Part of BaseRenderer."""
        return b"" if data is None else msgspec.json.encode(data)


class EventStreamRenderer(JsonRenderer):
    """Lets ``Accept: text/event-stream`` through; the stream renders itself."""

    media_type = EVENT_STREAM
    format = "event-stream"


class JsonParser(BaseParser):
    """Says that JSON is taken. What is in it is read by ``body_of``, byte for byte."""

    media_type = JSON

    def parse(
        self,
        stream: Any,  # noqa: ARG002
        media_type: Any = None,  # noqa: ARG002
        parser_context: Any = None,  # noqa: ARG002
    ) -> Any:
        """Part of BaseParser. Reads nothing: the check of the CSRF token asks for this first."""
        return {}


def body_of(request: Request) -> bytes:
    """The body of a request, JSON or empty. Raises Refused.

    Not by ``request.data``: REST framework takes a body that comes in chunks, without a length,
    for none.
    """
    limit = hub_settings().limits.max_frame_bytes
    data: bytes = request.read(limit + 1)
    if len(data) > limit:
        raise Refused(413, Code.TOO_BIG, f"The body is longer than {limit} bytes.")
    kind = str(request.content_type or "").partition(";")[0].strip().lower()
    if data and kind != JSON:
        raise Refused(415, "bad-media-type", f"Send the body as {JSON}.")
    return data


def rules() -> Rules:
    """What the settings say about bodies, as about frames."""
    settings = hub_settings()
    return rules_of(settings.limits, strict_actions=settings.action_grammar == "strict")
