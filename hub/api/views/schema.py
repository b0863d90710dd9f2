"""The API and the socket's protocol described, to machines and to people."""

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hub.api.media import rules
from hub.api.schema import SCHEMA_TYPE, schema_json
from hub.protocol import asyncapi
from hub.runtime import hub_version

#: Swagger UI has images of its own as data; nothing else is let through.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@require_safe
def schema(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """The OpenAPI document. It tells nothing of this hub, and is for everybody."""
    return HttpResponse(schema_json(), content_type=SCHEMA_TYPE)


@cache
def _socket_document() -> bytes:
    return asyncapi.text(asyncapi.document(rules=rules(), version=hub_version()))


@require_safe
def socket_schema(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """The AsyncAPI document of the WebSocket protocol, with this hub's grammar and bounds."""
    return HttpResponse(_socket_document(), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page, on which requests can be tried."""
    response = render(request, "api/docs.html")
    response["Content-Security-Policy"] = _CSP
    return response
