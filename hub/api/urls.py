"""Addresses of the API."""

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.urls.converters import StringConverter

from hub.api.views import details, figures, people, schema, stream, tasks
from hub.api.views.base import Nowhere


class TaskIdConverter(StringConverter):
    """A ``taskId`` (docs/protocol.md §7)."""

    regex = r"[A-Za-z0-9._:-]{1,64}"


register_converter(TaskIdConverter, "task_id")

_v1 = [
    path("tasks/", tasks.TaskList.as_view(), name="tasks"),
    path("tasks/<task_id:task_id>/", details.TaskDetail.as_view(), name="task"),
    path("tasks/<task_id:task_id>/payload/", details.TaskPayload.as_view(), name="payload"),
    path("tasks/<task_id:task_id>/result/", details.TaskResult.as_view(), name="result"),
    path("tasks/<task_id:task_id>/events/", details.TaskEvents.as_view(), name="events"),
    path("tasks/<task_id:task_id>/events/stream/", stream.TaskStream.as_view(), name="stream"),
    path("tasks/<task_id:task_id>/cancel/", details.TaskCancel.as_view(), name="cancel"),
    path("tasks/<task_id:task_id>/again/", details.TaskAgain.as_view(), name="again"),
    path("actions/", figures.ActionList.as_view(), name="actions"),
    path("actions/<path:action>/", figures.ActionDetail.as_view(), name="action"),
    path("stats/", figures.Stats.as_view(), name="stats"),
    path("clients/", people.ClientList.as_view(), name="clients"),
    path("connections/", people.ConnectionList.as_view(), name="connections"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include((_v1, "api"))),
    path("schema/", schema.schema, name="api-schema"),
    path("asyncapi.json", schema.socket_schema, name="socket-schema"),
    path("docs/", schema.docs, name="api-docs"),
    re_path(r"", Nowhere.as_view()),
]
