"""Errors as RFC 9457 problem documents, with the codes of docs/protocol.md §7 (docs/api.md)."""

import json
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from hub.core.errors import Code, HubFault, Rejection
from hub.logs import logger

log = logger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
#: Resolved against the hub; the page itself is in the project.
TYPE: Final = "/docs/api.md#{code}"

STATUS: Final[dict[Code, int]] = {
    Code.BAD_JSON: 400,
    Code.BAD_COMMAND: 400,
    Code.MISSING_FIELD: 400,
    Code.BAD_FIELD: 400,
    Code.BAD_EVENT: 400,
    Code.BAD_ACTION: 400,
    Code.TOO_BIG: 413,
    Code.LIMIT: 429,
    Code.FORBIDDEN: 403,
    Code.UNKNOWN_TASK: 404,
    Code.DUPLICATE_TASK: 409,
    Code.EVENT_CONFLICT: 409,
    Code.TASK_ENDED: 409,
    Code.CLAIMED: 409,
    Code.ILLEGAL_TRANSITION: 409,
    Code.UNAVAILABLE: 503,
}
#: What only HTTP can say; the wire has no such errors.
UNAUTHENTICATED: Final = "unauthenticated"
NOT_FOUND: Final = "not-found"
BAD_METHOD: Final = "bad-method"
NOT_ACCEPTABLE: Final = "not-acceptable"
BAD_MEDIA_TYPE: Final = "bad-media-type"
OWN_CODES: Final = (UNAUTHENTICATED, NOT_FOUND, BAD_METHOD, NOT_ACCEPTABLE, BAD_MEDIA_TYPE)
CODES: Final = (*(code.value for code in Code), *OWN_CODES)

#: Seconds after which what may go away by itself is worth another try.
RETRY_AFTER_S: Final = 1
_GENERIC: Final = "The hub failed on this request; its log says why. Try again in a moment."

#: The framework's own errors: the first that fits.
_OF_FRAMEWORK: Final[tuple[tuple[type[exceptions.APIException], int, str], ...]] = (
    (exceptions.ParseError, 400, Code.BAD_JSON.value),
    (exceptions.AuthenticationFailed, 401, UNAUTHENTICATED),
    (exceptions.NotAuthenticated, 401, UNAUTHENTICATED),
    (exceptions.PermissionDenied, 403, Code.FORBIDDEN.value),
    (exceptions.NotFound, 404, NOT_FOUND),
    (exceptions.MethodNotAllowed, 405, BAD_METHOD),
    (exceptions.NotAcceptable, 406, NOT_ACCEPTABLE),
    (exceptions.UnsupportedMediaType, 415, BAD_MEDIA_TYPE),
    (exceptions.Throttled, 429, Code.LIMIT.value),
)


class Refused(Exception):  # noqa: N818  (it is an answer, not an error of ours)
    """A request is answered by this problem."""

    def __init__(self, status: int, code: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = str(code)
        self.detail = detail
        #: seconds
        self.retry_after = retry_after


def bad_field(detail: str) -> Refused:
    """A parameter is of the wrong type or out of range."""
    return Refused(400, Code.BAD_FIELD, detail)


def unknown_task() -> Refused:
    """There is no such task, or not for this caller (docs/protocol.md §5.5)."""
    return Refused(404, Code.UNKNOWN_TASK, "There is no such task, or not for you.")


def problem_response(refused: Refused) -> HttpResponse:
    """The document. Already rendered: errors do not depend on what the request accepts."""
    retry = refused.retry_after is not None
    document: dict[str, Any] = {
        "type": TYPE.format(code=refused.code),
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": refused.detail,
        "code": refused.code,
        "retry": retry,
    }
    response = HttpResponse(json.dumps(document), status=refused.status, content_type=CONTENT_TYPE)
    if retry:
        response["Retry-After"] = str(refused.retry_after)
    return response


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """REST framework's exception handler: whatever a view raises becomes a problem."""
    refused = _refused(error)
    if refused is None:
        log.error("request_failed", exc_info=error, view=type(context.get("view")).__name__)
        refused = Refused(500, Code.UNAVAILABLE, _GENERIC, RETRY_AFTER_S)
    response = problem_response(refused)
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def _refused(error: Exception) -> Refused | None:
    match error:
        case Refused():
            return error
        case Rejection():
            status = STATUS[error.code]
            again = RETRY_AFTER_S if error.retry else None
            return Refused(status, error.code, error.message, again)
        case HubFault():
            return Refused(503, Code.UNAVAILABLE, _GENERIC, RETRY_AFTER_S)
        case Http404():
            return Refused(404, NOT_FOUND, "There is nothing at this address.")
        case DjangoPermissionDenied():
            return Refused(403, Code.FORBIDDEN, "This is not allowed.")
        case exceptions.ValidationError():
            return bad_field(_first_of(error.detail))
        case exceptions.APIException():
            return _of_framework(error)
    return None


def _of_framework(error: exceptions.APIException) -> Refused | None:
    for kind, status, code in _OF_FRAMEWORK:
        if isinstance(error, kind):
            wait = getattr(error, "wait", None)
            retry_after = max(1, round(wait)) if wait is not None else None
            return Refused(status, code, str(error.detail), retry_after)
    return None


def _first_of(detail: Any, field: str = "") -> str:
    """The first of the framework's messages about a request, with the field it is about."""
    if isinstance(detail, dict):
        name, first = next(iter(detail.items()))
        return _first_of(first, field or str(name))
    if isinstance(detail, list):
        return _first_of(detail[0], field)
    return f'"{field}": {detail}' if field and field != "non_field_errors" else str(detail)
