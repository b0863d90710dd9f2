"""An admin's work on clients, through real pages."""

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission as UserPermission
from django.contrib.auth.models import User
from django.test import Client as Browser

from credentials import keys, selectors, services
from credentials.models import Client, Key

pytestmark = pytest.mark.django_db

CLIENTS = "/admin/credentials/client/"
KEYS = "/admin/credentials/key/"
EMPTY_PERMISSIONS = {"permissions-TOTAL_FORMS": "0", "permissions-INITIAL_FORMS": "0"}
FIELDS = {"name": "web", "enabled": "on", "max_connections": "5", "notes": ""}


def shown_key(html: str) -> str:
    found = re.search(r'<code id="new-key" translate="no">(thk_\w+)</code>', html)
    assert found, html
    return found[1]


def works(key: str, name: str = "web") -> bool:
    return selectors.authenticate(name=name, key=key) is not None


def test_a_new_client_comes_with_its_permissions_and_a_key_shown_once(
    admin_client: Browser, counted_up: Callable[[], bool]
) -> None:
    permissions = {
        "permissions-TOTAL_FORMS": "1",
        "permissions-INITIAL_FORMS": "0",
        "permissions-0-kind": "pub",
        "permissions-0-pattern": "email",
    }
    page = admin_client.post(CLIENTS + "add/", {**FIELDS, **permissions})
    key = shown_key(page.content.decode())
    assert "no-store" in page["Cache-Control"]
    assert counted_up()
    found = selectors.authenticate(name="web", key=key)
    assert found is not None
    assert (found.pub, found.max_connections) == (("email",), 5)
    client = Client.objects.get()
    for url in (CLIENTS, f"{CLIENTS}{client.pk}/change/", KEYS, f"{CLIENTS}{client.pk}/history/"):
        html = admin_client.get(url).content.decode()
        assert key not in html
        assert keys.digest(key) not in html
    assert not any(key in entry.change_message for entry in LogEntry.objects.all())


def test_another_key_by_the_button(admin_client: Browser) -> None:
    client, first = services.client_create(name="web")
    assert "Generate key" in admin_client.get(f"{CLIENTS}{client.pk}/change/").content.decode()
    url = f"{CLIENTS}{client.pk}/generate-key/"
    assert "new-key" not in admin_client.get(url).content.decode()
    assert Key.objects.count() == 1
    key = shown_key(admin_client.post(url, {"label": "laptop"}).content.decode())
    assert works(key)
    assert works(first)
    late = {"expires_at_0": "2001-01-01", "expires_at_1": "00:00"}
    assert "This time has passed" in admin_client.post(url, late).content.decode()


@pytest.mark.parametrize("action", ["enable", "disable", "revoke_keys"])
def test_actions(admin_client: Browser, action: str, counted_up: Callable[[], bool]) -> None:
    client, key = services.client_create(name="web")
    if action == "enable":
        services.client_disable(client=client)
    counted_up()
    admin_client.post(CLIENTS, {"action": action, "_selected_action": [client.pk]})
    assert counted_up()
    assert works(key) is (action == "enable")
    assert LogEntry.objects.filter(object_id=str(client.pk)).exists()


def test_one_key_revoked_the_other_lives(admin_client: Browser) -> None:
    client, first = services.client_create(name="web")
    _, second = services.key_generate(client=client)
    row = Key.objects.get(public_id=keys.key_parse(first))
    admin_client.post(KEYS, {"action": "revoke", "_selected_action": [row.pk]})
    assert not works(first)
    assert works(second)


def test_taking_a_permission_back(admin_client: Browser, counted_up: Callable[[], bool]) -> None:
    client, key = services.client_create(name="web", sub=["a"])
    permission, row = client.permissions.get(), client.keys.get()
    counted_up()
    admin_client.post(
        f"{CLIENTS}{client.pk}/change/",
        {
            **FIELDS,
            "permissions-TOTAL_FORMS": "1",
            "permissions-INITIAL_FORMS": "1",
            "permissions-0-id": permission.pk,
            "permissions-0-client": client.pk,
            "permissions-0-kind": "sub",
            "permissions-0-pattern": "a",
            "permissions-0-DELETE": "on",
            "keys-TOTAL_FORMS": "1",
            "keys-INITIAL_FORMS": "1",
            "keys-0-id": row.pk,
            "keys-0-client": client.pk,
            "keys-0-label": "",
        },
    )
    assert counted_up()
    found = selectors.authenticate(name="web", key=key)
    assert found is not None
    assert found.sub == ()


def test_a_bad_pattern_is_told_at_its_field(admin_client: Browser) -> None:
    permissions = {
        "permissions-TOTAL_FORMS": "1",
        "permissions-INITIAL_FORMS": "0",
        "permissions-0-kind": "pub",
        "permissions-0-pattern": "email:",
    }
    page = admin_client.post(CLIENTS + "add/", {**FIELDS, **permissions})
    assert "errorlist" in page.content.decode()
    assert not Client.objects.exists()


def test_deleting_through_the_admin_counts_too(
    admin_client: Browser, counted_up: Callable[[], bool]
) -> None:
    client, key = services.client_create(name="web")
    counted_up()
    data = {"action": "delete_selected", "_selected_action": [client.pk], "post": "yes"}
    admin_client.post(CLIENTS, data)
    assert counted_up()
    assert not works(key)


def test_who_may_only_view_gets_no_keys(client: Browser) -> None:
    made, _ = services.client_create(name="web")
    viewer = User.objects.create_user("viewer", password="x", is_staff=True)
    wanted = ["view_client", "view_key"]
    viewer.user_permissions.set(UserPermission.objects.filter(codename__in=wanted))
    client.force_login(viewer)
    page = client.get(f"{CLIENTS}{made.pk}/change/").content.decode()
    assert "Generate key" not in page
    assert client.post(f"{CLIENTS}{made.pk}/generate-key/").status_code == 403
    client.post(CLIENTS, {"action": "disable", "_selected_action": [made.pk]})
    made.refresh_from_db()
    assert made.enabled


def test_a_stranger_is_sent_to_the_login(client: Browser) -> None:
    made, _ = services.client_create(name="web")
    for url in (CLIENTS, f"{CLIENTS}{made.pk}/generate-key/"):
        assert client.post(url).status_code == 302
    assert Key.objects.count() == 1


def test_generating_needs_the_csrf_token() -> None:
    made, _ = services.client_create(name="web")
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("root"))
    assert strict.post(f"{CLIENTS}{made.pk}/generate-key/").status_code == 403
