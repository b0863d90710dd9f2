"""Staff need Django's permissions; what a client may see and do follows from its patterns."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hub.api.callers import Caller, ClientCaller, StaffCaller


class StaffNeedPermission(BasePermission):
    """Asks for the view's ``needs`` by method: Django permissions, all of them."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Part of BasePermission. Raises PermissionDenied, which names what is missing."""
        caller = request.auth
        if not isinstance(caller, ClientCaller | StaffCaller):
            return False
        needs: Mapping[str, Sequence[str]] = view.needs
        method = "GET" if request.method == "HEAD" else str(request.method)
        for permission in needs.get(method, ()):
            require(caller, permission)
        return True


def require(caller: Caller, permission: str) -> None:
    """Raises PermissionDenied for staff without it."""
    if not caller.may(permission):
        raise PermissionDenied(f"This takes the permission {permission}; ask an administrator.")
