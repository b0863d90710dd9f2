"""``tasks/``: lists of tasks, and publishing."""

import time
from typing import Any, Final

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from hub import services
from hub.api.bodies import read_bodies, wanted_bodies, with_bodies
from hub.api.callers import PUBLISH_TASK, VIEW_PAYLOAD, VIEW_TASK, caller_of
from hub.api.cursors import cursor_of
from hub.api.idempotency import ids_of
from hub.api.media import body_of, rules
from hub.api.permissions import require
from hub.api.queries import PAGE, TaskQuery, WaitQuery, read_query, task_filter
from hub.api.schema import answers
from hub.api.serializers import (
    NewTaskSerializer,
    TaskDetailSerializer,
    TaskPageSerializer,
    TaskSerializer,
    iso,
)
from hub.api.views.base import ApiView, json_response, page_response
from hub.api.views.details import location, task_document
from hub.api.waiting import Wait, wait_of
from hub.core.access import Access
from hub.protocol.requests import read_publish
from hub.selectors import tasks
from hub.services import NewTask, Published

_ONLY_CLIENTS: Final = (
    "A task is published by a client: send its name and key. A session may publish again."
)

_EXAMPLE: Final = {"action": "email:send", "payload": {"to": "ada@example.org"}}


class TaskList(ApiView):
    """Tasks, newest first; and new ones."""

    needs = {"GET": (VIEW_TASK,), "POST": (PUBLISH_TASK,)}

    @extend_schema(
        operation_id="tasks_list",
        summary="Tasks, newest first",
        description=(
            "Those that the caller may know of, in pages. A page looks at a bounded number of "
            "tasks and may end early, even empty: follow `next` until it is null."
        ),
        parameters=[TaskQuery],
        responses=answers({200: TaskPageSerializer}),
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of tasks."""
        caller, query = caller_of(request), read_query(request, TaskQuery)
        names = wanted_bodies(query.get("include"), caller)
        if "reason" in query:  # or who may not read them could guess them, letter by letter
            require(caller, VIEW_PAYLOAD)
        page = tasks.task_page(
            task_filter(query),
            viewer=caller.viewer,
            before=query.get("cursor"),
            limit=query.get("limit", PAGE),
        )
        fitting, bodies = read_bodies(page.tasks, names)
        shown, after = page.tasks[:fitting], page.next
        cut = fitting < len(page.tasks)
        if cut:
            after = shown[-1].key
        told: Any = TaskSerializer(shown, many=True).data
        told = with_bodies(told, [task.key for task in shown], bodies)
        searched_to = None if cut or page.searched_to is None else iso(page.searched_to)
        data = {"tasks": told, "searchedTo": searched_to}
        return page_response(request, data, {"cursor": cursor_of(after)} if after else None)

    @extend_schema(
        operation_id="tasks_publish",
        summary="Publish a task",
        description=(
            "As an `init` on a socket: same options, same rules, same journal. Without `wait`, or "
            "with one in which the task did end: 201, or 200 for a repeat. 202: not ended yet; "
            "`Location` says where to ask."
        ),
        parameters=[
            WaitQuery,
            OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="`wait=N`"),
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="The same key with the same content publishes once.",
            ),
        ],
        request=NewTaskSerializer,
        examples=[OpenApiExample("A task", value=_EXAMPLE, request_only=True)],
        responses=answers(
            {200: TaskDetailSerializer, 201: TaskDetailSerializer, 202: TaskDetailSerializer},
            409,
            413,
            415,
            503,
        ),
    )
    def post(self, request: Request) -> HttpResponse:
        """Publish, and wait for the end if that is wished."""
        by = caller_of(request).by
        if not isinstance(by, Access):
            raise PermissionDenied(_ONLY_CLIENTS)
        wait = wait_of(request)
        asked = read_publish(body_of(request), rules())
        ids = ids_of(request.headers.get("Idempotency-Key"), by, asked.task_id)
        task = NewTask(
            action=asked.action,
            payload=asked.payload,
            task_id=ids.task_id,
            event_id=ids.event_id,
            start_timeout=asked.start_timeout,
            end_timeout=asked.end_timeout,
            expect=asked.expect,
            settle=asked.settle,
            claim=asked.claim,
        )
        began = time.monotonic()
        published = services.task_publish(access=by, task=task, wait_s=wait.seconds)
        waited = published.ended or time.monotonic() - began >= wait.seconds
        return _told(request, published, wait, waited=waited)


def _told(request: Request, published: Published, wait: Wait, *, waited: bool) -> HttpResponse:
    """``waited``: as long as was wished; a hub with too many who wait answers at once."""
    status = 200 if published.repeated else 201
    if wait.seconds and not published.ended:
        status = 202
    response = json_response(task_document(request, published.task_id), status=status)
    response["Location"] = location(request, published.task_id)
    if wait.preferred and wait.seconds and waited:
        response["Preference-Applied"] = f"wait={wait.seconds}"
    return response
