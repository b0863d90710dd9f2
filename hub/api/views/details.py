"""``tasks/<id>/``: one task, its bodies, what may be done to it."""

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from hub import services
from hub.api.bodies import read_bodies, wanted_bodies, with_bodies
from hub.api.callers import CANCEL_TASK, PUBLISH_TASK, VIEW_PAYLOAD, VIEW_TASK, Caller, caller_of
from hub.api.events import read_events, sees_bodies
from hub.api.media import JSON, body_of, rules
from hub.api.permissions import require
from hub.api.problems import Refused, bad_field, unknown_task
from hub.api.queries import PAGE, EventsQuery, IncludeQuery, NoQuery, read_query
from hub.api.schema import answers
from hub.api.serializers import (
    CancelSerializer,
    EventPageSerializer,
    EventSerializer,
    TaskDetailSerializer,
)
from hub.api.threads import threaded
from hub.api.views.base import ApiView, json_response, page_response
from hub.core.errors import Code
from hub.core.values import TaskState
from hub.protocol.requests import read_reason
from hub.selectors import tasks
from hub.selectors.bodies import body_chunks, settled_seq
from hub.selectors.tasks import TaskRow

#: Bodies of a single task that are told unless something else is asked for.
OUTCOME: Final = ("result", "reason")


def find(caller: Caller, task_id: str) -> TaskRow:
    """The task, if the caller may know of it. Raises Refused: unknown-task."""
    found = tasks.task_find(task_id, viewer=caller.viewer)
    if found is None:
        raise unknown_task()
    return found


def location(request: Request, task_id: str) -> str:
    """The address of a task."""
    return request.build_absolute_uri(reverse("api:task", args=[task_id]))


def task_document(request: Request, task_id: str, include: Collection[str] | None = None) -> Any:
    """A task as it stands. Raises Refused: unknown-task."""
    caller = caller_of(request)
    row = find(caller, task_id)
    _, bodies = read_bodies([row], wanted_bodies(include, caller, OUTCOME))
    context = {"participants": tasks.task_participants(row.key, body_limit=0)}
    told = TaskDetailSerializer(row, context=context).data
    return {**told, **bodies.get(row.key, {})}


class TaskDetail(ApiView):
    """One task."""

    needs = {"GET": (VIEW_TASK,)}

    @extend_schema(
        operation_id="tasks_read",
        summary="One task with its participants",
        description="With its result or reason, unless `include` says otherwise.",
        parameters=[IncludeQuery],
        responses=answers({200: TaskDetailSerializer}, 404),
    )
    def get(self, request: Request, task_id: str) -> HttpResponse:
        """The task as it stands."""
        query = read_query(request, IncludeQuery)
        return json_response(task_document(request, task_id, query.get("include")))


class _TaskBody(ApiView):
    needs = {"GET": (VIEW_TASK,)}

    def stream(self, request: Request, task_id: str) -> HttpResponseBase:
        """The stored bytes, a piece at a time. Raises Refused."""
        read_query(request, NoQuery)
        caller = caller_of(request)
        require(caller, VIEW_PAYLOAD)
        row = find(caller, task_id)
        seq = self.seq_of(row)
        return StreamingHttpResponse(_pieces(row.key, seq), content_type=JSON)

    def seq_of(self, row: TaskRow) -> int:
        """The event whose body is asked for. Raises Refused."""
        raise NotImplementedError


async def _pieces(key: int, seq: int) -> AsyncIterator[bytes]:
    pieces = body_chunks(key, seq)
    while (piece := await threaded(lambda: next(pieces, None))) is not None:
        yield piece.encode()


class TaskPayload(_TaskBody):
    """The payload of a task."""

    @extend_schema(
        operation_id="tasks_payload",
        summary="The payload, byte for byte as it was received",
        responses=answers({(200, JSON): OpenApiTypes.ANY}, 404),
    )
    def get(self, request: Request, task_id: str) -> HttpResponseBase:
        """The stored bytes."""
        return self.stream(request, task_id)

    def seq_of(self, row: TaskRow) -> int:  # noqa: ARG002
        """The init's."""
        return 1


class TaskResult(_TaskBody):
    """The result of a task."""

    @extend_schema(
        operation_id="tasks_result",
        summary="The result of a success, byte for byte as it was received",
        responses=answers({(200, JSON): OpenApiTypes.ANY}, 404, 409),
    )
    def get(self, request: Request, task_id: str) -> HttpResponseBase:
        """The stored bytes."""
        return self.stream(request, task_id)

    def seq_of(self, row: TaskRow) -> int:
        """The event that settled it. Raises Refused: illegal-transition."""
        seq = settled_seq(row.key, TaskState.SUCCESS)
        if seq is None:
            raise Refused(
                409, Code.ILLEGAL_TRANSITION, "The task has no result: it has not succeeded."
            )
        return seq


class TaskEvents(ApiView):
    """The events of a task."""

    needs = {"GET": (VIEW_TASK,)}

    @extend_schema(
        operation_id="tasks_events",
        summary="Events of a task in order",
        parameters=[EventsQuery],
        responses=answers({200: EventPageSerializer}, 404),
    )
    def get(self, request: Request, task_id: str) -> HttpResponse:
        """A page of events."""
        caller, query = caller_of(request), read_query(request, EventsQuery)
        row = find(caller, task_id)
        events, bodies, more = read_events(
            row.key, query["from"], query.get("limit", PAGE), bodies=sees_bodies(caller)
        )
        told: Any = EventSerializer(events, many=True).data
        told = with_bodies(told, [event.seq for event in events], bodies)
        following = {"from": str(events[-1].seq + 1)} if more and events else None
        return page_response(request, {"events": told}, following)


class TaskCancel(ApiView):
    """Cancelling."""

    needs = {"POST": (VIEW_TASK, CANCEL_TASK)}

    @extend_schema(
        operation_id="tasks_cancel",
        summary="Cancel a task",
        description="By its publisher, or staff. It fails with the reason `cancelled`.",
        request=CancelSerializer,
        responses=answers({200: TaskDetailSerializer}, 404, 409, 413, 415, 503),
    )
    def post(self, request: Request, task_id: str) -> HttpResponse:
        """Cancel, and tell the task as it then stands."""
        read_query(request, NoQuery)
        caller = caller_of(request)
        row = find(caller, task_id)
        reason = read_reason(body_of(request), rules())
        services.task_cancel(task_id=row.task_id, by=caller.by, reason=reason)
        return json_response(task_document(request, task_id))


class TaskAgain(ApiView):
    """Publishing again."""

    needs = {"POST": (VIEW_TASK, PUBLISH_TASK)}

    @extend_schema(
        operation_id="tasks_again",
        summary="Publish a task again",
        description=(
            "A new task with the same content: a client's in its own name, if it may publish the "
            "action; staff's in the name of the first publisher. Sent twice, it publishes twice."
        ),
        request=None,
        responses=answers({201: TaskDetailSerializer}, 404, 409, 413, 415, 503),
    )
    def post(self, request: Request, task_id: str) -> HttpResponse:
        """Publish again, and tell the new task."""
        read_query(request, NoQuery)
        if "Idempotency-Key" in request.headers:
            raise bad_field('"Idempotency-Key" is taken by POST tasks/ only; leave it out here.')
        caller = caller_of(request)
        row = find(caller, task_id)
        new = services.task_publish_again(task_id=row.task_id, by=caller.by)
        response = json_response(task_document(request, new), status=201)
        response["Location"] = location(request, new)
        return response
