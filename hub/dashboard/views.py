"""Pages over HTTP, and what an operator does with a button."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from hub.dashboard.page import Page, Viewer

View = Callable[..., HttpResponse]


def viewer_of(user: AbstractBaseUser | AnonymousUser) -> Viewer:
    """Who looks, with what they may do."""
    assert isinstance(user, User | AnonymousUser)
    return Viewer(
        name=user.get_username(),
        view_task=user.has_perm("hub.view_task"),
        view_payload=user.has_perm("hub.view_payload"),
        cancel_task=user.has_perm("hub.cancel_task"),
        publish_task=user.has_perm("hub.publish_task"),
        view_connection=user.has_perm("hub.view_connection"),
        disconnect=user.has_perm("hub.disconnect_connection"),
        staff=user.is_staff,
    )


def hub_url(request: HttpRequest) -> str:
    """Where clients connect, as seen from this browser."""
    return f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}/"


def page_view(page_class: type[Page]) -> View:
    """The view of a page; the live socket finds the page again by its ``page_class``."""

    @cache_control(private=True, no_cache=True)
    @require_safe
    @login_required
    def view(request: HttpRequest, **arguments: Any) -> HttpResponse:
        page = page_class(viewer_of(request.user), request.GET, **arguments)
        context = {**page.context(), "hub_url": hub_url(request)}
        return render(request, page.template, context)

    view.page_class = page_class  # type: ignore[attr-defined]
    return view
