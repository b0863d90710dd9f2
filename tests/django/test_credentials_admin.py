"""The admin as a person uses it: its lists, its change pages and its actions."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from credentials import services
from credentials.models import Client, Key, Permission
from credentials.selectors import authenticate, current_grants
from tests.django.admin_pages import (
    CLIENTS,
    FORM,
    KEYS,
    Moved,
    change_url,
    inlines,
    post,
    staff,
    text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hashes")]


def test_a_new_client_with_a_wrong_pattern_is_not_made(browser: Browser) -> None:
    url = reverse("admin:credentials_client_add")

    answer = post(browser, url, {**FORM, **inlines(Permission(kind="sub", pattern="a:b:c"))})

    assert "'a:b:c' is not a pattern" in text(answer)
    assert not Client.objects.exists()


def test_the_change_page_edits_client_permissions_and_expiry(
    browser: Browser, counted_up: Moved
) -> None:
    client, plaintext = services.client_create(name="mailer", sub=["email"], pub=["weather"])
    key = client.keys.get()
    kept, dropped = client.permissions.all()
    assert (kept.kind, dropped.kind) == ("pub", "sub")
    assert counted_up()
    kept.pattern = "weather:forecast"
    data = inlines(kept, dropped, Permission(kind="watch", pattern="*"), keys=(key,))
    data |= {"permissions-1-DELETE": "on", "keys-0-label": "attic"}
    data |= {"keys-0-expires_at_0": "2100-01-01", "keys-0-expires_at_1": "12:00:00"}

    answer = post(browser, change_url(client), {**FORM, "group": "on", **data})

    assert answer.status_code == 302
    grants = authenticate(name="mailer", key=plaintext)
    assert grants is not None
    assert (grants.sub, grants.pub, grants.watch) == ((), ("weather:forecast",), ("*",))
    assert (grants.group, grants.max_connections) == (True, 5)
    assert grants.key_expires_at is not None
    key.refresh_from_db()
    assert key.label == "attic"
    assert counted_up()


def test_the_key_rows_of_the_change_page_take_no_forged_field(browser: Browser) -> None:
    client, plaintext = services.client_create(name="mailer")
    key = client.keys.get()
    services.key_revoke(key=key)
    data = inlines(keys=(key,))
    data |= {"keys-0-revoked_at": "", "keys-0-digest": "0" * 64, "keys-0-DELETE": "on"}
    data |= {"keys-0-label": "", "keys-0-expires_at_0": "", "keys-0-expires_at_1": ""}

    assert post(browser, change_url(client), {**FORM, **data}).status_code == 302
    after = Key.objects.get()
    assert after.revoked_at is not None
    assert after.digest == key.digest
    assert authenticate(name="mailer", key=plaintext) is None


def test_no_page_shows_a_digest(browser: Browser) -> None:
    client, _ = services.client_create(name="mailer")
    services.key_add_chosen(client=client, key="correct-horse-battery")
    keys = list(Key.objects.all())
    pages = [reverse(CLIENTS), reverse(KEYS), change_url(client)]
    pages += [reverse("admin:credentials_key_change", args=[key.pk]) for key in keys]
    pages += [reverse("admin:credentials_client_delete", args=[client.pk])]

    shown = [text(browser.get(page)) for page in pages]  # type: ignore[arg-type]

    assert all(key.public_id in shown[2] for key in keys)
    assert not any(key.digest in page for key in keys for page in shown)


def test_the_list_shows_rights_and_live_keys_and_is_searched(browser: Browser) -> None:
    mailer, _ = services.client_create(name="mailer", sub=["a", "b", "c", "d"], pub=["*"])
    services.key_generate(client=mailer)
    other, _ = services.client_create(name="other")
    services.key_revoke(key=other.keys.get())

    page = text(browser.get(reverse(CLIENTS)))  # type: ignore[arg-type]
    assert "sub a, b, c and 1 more · pub *" in page
    assert re.findall(r'field-live_keys">(\d+)<', page) == ["2", "0"]

    for query in ("mail", mailer.keys.all()[0].public_id, "d"):
        found = text(browser.get(reverse(CLIENTS), {"q": query}))  # type: ignore[arg-type]
        assert re.findall(r"field-name.*?>(\w+)</a>", found) == ["mailer"]
        assert re.findall(r'field-live_keys">(\d+)<', found) == ["2"]


def _act(browser: Browser, url: str, action: str, *ids: int, **more: str) -> HttpResponse:
    return post(browser, reverse(url), {"action": action, "_selected_action": ids, **more})


@pytest.mark.parametrize(
    ("url", "action", "more", "good"),
    [
        (CLIENTS, "disable", {}, False),
        (CLIENTS, "revoke_keys", {}, False),
        (CLIENTS, "delete_selected", {"post": "yes"}, False),
        (KEYS, "revoke", {}, False),
        (KEYS, "delete_selected", {"post": "yes"}, False),
        (CLIENTS, "enable", {}, True),
    ],
)
def test_an_action_reaches_open_connections(
    url: str, action: str, more: dict[str, str], good: bool, browser: Browser, counted_up: Moved
) -> None:
    client, plaintext = services.client_create(name="mailer")
    other, _ = services.client_create(name="other")
    key, untouched = client.keys.get(), other.keys.get()
    assert counted_up()

    answer = _act(browser, url, action, client.pk if url == CLIENTS else key.pk, **more)

    assert answer.status_code == 302
    assert counted_up()
    assert (authenticate(name="mailer", key=plaintext) is not None) is good
    grants = current_grants(key_ids=[key.pk, untouched.pk], now=timezone.now())
    assert sorted(grants) == ([key.pk, untouched.pk] if good else [untouched.pk])


def test_a_disabled_client_is_enabled_again(browser: Browser) -> None:
    client, plaintext = services.client_create(name="mailer")
    _act(browser, CLIENTS, "disable", client.pk)
    _act(browser, CLIENTS, "enable", client.pk)

    assert authenticate(name="mailer", key=plaintext)


def test_deleting_one_client_or_key_counts_the_revision_up(
    browser: Browser, counted_up: Moved
) -> None:
    client, _ = services.client_create(name="mailer")
    extra, _ = services.key_generate(client=client)
    for url, row in (
        ("admin:credentials_key_delete", extra),
        ("admin:credentials_client_delete", client),
    ):
        assert counted_up()
        post(browser, reverse(url, args=[row.pk]), {"post": "yes"})

    assert counted_up()
    assert not Client.objects.exists()
    assert not Key.objects.exists()


def test_revoking_keys_needs_the_right_to_change_them() -> None:
    client, plaintext = services.client_create(name="mailer")
    person = staff("view_client", "change_client")

    person.post(reverse(CLIENTS), {"action": "revoke_keys", "_selected_action": [client.pk]})

    assert authenticate(name="mailer", key=plaintext)


def test_keys_are_changed_but_never_added_on_their_own_page(browser: Browser) -> None:
    client, _ = services.client_create(name="mailer")
    key = client.keys.get()

    assert browser.get(reverse("admin:credentials_key_add")).status_code == 403
    data = {"label": "roof", "expires_at_0": "", "expires_at_1": ""}
    post(browser, reverse("admin:credentials_key_change", args=[key.pk]), data)

    key.refresh_from_db()
    assert key.label == "roof"
