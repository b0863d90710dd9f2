"""Who is signed in by a session at this moment: for pages and streams that outlive a request."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest


def user_by_session(session: str | None) -> AbstractBaseUser | AnonymousUser:
    """The user of the session with this key, read anew; anonymous when it is over. Blocking."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session)
    return get_user(request)
