"""What the hub's pages in the admin have in common."""
# Django calls these hooks with arguments we do not all need:
# ruff: noqa: ARG002

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from hub.core.errors import Code, Rejection
from hub.services import Operator

#: Tasks or connections that one action takes.
AT_ONCE = 100


class LookOnly:
    """For rows that only the hub writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def do_each(
    pages: Any,
    request: HttpRequest,
    queryset: QuerySet[Any],
    work: Callable[[Any], str],
    done: str,
) -> None:
    """Do this to each, tell what came of it, and note it in the admin's own history."""
    chosen: list[Model] = list(queryset[: AT_ONCE + 1])
    if len(chosen) > AT_ONCE:
        text = f"Choose at most {AT_ONCE} at once; nothing was done."
        pages.message_user(request, text, messages.ERROR)
        return
    succeeded = []
    for one in chosen:
        try:
            succeeded.append(work(one))
        except Rejection as rejection:
            pages.message_user(request, f"Not done with {one}: {rejection.message}", messages.ERROR)
            if rejection.code is Code.UNAVAILABLE:
                break  # nor would the others be
        else:
            pages.log_change(request, one, f"{done}.")
    if succeeded:
        names = format_html(", ".join(["{}"] * len(succeeded)), *succeeded)
        pages.message_user(request, format_html("{}: {}.", done, names), messages.SUCCESS)


def operator_of(request: HttpRequest) -> Operator:
    """Who does something."""
    return Operator(name=request.user.get_username())


def when(at: int | None) -> str:
    """A time as text, in UTC to the millisecond; empty: it has not come."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6]
