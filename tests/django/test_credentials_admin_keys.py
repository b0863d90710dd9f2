"""How a key is handed out in the admin: by whom, and that its secret is seen once."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from credentials import services
from credentials.models import Client, Key, Permission
from credentials.selectors import authenticate
from tests.django.admin_pages import (
    CLIENTS,
    FORM,
    KEYS,
    Moved,
    change_url,
    generate_url,
    inlines,
    key_on,
    post,
    staff,
    text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hashes")]


def _everything_the_site_keeps() -> str:
    sessions = [str(session.get_decoded()) for session in Session.objects.all()]
    logged = [f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all()]
    rows = [str(list(model.objects.values())) for model in (Client, Key, Permission)]
    return " ".join(sessions + logged + rows)


def _seen_once(browser: Browser, answer: HttpResponse, key: str) -> bool:
    """Whether the key's page is not cached and its secret is nowhere else."""
    assert "no-store" in answer["Cache-Control"]
    secret = key.rpartition("_")[2]  # a message is shown with its first letter in upper case
    assert secret not in _everything_the_site_keeps()
    client = Client.objects.get()
    pages = [reverse(CLIENTS), reverse(KEYS), change_url(client), generate_url(client)]
    pages += [reverse("admin:credentials_client_history", args=[client.pk])]
    return not any(secret in text(browser.get(page)) for page in pages)  # type: ignore[arg-type]


def test_a_new_client_comes_with_a_key_that_works(browser: Browser, counted_up: Moved) -> None:
    browser.get(reverse("admin:credentials_client_add"))
    permission = Permission(kind="sub", pattern="email")

    answer = post(browser, reverse("admin:credentials_client_add"), {**FORM, **inlines(permission)})

    assert answer.status_code == 200
    key = key_on(answer)
    grants = authenticate(name="mailer", key=key)
    assert grants is not None
    assert (grants.sub, grants.max_connections) == (("email",), 5)
    assert _seen_once(browser, answer, key)
    assert counted_up()


def test_generate_key_shows_a_key_that_works_once(browser: Browser, counted_up: Moved) -> None:
    client, first = services.client_create(name="mailer")
    assert counted_up()
    assert generate_url(client) in text(browser.get(change_url(client)))  # type: ignore[arg-type]

    form = browser.get(generate_url(client))
    assert form.status_code == 200
    assert client.keys.count() == 1  # a GET makes nothing
    answer = post(browser, generate_url(client), {"label": "cellar"})

    key = key_on(answer)
    assert authenticate(name="mailer", key=key)
    assert authenticate(name="mailer", key=first)
    assert client.keys.get(label="cellar").expires_at is None
    assert _seen_once(browser, answer, key)
    assert counted_up()


def test_generate_key_with_an_expiry(browser: Browser) -> None:
    client, _ = services.client_create(name="mailer")
    url = generate_url(client)

    past = post(browser, url, {"expires_at_0": "2001-01-01", "expires_at_1": "00:00"})
    assert "This time has passed" in text(past)
    future = post(browser, url, {"expires_at_0": "2100-01-01", "expires_at_1": "00:00"})

    grants = authenticate(name="mailer", key=key_on(future))
    assert grants is not None
    assert grants.key_expires_at is not None
    assert grants.key_expires_at.year == 2100


def test_generate_key_needs_the_csrf_token(browser: Browser) -> None:
    client, _ = services.client_create(name="mailer")

    assert browser.post(generate_url(client)).status_code == 403
    assert client.keys.count() == 1


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        ([], 403),
        (["view_client", "view_key"], 403),
        (["view_client", "change_client"], 403),
        (["view_client", "add_key"], 403),
        (["change_client", "add_key"], 200),
    ],
)
def test_generate_key_needs_both_permissions(permissions: list[str], status: int) -> None:
    client, _ = services.client_create(name="mailer")
    person = staff(*permissions)

    assert person.post(generate_url(client)).status_code == status
    assert client.keys.count() == (2 if status == 200 else 1)


def test_generate_key_of_a_client_that_is_gone(browser: Browser) -> None:
    answer = browser.get(reverse("admin:credentials_client_generate_key", args=[4711]))

    assert answer.status_code == 302


def test_a_stranger_is_sent_to_the_login(browser: Browser) -> None:
    client, _ = services.client_create(name="mailer")

    answer = Browser().post(generate_url(client))

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))
    assert client.keys.count() == 1


def test_who_may_not_issue_keys_adds_a_client_without_one() -> None:
    person = staff("add_client", "change_client", "view_client")

    # Without rights on permissions and keys the page has no such tables.
    answer = person.post(reverse("admin:credentials_client_add"), FORM)

    assert answer.status_code == 302
    assert not Key.objects.exists()
    assert "Generate key" not in text(person.get(change_url(Client.objects.get())))  # type: ignore[arg-type]
