"""Changes clients in a hub's database, as JSON on standard input says; prints ``{name: key}``.

    {"migrate": true, "create": {name: rights}, "withdraw": {name: kinds}, "revoke": [name],
     "expire": [name], "disable": [name], "staff": {name: ["hub.view_task", …] or "all"},
     "superusers": {name: password}, "users": {login: permissions}}

Staff have the password ``staff-password``; giving them again sets what they may; null: no
longer staff.

A user's "key" is the cookie of a session; of the permissions, which are code names of the hub's
models, ``*`` makes a superuser. Nobody's password can be guessed but that of ``admin``: ``secret``.

One process for all of them, where a ``createclient`` each would take a second a client.
"""

import json
import sys
from typing import Any

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402  (models need it)
from django.contrib.auth.models import Permission as Codename  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client as Browser  # noqa: E402
from django.utils import timezone  # noqa: E402

from credentials import services  # noqa: E402
from credentials.models import Client, Key, Permission  # noqa: E402


def change(changes: dict[str, Any]) -> dict[str, str]:
    """Make the changes; the keys of new clients."""
    if changes.get("migrate"):
        call_command("migrate", verbosity=0)
    for name, kinds in changes.get("withdraw", {}).items():
        for permission in Permission.objects.filter(client__name=name, kind__in=kinds):
            services.permission_delete(permission=permission)
    for name in changes.get("revoke", ()):
        services.client_revoke_keys(client=Client.objects.get(name=name))
    Key.objects.filter(client__name__in=changes.get("expire", ())).update(expires_at=timezone.now())
    for name in changes.get("disable", ()):
        services.client_disable(client=Client.objects.get(name=name))
    if staff := changes.get("staff"):
        password = make_password("staff-password")  # once: it takes a while on purpose
        for name, permissions in staff.items():
            _staff(name, permissions, password)
    for name, password in changes.get("superusers", {}).items():
        User.objects.create_superuser(name, password=password)
    sessions = {
        login: _user(login, permissions) for login, permissions in changes.get("users", {}).items()
    }
    return sessions | {
        name: services.client_create(name=name, **rights)[1]
        for name, rights in changes.get("create", {}).items()
    }


def _staff(name: str, permissions: Any, password: str) -> None:
    user, _ = User.objects.get_or_create(username=name)
    user.is_staff, user.is_superuser = permissions is not None, permissions == "all"
    user.password = user.password or password
    user.save()
    granted = []
    for permission in permissions if isinstance(permissions, list) else ():
        app, codename = permission.split(".")
        found = Codename.objects.get(content_type__app_label=app, codename=codename)
        granted.append(found)
    user.user_permissions.set(granted)


def _user(login: str, permissions: list[str]) -> str:
    """A new user, or the same with these permissions; the cookie of a session of theirs."""
    user, new = User.objects.get_or_create(username=login)
    if new:
        user.set_password("secret" if login == "admin" else None)
    user.is_superuser = user.is_staff = "*" in permissions
    user.save()
    user.user_permissions.set(
        Codename.objects.filter(content_type__app_label="hub", codename__in=permissions)
    )
    browser = Browser()
    browser.force_login(user)
    return str(browser.cookies["sessionid"].value)


if __name__ == "__main__":
    json.dump(change(json.load(sys.stdin)), sys.stdout)
