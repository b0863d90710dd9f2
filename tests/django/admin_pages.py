"""A person in front of the admin: signs in, sends forms, reads pages."""

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import Permission as UserPermission
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from credentials.models import Client, Key, Permission

CLIENTS = "admin:credentials_client_changelist"
KEYS = "admin:credentials_key_changelist"
PASSWORD = "a-long-password-of-root"
Moved = Callable[[], bool]


def sign_in() -> Browser:
    """A superuser, signed in through the login page, whose forms are checked for CSRF."""
    User.objects.create_superuser("root", password=PASSWORD)
    browser = Browser(enforce_csrf_checks=True)
    login = reverse("admin:login")
    browser.get(login)
    answer = post(browser, login, {"username": "root", "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def staff(*permissions: str) -> Browser:
    """Signed in as somebody with these permissions only."""
    user = User.objects.create_user("staff", password=PASSWORD, is_staff=True)
    user.user_permissions.set(UserPermission.objects.filter(codename__in=permissions))
    browser = Browser()
    browser.force_login(user)
    return browser


def post(browser: Browser, url: str, data: dict[str, Any]) -> HttpResponse:
    token = browser.cookies["csrftoken"].value
    return browser.post(url, {**data, "csrfmiddlewaretoken": token})  # type: ignore[return-value]


def text(answer: HttpResponse) -> str:
    return html.unescape(answer.content.decode())


def key_on(answer: HttpResponse) -> str:
    (key,) = re.findall(r"thk_[A-Za-z0-9]+_[A-Za-z0-9]+", text(answer))
    return str(key)


def inlines(*permissions: Permission, keys: tuple[Key, ...] = ()) -> dict[str, Any]:
    """The management forms and rows the change page would send."""
    data: dict[str, Any] = {}
    tables: list[tuple[str, Sequence[Key | Permission]]]
    tables = [("permissions", permissions), ("keys", keys)]
    for prefix, rows in tables:
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        data[f"{prefix}-INITIAL_FORMS"] = sum(row.pk is not None for row in rows)
        for index, row in enumerate(rows):
            data |= {f"{prefix}-{index}-id": row.pk or "", f"{prefix}-{index}-client": ""}
            if row.pk is not None:
                data[f"{prefix}-{index}-client"] = row.client_id
            if isinstance(row, Permission):
                data[f"{prefix}-{index}-kind"] = row.kind
                data[f"{prefix}-{index}-pattern"] = row.pattern
    return data


FORM = {"name": "mailer", "enabled": "on", "max_connections": 5, "rate": "", "notes": ""}


def change_url(client: Client) -> str:
    return reverse("admin:credentials_client_change", args=[client.pk])


def generate_url(client: Client) -> str:
    return reverse("admin:credentials_client_generate_key", args=[client.pk])
