"""What an operator does: each thing asks first, is checked, and says in words what became of it."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from hub.core.errors import Rejection
from hub.dashboard.pages.bodies import title_of
from hub.dashboard.pages.format import size
from hub.dashboard.pages.links import disconnect_url, task_url
from hub.dashboard.pages.tree import tree
from hub.dashboard.views import viewer_of
from hub.selectors.connections import ConnectionRow, connections
from hub.selectors.tasks import TaskRow, task_body, task_events, task_find
from hub.services import Operator, connection_disconnect, task_cancel, task_publish_again

View = Callable[..., HttpResponse]

_LONGEST_REASON = 500


def _needs(*flags: str) -> Callable[[View], View]:
    """Signed in, and allowed all of these (names of flags of ``Viewer``)."""

    def decorate(view: View) -> View:
        @cache_control(private=True, no_cache=True)
        @login_required
        @wraps(view)
        def checked(request: HttpRequest, **arguments: Any) -> HttpResponse:
            viewer = viewer_of(request.user)
            if not all(getattr(viewer, flag) for flag in flags):
                raise PermissionDenied
            return view(request, **arguments)

        return checked

    return decorate


@require_http_methods(["GET", "HEAD", "POST"])
@_needs("view_task", "cancel_task")
def cancel(request: HttpRequest, *, task_id: str) -> HttpResponse:
    """Ask, then cancel a task."""
    if request.method != "POST":
        return _ask_about_task(request, "cancel", _task(task_id))
    given = request.POST.get("reason", "").strip()[:_LONGEST_REASON]
    reason = json.dumps(given) if given else None
    try:
        task_cancel(task_id=task_id, by=_operator(request), reason=reason)
    except Rejection as refused:
        messages.error(request, f"Not cancelled: {refused.message}")
    else:
        messages.success(request, "The task is cancelled.")
    return redirect(task_url(task_id))


@require_http_methods(["GET", "HEAD", "POST"])
@_needs("view_task", "publish_task")
def again(request: HttpRequest, *, task_id: str) -> HttpResponse:
    """Ask, then publish a task again; leads to the new one."""
    if request.method != "POST":
        return _ask_about_task(request, "again", _task(task_id))
    try:
        new = task_publish_again(task_id=task_id, by=_operator(request))
    except Rejection as refused:
        messages.error(request, f"Not published: {refused.message}")
        return redirect(task_url(task_id))
    messages.success(request, f"Published again. This is the new task; the old one is {task_id}.")
    return redirect(task_url(new))


@require_http_methods(["GET", "HEAD", "POST"])
@_needs("view_connection", "disconnect")
def disconnect(request: HttpRequest, *, connection: str) -> HttpResponse:
    """Ask, then close a connection."""
    if request.method != "POST":
        row = _connection(connection)
        context = {"row": row, "url": disconnect_url(connection)}
        return render(request, "dashboard/disconnect.html", context)
    try:
        was_open = connection_disconnect(connection=connection, operator=_operator(request))
    except Rejection as refused:
        messages.error(request, f"Not disconnected: {refused.message}")
    else:
        if was_open:
            messages.success(request, "The connection is closed. Its program may come back.")
        else:
            messages.warning(request, "That connection was closed already.")
    return redirect(reverse("dashboard:connections"))


@require_safe
@_needs("view_task", "view_payload")
def body(request: HttpRequest, *, task_id: str, seq: int) -> HttpResponse:
    """The whole body of one event."""
    task = _task(task_id)
    text = _body(task, seq)
    event = task_events(task.key, from_seq=seq, limit=1, body_limit=0)[0]
    context = {
        "title": f"{title_of(event)} of {task.task_id}",
        "kind": title_of(event),
        "task": task,
        "seq": seq,
        "size": size(len(text.encode())),
        "text": text,
        "tree": tree(text),
        "url": task_url(task_id),
        "download_url": task_url(task_id, "body", str(seq), "download"),
    }
    return render(request, "dashboard/body.html", context)


@require_safe
@_needs("view_task", "view_payload")
def download(request: HttpRequest, *, task_id: str, seq: int) -> HttpResponse:  # noqa: ARG001
    """The same as a file, byte for byte as it was received."""
    answer = HttpResponse(_body(_task(task_id), seq), content_type="application/json")
    disposition = content_disposition_header(as_attachment=True, filename=f"{task_id}-{seq}.json")
    answer["Content-Disposition"] = str(disposition)
    return answer


def _ask_about_task(request: HttpRequest, what: str, task: TaskRow) -> HttpResponse:
    context = {
        "what": what,
        "task": task,
        "viewer": viewer_of(request.user),
        "url": task_url(task.task_id),
        f"{what}_url": task_url(task.task_id, what),
    }
    return render(request, "dashboard/ask.html", context)


def _operator(request: HttpRequest) -> Operator:
    return Operator(name=request.user.get_username())


def _task(task_id: str) -> TaskRow:
    found = task_find(task_id)
    if found is None:
        raise Http404
    return found


def _body(task: TaskRow, seq: int) -> str:
    text = task_body(task.key, seq)
    if text is None:
        raise Http404
    return text


def _connection(name: str) -> ConnectionRow:
    found = next((one for one in connections() if one.connection == name), None)
    if found is None:
        raise Http404
    return found
