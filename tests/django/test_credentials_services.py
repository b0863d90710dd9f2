"""What changes credentials: each change counts the revision up, or leaves nothing behind."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from credentials import selectors, services
from credentials.models import Client, Key, Permission, Revision
from credentials.selectors import authenticate
from tests.django.conftest import NOW, Hashes

pytestmark = pytest.mark.django_db

CHOSEN = "correct-horse-battery"
MINUTE = timedelta(minutes=1)


def _make(key: str | None = None, name: str = "mailer") -> tuple[Key, str]:
    client, plaintext = services.client_create(name=name, key=key, sub=["email"], pub=["*"])
    return client.keys.get(), plaintext


CHANGES: list[Callable[[Key], object]] = [
    lambda key: services.client_create(name="new"),
    lambda key: services.client_save(client=key.client),
    lambda key: services.client_enable(client=key.client),
    lambda key: services.client_disable(client=key.client),
    lambda key: services.client_delete(client=key.client),
    lambda key: services.client_revoke_keys(client=key.client),
    lambda key: services.key_generate(client=key.client),
    lambda key: services.key_add_chosen(client=key.client, key=CHOSEN),
    lambda key: services.key_rotate(client=key.client, expire_old_at=NOW),
    lambda key: services.key_save(key=key),
    lambda key: services.key_revoke(key=key),
    lambda key: services.key_delete(key=key),
    lambda key: services.permission_grant(client=key.client, kind="watch", pattern="x"),
    lambda key: services.permission_revoke(client=key.client, kind="pub", pattern="*"),
    lambda key: services.permission_save(permission=Permission.objects.all()[0]),
    lambda key: services.permission_delete(permission=Permission.objects.all()[0]),
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_rights_counts_the_revision_up(
    change: Callable[[Key], object], fast_hasher: None, counted_up: Callable[[], bool]
) -> None:
    key, _ = _make()
    assert counted_up()

    change(key)
    assert counted_up()


def test_the_revision_is_one_row_and_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    assert selectors.revision() == 0
    key, _ = _make()
    services.key_revoke(key=key)

    assert Revision.objects.count() == 1
    with django_assert_num_queries(1):
        assert selectors.revision() > 0


def test_a_change_that_fails_leaves_nothing(counted_up: Callable[[], bool]) -> None:
    with pytest.raises(ValidationError):
        services.client_create(name="mailer", sub=["fine", "not fine"])

    assert not Client.objects.exists()
    assert not counted_up()


def test_being_seen_is_recorded_and_changes_no_rights(
    monkeypatch: pytest.MonkeyPatch, counted_up: Callable[[], bool]
) -> None:
    monkeypatch.setattr(services, "_CHUNK", 2)
    made = [_make(name=name)[0] for name in ("a", "b", "c")]
    unseen, _ = services.key_generate(client=made[0].client)
    assert counted_up()

    services.note_seen(key_ids=[key.pk for key in made], at=NOW)
    services.note_seen(key_ids=[made[0].pk], at=NOW - MINUTE)
    services.note_seen(key_ids=[], at=NOW)

    assert not counted_up()
    assert [client.last_seen for client in Client.objects.all()] == [NOW] * 3
    assert {key.last_used for key in Key.objects.exclude(pk=unseen.pk)} == {NOW}
    unseen.refresh_from_db()
    assert unseen.last_used is None


def test_a_form_saved_late_does_not_undo_what_the_hub_wrote(fast_hasher: None) -> None:
    key, _ = _make()
    client = Client.objects.get()
    services.note_seen(key_ids=[key.pk], at=NOW)
    services.key_revoke(key=key)

    services.client_save(client=client)
    services.key_save(key=key)

    assert Client.objects.get().last_seen == NOW
    assert Key.objects.get().revoked_at is not None


def test_revoking_twice_keeps_the_first_time() -> None:
    key, _ = _make()

    assert services.key_revoke(key=key, at=NOW)
    assert not services.key_revoke(key=key, at=NOW + MINUTE)
    assert services.client_revoke_keys(client=key.client, at=NOW + MINUTE) == 0
    assert Key.objects.get().revoked_at == NOW


def test_rotation_only_ever_shortens_a_life() -> None:
    key, _ = _make()
    sooner, _ = services.key_generate(client=key.client, expires_at=NOW - MINUTE)

    new, _ = services.key_rotate(client=key.client, expire_old_at=NOW)

    ends = {row.pk: row.expires_at for row in Key.objects.all()}
    assert ends == {key.pk: NOW, sooner.pk: NOW - MINUTE, new.pk: None}


@pytest.mark.parametrize(
    "key",
    ["short", "a" * 257, "thk_" + "a" * 30, " spaces-around-it-all ", "tab\tinside-of-it-all"],
)
def test_an_unfit_chosen_key_is_refused(key: str, fast_hasher: None) -> None:
    with pytest.raises(ValidationError):
        services.client_create(name="mailer", key=key)
    assert not Client.objects.exists()


def test_one_live_chosen_key_at_a_time(hashes: Hashes) -> None:
    first, _ = _make(CHOSEN)
    with pytest.raises(ValidationError, match="chosen key already"):
        services.key_add_chosen(client=first.client, key="another-horse-battery")

    services.key_revoke(key=first)
    services.key_add_chosen(client=first.client, key="another-horse-battery")

    assert authenticate(name="mailer", key=CHOSEN) is None
    assert authenticate(name="mailer", key="another-horse-battery")


def test_granting_twice_is_granting_once() -> None:
    client, _ = services.client_create(name="mailer", sub=["a", "a"])
    services.permission_grant(client=client, kind="sub", pattern="a")

    assert client.permissions.count() == 1
    assert services.permission_revoke(client=client, kind="sub", pattern="a")
    assert not services.permission_revoke(client=client, kind="sub", pattern="a")
    with pytest.raises(ValidationError):
        services.permission_grant(client=client, kind="rule", pattern="a")


@pytest.mark.parametrize("wrong", [{"max_connections": 0}, {"rate": 0}])
def test_the_database_itself_refuses_impossible_numbers(wrong: dict[str, int]) -> None:
    _make()
    with pytest.raises(IntegrityError), transaction.atomic():
        Client.objects.update(**wrong)
