"""``tasks/<id>/events/stream/``: server-sent events."""

import re
import weakref
from typing import Any, Final

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from hub.api.callers import VIEW_TASK, caller_of
from hub.api.media import EVENT_STREAM, EventStreamRenderer, JsonRenderer
from hub.api.problems import bad_field
from hub.api.queries import StreamQuery, read_query
from hub.api.schema import answers
from hub.api.sse import Stream, places
from hub.api.views.base import ApiView
from hub.api.views.details import find
from hub.core.values import TaskState

#: An id of an event, which is its seq.
_ID: Final = r"[0-9]{1,15}"


class TaskStream(ApiView):
    """Events of a task as they happen."""

    needs = {"GET": (VIEW_TASK,)}
    renderer_classes = (EventStreamRenderer, JsonRenderer)

    @extend_schema(
        operation_id="tasks_stream",
        summary="Events of a task: those stored, then those that happen",
        description=(
            "`text/event-stream`: `id` is the seq, `event` its name, `data` the event as in "
            "`events/`. It goes on after `Last-Event-ID`, and ends after the task's end; then 204 "
            "tells a browser to come back no more."
        ),
        parameters=[
            StreamQuery,
            OpenApiParameter(
                "Last-Event-ID",
                {"type": "string", "pattern": f"^{_ID}$"},
                OpenApiParameter.HEADER,
                description="The last seq that was seen.",
            ),
        ],
        responses=answers(
            {
                (200, EVENT_STREAM): OpenApiTypes.STR,
                204: OpenApiResponse(description="The task has ended, and all was seen."),
            },
            404,
        ),
    )
    def get(self, request: Request, task_id: str) -> HttpResponseBase:
        """Begin the stream."""
        caller, query = caller_of(request), read_query(request, StreamQuery)
        from_seq = _after(request.headers.get("Last-Event-ID")) or query["from"]
        row = find(caller, task_id)
        if row.state is TaskState.END and from_seq > row.seq:
            return HttpResponse(status=204)
        give_back = places.take(caller.identity)
        stream = Stream(
            caller=caller,
            task_id=row.task_id,
            key=row.key,
            from_seq=from_seq,
            give_back=give_back,
        )
        response = StreamingHttpResponse(stream.messages(), content_type=EVENT_STREAM)
        response["X-Accel-Buffering"] = "no"  # nginx would keep events until it has a bufferful
        # A reader that is gone before the first byte leaves an iterator that never ran.
        weakref.finalize(response, give_back)
        return response


def _after(last: Any) -> int | None:
    if last is None or last == "":
        return None
    text = str(last)
    if not re.fullmatch(_ID, text):
        raise bad_field('"Last-Event-ID" must be the id of an event of this stream.')
    return int(text) + 1
