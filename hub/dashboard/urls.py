"""The one list of pages; the live socket reads it too."""

from django.urls import path

from hub.dashboard.pages.tasks import TasksPage
from hub.dashboard.views import page_view

app_name = "dashboard"

urlpatterns = [
    path("tasks/", page_view(TasksPage), name="tasks"),
]
