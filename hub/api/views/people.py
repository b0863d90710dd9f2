"""``clients/`` and ``connections/``: who there is, and who is connected."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from credentials import selectors as credentials
from hub.api.callers import VIEW_CLIENT, VIEW_CONNECTION, ClientCaller, caller_of
from hub.api.queries import PAGE, ClientQuery, ConnectionQuery, read_query
from hub.api.schema import answers
from hub.api.serializers import (
    ClientListSerializer,
    ClientSerializer,
    ConnectionListSerializer,
    ConnectionSerializer,
)
from hub.api.views.base import ApiView, json_response, page_response
from hub.selectors import connections


class ClientList(ApiView):
    """Clients: a client sees itself."""

    needs = {"GET": (VIEW_CLIENT,)}

    @extend_schema(
        operation_id="clients_list",
        summary="Clients with their permissions",
        description="A client sees itself, staff see all.",
        parameters=[ClientQuery],
        responses=answers({200: ClientListSerializer}),
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of clients by name."""
        caller, query = caller_of(request), read_query(request, ClientQuery)
        limit = query.get("limit", PAGE)
        name = caller.grants.name if isinstance(caller, ClientCaller) else None
        found = credentials.clients_page(name=name, after=query.get("after"), limit=limit + 1)
        held = connections.connections_by_client()
        rows = [
            {
                "name": client.name,
                "enabled": client.enabled,
                "group": client.group,
                "max_connections": client.max_connections,
                "connections": held.get(client.name, 0),
                **credentials.patterns_by_kind(client.permissions.all()),
            }
            for client in found[:limit]
        ]
        told: Any = ClientSerializer(rows, many=True).data
        following = {"after": found[limit - 1].name} if len(found) > limit else None
        return page_response(request, {"clients": told}, following)


class ConnectionList(ApiView):
    """Connections: a client sees its own."""

    needs = {"GET": (VIEW_CONNECTION,)}

    @extend_schema(
        operation_id="connections_list",
        summary="Open connections, longest first",
        description="A client sees its own, staff see all.",
        parameters=[ConnectionQuery],
        responses=answers({200: ConnectionListSerializer}),
    )
    def get(self, request: Request) -> HttpResponse:
        """All of them: there are as many as the hub holds open."""
        caller, query = caller_of(request), read_query(request, ConnectionQuery)
        asked = query.get("client")
        own = caller.grants.name if isinstance(caller, ClientCaller) else None
        if own is not None and asked not in (None, own):
            found = []
        else:
            found = connections.connections(client=own or asked)
        told: Any = ConnectionSerializer(found, many=True).data
        return json_response({"connections": told})
