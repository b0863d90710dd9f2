"""``/api/schema/`` and ``/api/docs/``: the API described, to machines and to people."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hub.api.schema import SCHEMA_TYPE, schema_json

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


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page, on which requests can be tried."""
    response = render(request, "api/docs.html")
    response["Content-Security-Policy"] = _CSP
    return response
