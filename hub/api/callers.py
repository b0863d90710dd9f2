"""Who asks: a client by its key, or a person of the staff by their session."""

from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework.request import Request

from credentials.selectors import ClientGrants
from hub.admission import access_of
from hub.core.access import Access, PatternSet
from hub.services import Operator

#: Django permissions of staff, as the dashboard asks for them too.
VIEW_TASK: Final = "hub.view_task"
VIEW_PAYLOAD: Final = "hub.view_payload"
CANCEL_TASK: Final = "hub.cancel_task"
PUBLISH_TASK: Final = "hub.publish_task"
VIEW_CONNECTION: Final = "hub.view_connection"
VIEW_CLIENT: Final = "credentials.view_client"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCaller:
    """A client. What it sees follows from its patterns (docs/protocol.md §3, §5.5)."""

    grants: ClientGrants
    #: of all rights, when these were read
    revision: int
    access: Access = field(repr=False)

    #: for Django and REST framework, which ask it of their users
    is_authenticated = True
    is_active = True
    is_staff = False
    is_anonymous = False

    @classmethod
    def of(cls, grants: ClientGrants, revision: int) -> "ClientCaller":
        """With the access that the grants say."""
        return cls(grants=grants, revision=revision, access=access_of(grants))

    @property
    def identity(self) -> str:
        """One for each client: what is counted by."""
        return f"client {self.grants.name}"

    @property
    def viewer(self) -> Access | None:
        """Whose tasks are shown; None: all."""
        return self.access

    @property
    def by(self) -> Access | Operator:
        """In whose name something is done."""
        return self.access

    def may(self, permission: str) -> bool:  # noqa: ARG002  (a client's rights are its patterns)
        """Whether it may use endpoints that ask for this permission of staff."""
        return True

    def patterns(self) -> tuple[str, ...] | None:
        """Actions whose figures it may see; None: all."""
        return tuple(sorted(self.access.watch | self.access.sub))

    def narrowed(self, asked: str) -> tuple[str, ...]:
        """What of a pattern it may see figures of; empty: nothing."""
        allowed = PatternSet(self.access.watch | self.access.sub)
        if allowed.covers(asked):
            return (asked,)
        wanted = PatternSet((asked,))
        return tuple(sorted(pattern for pattern in allowed if wanted.covers(pattern)))


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffCaller:
    """A person, with Django's permissions."""

    user: Any = field(repr=False)
    session_key: str | None = field(default=None, repr=False)

    @property
    def identity(self) -> str:
        """One for each person: what is counted by."""
        return f"user {self.user.get_username()}"

    @property
    def viewer(self) -> Access | None:
        """Staff see all tasks or none."""
        return None

    @property
    def by(self) -> Access | Operator:
        """In whose name something is done."""
        return Operator(name=self.user.get_username())

    def may(self, permission: str) -> bool:
        """Whether they are staff with this permission."""
        return bool(self.user.is_active and self.user.is_staff and self.user.has_perm(permission))

    def patterns(self) -> tuple[str, ...] | None:
        """All actions."""
        return None

    def narrowed(self, asked: str) -> tuple[str, ...]:
        """What of a pattern they may see figures of: all of it."""
        return (asked,)


Caller = ClientCaller | StaffCaller


def caller_of(request: Request) -> Caller:
    """Who asks; only where somebody has been authenticated."""
    caller = request.auth
    assert isinstance(caller, ClientCaller | StaffCaller)
    return caller
