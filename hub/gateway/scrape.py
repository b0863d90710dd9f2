"""``/metrics``: the figures of this process for Prometheus, and for nobody else."""

import hmac

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client.exposition import choose_encoder

from hub import runtime as hub_runtime
from hub.conf import hub_settings
from hub.metrics import registry_of


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For staff of the admin, and for who presents TASKHUB_METRICS_TOKEN; to others not there."""
    if not (_knows_the_token(request) or _is_staff(request)):
        raise Http404
    runtime = hub_runtime.current()
    if runtime is None:  # under daphne, until the first client has connected
        return HttpResponse("The hub has not started yet.\n", status=503, content_type="text/plain")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry_of(runtime)), content_type=content_type)


def _knows_the_token(request: HttpRequest) -> bool:
    token = hub_settings().metrics_token
    given = request.headers.get("Authorization", "").encode(errors="replace")
    return token is not None and hmac.compare_digest(given, f"Bearer {token}".encode())


def _is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff
