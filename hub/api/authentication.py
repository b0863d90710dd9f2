"""HTTP Basic with name and key, Bearer with the key, or a session of the staff."""

from typing import Any, ClassVar, Final

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from credentials import keys
from hub.admission import basic_pairs
from hub.api.callers import ClientCaller, StaffCaller
from hub.api.guard import guard

#: Not Basic, which every request may use: a browser that is asked for Basic keeps the password,
#: and attaches it to requests that other sites make.
CHALLENGE: Final = 'Bearer realm="TaskHub"'


class _KeyAuthentication(BaseAuthentication):
    """A client's key in ``Authorization``."""

    scheme: ClassVar[str]

    def authenticate(self, request: Request) -> tuple[ClientCaller, ClientCaller] | None:
        """Part of BaseAuthentication. None: the header is not there, or of another scheme."""
        header = str(request.META.get("HTTP_AUTHORIZATION", ""))
        scheme, _, value = header.partition(" ")
        if scheme.lower() != self.scheme:
            return None
        address = str(request.META.get("REMOTE_ADDR") or "local")
        caller = self.check(value.strip(), address)
        return caller, caller

    def check(self, value: str, address: str) -> ClientCaller:
        """Whose key this is. Raises AuthenticationFailed, Refused."""
        raise NotImplementedError

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """Part of BaseAuthentication: what a 401 asks for."""
        return CHALLENGE


class BearerAuthentication(_KeyAuthentication):
    """A generated key alone: it says whose it is."""

    scheme = "bearer"

    def check(self, value: str, address: str) -> ClientCaller:
        """Part of _KeyAuthentication."""
        if not keys.is_generated(value):
            raise AuthenticationFailed("Bearer takes a generated key; send others by Basic.")
        return guard().by_bearer(value, address)


class BasicAuthentication(_KeyAuthentication):
    """Client name and key, as on the socket."""

    scheme = "basic"

    def check(self, value: str, address: str) -> ClientCaller:
        """Part of _KeyAuthentication."""
        pairs = basic_pairs(b"Basic " + value.encode("latin-1", errors="replace"))
        if not pairs:
            raise AuthenticationFailed("Basic takes name:key in base64.")
        return guard().by_name(pairs, address)


class StaffSessionAuthentication(SessionAuthentication):
    """A session of the admin; what writes has to bring its CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, StaffCaller] | None:
        """Part of BaseAuthentication."""
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        return user, StaffCaller(user=user, session_key=request.session.session_key)
