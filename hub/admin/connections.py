"""Connections in the admin, and how many of them each client holds."""
# Django calls these hooks with arguments we do not all need:

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from credentials.admin import ClientAdmin
from credentials.models import Client
from hub import services
from hub.admin.common import LookOnly, do_each, operator_of, when
from hub.clock_and_ids import system_time
from hub.models import Connection
from hub.selectors import connections
from hub.selectors.connections import ConnectionRow

if TYPE_CHECKING:  # generic in the stubs alone
    ConnectionPages = admin.ModelAdmin[Connection]
    Connections = QuerySet[Connection]
else:
    ConnectionPages = admin.ModelAdmin
    Connections = QuerySet


@admin.register(Connection)
class ConnectionAdmin(LookOnly, ConnectionPages):
    list_display = ["client", "connection", "subscriptions", "busy", "unsent", "frames_a_second"]
    list_display += ["agent", "address", "opened", "protocol"]
    list_display_links = ["connection"]
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
        return super().get_queryset(request).filter(lease_until__gt=system_time())

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
        return when(one.since)

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
        operator = operator_of(request)

        def disconnect(one: Connection) -> str:
            services.connection_disconnect(connection=one.connection, operator=operator)
            return format_html("{} of {}", one.connection, one.client)

        do_each(self, request, queryset, disconnect, "Disconnected")


def _look_at(shown: Iterable[Connection], client: str | None = None) -> None:
    rows = {row.connection: row for row in connections.connections(client=client)}
    for one in shown:
        one.seen = rows.get(one.connection)  # type: ignore[attr-defined]


def _seen(one: Connection) -> ConnectionRow | None:
    row: ConnectionRow | None = getattr(one, "seen", None)
    return row


class ConnectedClientAdmin(ClientAdmin):
    """The pages of clients, with what the hub knows of each."""

    list_display = ["name", "open_connections", *ClientAdmin.list_display[1:]]
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
