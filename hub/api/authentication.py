"""HTTP Basic with name and key, Bearer with the key, or a session of the staff."""

from typing import Any, Final

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


class KeyAuthentication(BaseAuthentication):
    """A client's key in ``Authorization``, as Basic or Bearer."""

    def authenticate(self, request: Request) -> tuple[ClientCaller, ClientCaller] | None:
        """Part of BaseAuthentication. None: there is no such header."""
        header = str(request.META.get("HTTP_AUTHORIZATION", ""))
        if not header:
            return None
        address = str(request.META.get("REMOTE_ADDR") or "local")
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "basic":
            pairs = basic_pairs(header.encode("latin-1", errors="replace"))
            if not pairs:
                raise AuthenticationFailed("Basic takes name:key in base64.")
            caller = guard().by_name(pairs, address)
        elif scheme.lower() == "bearer":
            key = value.strip()
            if not keys.is_generated(key):
                raise AuthenticationFailed("Bearer takes a generated key; send others by Basic.")
            caller = guard().by_bearer(key, address)
        else:
            raise AuthenticationFailed("Name and key are asked for, as Basic, or a key as Bearer.")
        return caller, caller

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """Part of BaseAuthentication: what a 401 asks for."""
        return CHALLENGE


class StaffSessionAuthentication(SessionAuthentication):
    """A session of the admin; what writes has to bring its CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, StaffCaller] | None:
        """Part of BaseAuthentication."""
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        return user, StaffCaller(user=user, session_key=request.session.session_key)
