"""The one list of pages; the live socket reads it too."""

from django.urls import path

from hub.dashboard import operating
from hub.dashboard.pages.actions import ActionPage, ActionsPage
from hub.dashboard.pages.connections import ConnectionsPage
from hub.dashboard.pages.now import NowPage
from hub.dashboard.pages.task import TaskPage
from hub.dashboard.pages.tasks import TasksPage
from hub.dashboard.views import page_view

app_name = "dashboard"

urlpatterns = [
    path("", page_view(NowPage), name="now"),
    path("tasks/", page_view(TasksPage), name="tasks"),
    path("tasks/<str:task_id>/", page_view(TaskPage), name="task"),
    path("tasks/<str:task_id>/cancel/", operating.cancel, name="cancel"),
    path("tasks/<str:task_id>/again/", operating.again, name="again"),
    path("tasks/<str:task_id>/body/<int:seq>/", operating.body, name="body"),
    path("tasks/<str:task_id>/body/<int:seq>/download/", operating.download, name="download"),
    path("actions/", page_view(ActionsPage), name="actions"),
    path("actions/<path:name>/", page_view(ActionPage), name="action"),
    path("connections/", page_view(ConnectionsPage), name="connections"),
    path("connections/<str:connection>/disconnect/", operating.disconnect, name="disconnect"),
]
