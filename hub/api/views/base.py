"""What all endpoints share: who may ask, how errors look, which headers an answer has."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import msgspec
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from hub.api.media import JSON
from hub.api.throttling import Quota, tell_quota

#: Bytes of a document from which on it is not kept.
LARGE: Final = 65_536


class ApiView(APIView):
    """Base of the endpoints."""

    #: method → the Django permissions that it takes of staff
    needs: ClassVar[Mapping[str, Sequence[str]]] = {}
    http_method_names = ["get", "head", "post"]
    #: set by the throttle
    quota: Quota | None = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Part of APIView, which lets go of the response: it may be large, and the view is in a
        cycle with its request."""
        response = super().dispatch(request, *args, **kwargs)
        del self.response
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Part of APIView: the headers of every answer."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.quota is not None:
            tell_quota(response, self.quota)
        # What a client may see depends on who it is, and changes within a second.
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["Authorization", "Cookie"])
        return response


class Document(HttpResponse):
    """JSON, forgotten once it has been sent.

    Django keeps the response of each request in a cycle with its tasks until Python looks for
    cycles, which the hub has it do seldom: an export by pages would pile up.
    """

    def close(self) -> None:
        """Part of HttpResponse."""
        super().close()
        if len(self.content) > LARGE:
            self.content = b""


def json_response(data: Any, status: int = 200) -> HttpResponse:
    """A document as an answer; not REST framework's, which is in a cycle with itself."""
    return Document(msgspec.json.encode(data), status=status, content_type=JSON)


def page_response(
    request: Request, data: dict[str, Any], following: dict[str, str] | None
) -> HttpResponse:
    """A page with its ``next`` as a field and as a ``Link``; None: it is the last one."""
    address = None
    if following is not None:
        query = {**request.query_params.dict(), **following}
        address = request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
    response = json_response({**data, "next": address})
    if address is not None:
        response["Link"] = f'<{address}>; rel="next"'
    return response


@extend_schema(exclude=True)
class Nowhere(APIView):
    """Every other address below ``/api/``."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Part of APIView. Raises NotFound."""
        hint = "" if request.path.endswith("/") else " Addresses end with a slash."
        raise NotFound(f"There is nothing at this address; /api/schema/ lists them.{hint}")
