"""Tasks and connections in the Django admin: to look at, and a few things to do.

Nothing is written here: what a person does goes through ``hub.services``. Lists cost the same
whatever the size of the history: they are of its newest part, and nothing is counted to its end.
"""
# Django calls these hooks with arguments we do not all need:
# ruff: noqa: ARG002

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html

from credentials.admin import ClientAdmin
from credentials.models import Client
from hub import services
from hub.core.errors import Code, Rejection
from hub.models import Connection, Participation, Task, TaskEvent
from hub.selectors import again, connections
from hub.selectors.connections import ConnectionRow
from hub.services import Operator

#: The newest tasks that a list without a search is of.
NEWEST = 100_000
#: Rows that a list has at most, over all its pages.
LISTED = 10_000
#: Events and participants on the page of a task.
SHOWN = 100
#: Characters of a payload, result or reason on that page.
BODY_LENGTH = 2_000
#: Tasks or connections that one action takes.
AT_ONCE = 100

if TYPE_CHECKING:  # generic in the stubs alone
    TaskPages = admin.ModelAdmin[Task]
    ConnectionPages = admin.ModelAdmin[Connection]
    Tasks = QuerySet[Task]
    Connections = QuerySet[Connection]
    Pages = Paginator[Any]
else:
    TaskPages = ConnectionPages = admin.ModelAdmin
    Tasks = Connections = QuerySet
    Pages = Paginator


class BoundedPaginator(Pages):
    """Counts no further than it lists."""

    @cached_property
    def count(self) -> int:
        return int(self.object_list.values("pk")[:LISTED].count())  # type: ignore[attr-defined]


class LookOnly:
    """For rows that only the hub writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
        return queryset.filter(created_at__gte=_now() - int(str(self.value())) * 60_000)


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
        return _when(task.created_at)

    @admin.display
    def started(self, task: Task) -> str:
        return _when(task.started_at)

    @admin.display
    def settled(self, task: Task) -> str:
        return _when(task.settled_at)

    @admin.display
    def ended(self, task: Task) -> str:
        return _when(task.ended_at)

    @admin.display(description="starts until")
    def starts_until(self, task: Task) -> str:
        return _when(task.start_deadline)

    @admin.display(description="ends until")
    def ends_until(self, task: Task) -> str:
        return _when(task.end_deadline)

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
        operator = _operator(request)

        def cancel(task: Task) -> str:
            services.task_cancel(task_id=task.task_id, by=operator)
            return format_html("{}", task.task_id)

        self._do(request, queryset, cancel, "Cancelled")

    @admin.action(permissions=["publish"], description="Publish selected tasks again")
    def publish_again(self, request: HttpRequest, queryset: Tasks) -> None:
        operator = _operator(request)

        def publish(task: Task) -> str:
            new = services.task_publish_again(task_id=task.task_id, by=operator)
            return format_html('{} as <a href="{}">{}</a>', task.task_id, _dashboard_url(new), new)

        self._do(request, queryset, publish, "Published again")

    def _do(
        self, request: HttpRequest, queryset: Tasks, work: Callable[[Task], str], done: str
    ) -> None:
        _do_each(self, request, queryset.order_by("id"), work, done)


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
    more = {"when": _when(row["at"]), "body": said[:BODY_LENGTH], "cut": len(said) > BODY_LENGTH}
    return {**row, **more}


def _participant(one: Participation) -> dict[str, Any]:
    return {
        "number": one.number,
        "client": one.client,
        "state": one.state,
        "offered": _when(one.offered_at),
        "started": _when(one.started_at),
        "done": _when(one.done_at),
    }


@admin.register(Connection)
class ConnectionAdmin(LookOnly, ConnectionPages):
    list_display = ["connection", "client", "address", "protocol", "agent", "opened"]
    list_display += ["subscriptions", "busy", "unsent", "frames_a_second"]
    list_filter = ["protocol"]
    search_fields = ["=client", "=connection", "address"]
    search_help_text = "A client or a connection exactly, or a part of an address."
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["disconnect"]
    fields = ["connection", "client", "address", "protocol", "agent", "opened"]
    fields += ["subscriptions", "busy", "unsent", "frames_a_second"]

    def get_queryset(self, request: HttpRequest) -> Connections:
        return super().get_queryset(request).filter(lease_until__gt=_now())

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        _look_at(changes.result_list)
        return changes

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Connection | None:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            _look_at([found], found.client)
        return found

    @admin.display
    def opened(self, one: Connection) -> str:
        return _when(one.since)

    @admin.display
    def subscriptions(self, one: Connection) -> str:
        row = _seen(one)
        return ", ".join(row.subscriptions) if row else ""

    @admin.display(description="tasks at work")
    def busy(self, one: Connection) -> int | None:
        row = _seen(one)
        return row.busy if row else None

    @admin.display(description="unsent bytes")
    def unsent(self, one: Connection) -> int | None:
        row = _seen(one)
        return row.unsent if row else None

    @admin.display(description="frames a second")
    def frames_a_second(self, one: Connection) -> str | None:
        row = _seen(one)
        return f"{row.rate:.1f}" if row else None

    def has_disconnect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hub.disconnect_connection")

    @admin.action(permissions=["disconnect"], description="Disconnect selected connections")
    def disconnect(self, request: HttpRequest, queryset: Connections) -> None:
        operator = _operator(request)

        def disconnect(one: Connection) -> str:
            services.connection_disconnect(connection=one.connection, operator=operator)
            return format_html("{} of {}", one.connection, one.client)

        _do_each(self, request, queryset, disconnect, "Disconnected")


def _look_at(shown: Iterable[Connection], client: str | None = None) -> None:
    rows = {row.connection: row for row in connections.connections(client=client)}
    for one in shown:
        one.seen = rows.get(one.connection)  # type: ignore[attr-defined]


def _seen(one: Connection) -> ConnectionRow | None:
    row: ConnectionRow | None = getattr(one, "seen", None)
    return row


class ConnectedClientAdmin(ClientAdmin):
    """The pages of clients, with what the hub knows of each."""

    list_display = [*ClientAdmin.list_display, "open_connections"]
    readonly_fields = [*ClientAdmin.readonly_fields, "open_connections"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        counts = connections.connections_by_client()
        for client in changes.result_list:
            client.connections = counts.get(client.name, 0)
        return changes

    @admin.display(description="connections")
    def open_connections(self, client: Client) -> str:
        """How many it holds now, with a link to them."""
        count = getattr(client, "connections", None)
        if count is None:
            count = len(connections.connections(client=client.name)) if client.pk else 0
        url = reverse("admin:hub_connection_changelist")
        return format_html('<a href="{}?q={}">{}</a>', url, client.name, count)


admin.site.unregister(Client)
admin.site.register(Client, ConnectedClientAdmin)


def _do_each(
    pages: Any,
    request: HttpRequest,
    queryset: QuerySet[Any],
    work: Callable[[Any], str],
    done: str,
) -> None:
    """Do this to each, tell what came of it, and note it in the admin's own history."""
    chosen: list[Model] = list(queryset[: AT_ONCE + 1])
    if len(chosen) > AT_ONCE:
        text = f"Choose at most {AT_ONCE} at once; nothing was done."
        pages.message_user(request, text, messages.ERROR)
        return
    succeeded = []
    for one in chosen:
        try:
            succeeded.append(work(one))
        except Rejection as rejection:
            pages.message_user(request, f"Not done with {one}: {rejection.message}", messages.ERROR)
            if rejection.code is Code.UNAVAILABLE:
                break  # nor would the others be
        else:
            pages.log_change(request, one, f"{done}.")
    if succeeded:
        names = format_html(", ".join(["{}"] * len(succeeded)), *succeeded)
        pages.message_user(request, format_html("{}: {}.", done, names), messages.SUCCESS)


def _operator(request: HttpRequest) -> Operator:
    return Operator(name=request.user.get_username())


def _dashboard_url(task_id: str) -> str:
    return f"/tasks/{task_id}/"


def _now() -> int:
    return time.time_ns() // 1_000_000


def _when(at: int | None) -> str:
    """A time as text, in UTC to the millisecond; empty: it has not come."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6]
