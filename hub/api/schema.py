"""OpenAPI 3.1 of these endpoints, made from them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import OpenApiResponse

from hub.api.problems import CONTENT_TYPE
from hub.api.serializers import ProblemSerializer

SCHEMA_TYPE: Final = "application/vnd.oai.openapi+json"
#: What every endpoint may answer.
_ALWAYS: Final = (400, 401, 403, 406, 429, 500, 503)

_SAYS: Final = {
    400: "A parameter or the body is not as it should be.",
    401: "Name or key are missing or wrong.",
    403: "Known, and not allowed.",
    404: "There is no such task, or not for this caller.",
    406: "JSON is all there is.",
    409: "The task is in another state, or an id is taken.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    429: "Too much; `Retry-After` says when to try again.",
    500: "The hub failed; its log says why.",
    503: "Not now; nothing was changed.",
}


def answers(good: Mapping[Any, Any], *more: int) -> dict[Any, Any]:
    """The answers of an endpoint: the good ones, and its problems."""
    problem = {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description=_SAYS[status])
        for status in sorted({*_ALWAYS, *more})
    }
    return {**good, **problem}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A client's key alone."""

    target_class = "hub.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> Any:  # noqa: ARG002
        """Part of OpenApiAuthenticationExtension."""
        return {"type": "http", "scheme": "bearer", "description": "A generated key alone."}


class BasicScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A client's name and key."""

    target_class = "hub.api.authentication.BasicAuthentication"
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> Any:  # noqa: ARG002
        """Part of OpenApiAuthenticationExtension."""
        return {"type": "http", "scheme": "basic", "description": "Client name and key."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A session of the staff."""

    target_class = "hub.api.authentication.StaffSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Any:  # noqa: ARG002
        """Part of OpenApiAuthenticationExtension."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "Of the admin; what writes sends X-CSRFToken too.",
        }


class WordsSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Words with commas between them, as a pattern."""

    target_class = "hub.api.queries.WordsField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:  # noqa: ARG002
        """Part of OpenApiSerializerFieldExtension."""
        word = f"({'|'.join(self.target.words)})"
        return {"type": "string", "pattern": f"^{word}(,{word})*$"}


@cache
def schema_json() -> bytes:
    """The document. It is the same for everybody, and takes half a second to make."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return msgspec.json.encode(document)
