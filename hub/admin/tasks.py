"""Tasks in the admin: to look at, to cancel, to publish again.

Lists cost the same whatever the size of the history: they are of its newest part, and nothing is
counted to its end.
"""
# Django calls these hooks with arguments we do not all need:
# ruff: noqa: ARG002

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.html import format_html

from hub import services
from hub.admin.common import LookOnly, do_each, operator_of, when
from hub.clock_and_ids import system_time
from hub.models import Participation, Task, TaskEvent
from hub.selectors import again

#: The newest tasks that a list without a search is of.
NEWEST = 100_000
#: Rows that a list has at most, over all its pages.
LISTED = 10_000
#: Events and participants on the page of a task.
SHOWN = 100
#: Characters of a payload, result or reason on that page.
BODY_LENGTH = 2_000
#: Characters of it that are shown in a line.
LINE_LENGTH = 60

if TYPE_CHECKING:  # generic in the stubs alone
    TaskPages = admin.ModelAdmin[Task]
    Tasks = QuerySet[Task]
    Pages = Paginator[Any]
else:
    TaskPages = admin.ModelAdmin
    Tasks = QuerySet
    Pages = Paginator


class BoundedPaginator(Pages):
    """Counts no further than it lists."""

    @cached_property
    def count(self) -> int:
        return int(self.object_list.values("pk")[:LISTED].count())  # type: ignore[attr-defined]


class AgeFilter(admin.SimpleListFilter):
    """How long ago a task was published."""

    title = "published"
    parameter_name = "age"
    MINUTES: ClassVar = {"15": "15 minutes", "60": "hour", "1440": "day", "10080": "7 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(minutes, f"In the last {name}") for minutes, name in self.MINUTES.items()]

    def queryset(self, request: HttpRequest, queryset: Tasks) -> Tasks:
        if self.value() not in self.MINUTES:
            return queryset
        return queryset.filter(created_at__gte=system_time() - int(str(self.value())) * 60_000)


@admin.register(Task)
class TaskAdmin(LookOnly, TaskPages):
    change_form_template = "admin/hub/task/change_form.html"
    list_display = ["task_id", "action", "publisher", "state", "outcome", "created", "ended"]
    list_filter = [AgeFilter, "state", "outcome"]
    search_fields = ["task_id"]
    search_help_text = (
        "The beginning of a task's id, exactly as it is. Without one the list is of the newest "
        f"{NEWEST:,} tasks, and of {LISTED:,} of those at most; the dashboard searches further."
    )
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    list_per_page = 50
    actions = ["cancel", "publish_again"]
    fields = ["task_id", "action", "publisher", "state", "outcome", "created", "started"]
    fields += ["settled", "ended", "starts_until", "ends_until", "settle", "expect", "claim"]
    fields += ["published_again"]

    def get_search_results(
        self, request: HttpRequest, queryset: Tasks, search_term: str
    ) -> tuple[Tasks, bool]:
        term = search_term.strip()
        return (_beginning(queryset, term) if term else _newest(queryset)), False

    @admin.display
    def created(self, task: Task) -> str:
        return when(task.created_at)

    @admin.display
    def started(self, task: Task) -> str:
        return when(task.started_at)

    @admin.display
    def settled(self, task: Task) -> str:
        return when(task.settled_at)

    @admin.display
    def ended(self, task: Task) -> str:
        return when(task.ended_at)

    @admin.display(description="starts until")
    def starts_until(self, task: Task) -> str:
        return when(task.start_deadline)

    @admin.display(description="ends until")
    def ends_until(self, task: Task) -> str:
        return when(task.end_deadline)

    @admin.display(description="published again")
    def published_again(self, task: Task) -> str:
        """From which one, and as which ones."""
        first, later = again.again_of(task.task_id), again.again_as(task.task_id)
        found = [f"from {first.of} by {first.by}"] if first else []
        found += [f"as {row.task_id} by {row.by}" for row in later]
        return ", ".join(found) or "no"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        task = self.get_object(request, object_id)
        context = {} if task is None else _parts_of(task, request.user.has_perm("hub.view_payload"))
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **context}
        )

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hub.cancel_task")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hub.publish_task")

    @admin.action(permissions=["cancel"], description="Cancel selected tasks")
    def cancel(self, request: HttpRequest, queryset: Tasks) -> None:
        operator = operator_of(request)

        def cancel(task: Task) -> str:
            services.task_cancel(task_id=task.task_id, by=operator)
            return format_html("{}", task.task_id)

        self._do(request, queryset, cancel, "Cancelled")

    @admin.action(permissions=["publish"], description="Publish selected tasks again")
    def publish_again(self, request: HttpRequest, queryset: Tasks) -> None:
        operator = operator_of(request)

        def publish(task: Task) -> str:
            new = services.task_publish_again(task_id=task.task_id, by=operator)
            return format_html('{} as <a href="{}">{}</a>', task.task_id, _dashboard_url(new), new)

        self._do(request, queryset, publish, "Published again")

    def _do(
        self, request: HttpRequest, queryset: Tasks, work: Callable[[Task], str], done: str
    ) -> None:
        do_each(self, request, queryset.order_by("id"), work, done)


def _newest(queryset: Tasks) -> Tasks:
    last = Task.objects.order_by("-id").values_list("id", flat=True).first()
    return queryset.filter(id__gt=(last or 0) - NEWEST)


def _beginning(queryset: Tasks, term: str) -> Tasks:
    if connection.vendor != "sqlite":
        return queryset.filter(task_id__startswith=term)
    # LIKE folds case there and so uses no index. "~" is behind all that an id may hold.
    return queryset.filter(task_id__gte=term, task_id__lt=f"{term}~")


def _parts_of(task: Task, shows_bodies: bool) -> dict[str, Any]:  # noqa: FBT001
    columns = ["seq", "kind", "at", "by", "state", "stands_for"]
    said = {"said": Substr("body", 1, BODY_LENGTH + 1)} if shows_bodies else {}
    found = TaskEvent.objects.filter(task=task).order_by("-seq").values(*columns, **said)
    events = [_event(row) for row in found[: SHOWN + 1]]
    people = Participation.objects.filter(task=task).order_by("number").defer("body")
    participants = [_participant(one) for one in people[: SHOWN + 1]]
    return {
        "dashboard_url": _dashboard_url(task.task_id),
        "shows_bodies": shows_bodies,
        "events": events[:SHOWN],
        "more_events": len(events) > SHOWN,
        "participants": participants[:SHOWN],
        "more_participants": len(participants) > SHOWN,
    }


def _event(row: dict[str, Any]) -> dict[str, Any]:
    said = row.get("said") or ""
    return {
        **row,
        "when": when(row["at"]),
        "body": said[:BODY_LENGTH],
        "long": len(said) > LINE_LENGTH,
        "cut": len(said) > BODY_LENGTH,
    }


def _participant(one: Participation) -> dict[str, Any]:
    return {
        "number": one.number,
        "client": one.client,
        "state": one.state,
        "offered": when(one.offered_at),
        "started": when(one.started_at),
        "done": when(one.done_at),
    }


def _dashboard_url(task_id: str) -> str:
    return f"/tasks/{task_id}/"
