"""Who gets in with what, and how much work a refusal is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from credentials import keys, selectors, services
from credentials.models import Key
from credentials.selectors import ClientGrants, authenticate, authenticate_bearer, current_grants
from tests.django.conftest import NOW, Hashes

pytestmark = pytest.mark.django_db

CHOSEN = "correct-horse-battery"
MINUTE = timedelta(minutes=1)


def _make(key: str | None = None, name: str = "mailer") -> tuple[Key, str]:
    client, plaintext = services.client_create(
        name=name, key=key, sub=["email", "a:b"], pub=["*"], max_connections=7, group=True
    )
    return client.keys.get(), plaintext


def _expected(key: Key) -> ClientGrants:
    return ClientGrants(
        client_id=key.client_id,
        name="mailer",
        key_id=key.pk,
        key_expires_at=None,
        max_connections=7,
        group=True,
        rate=None,
        sub=("a:b", "email"),
        pub=("*",),
        watch=(),
    )


@pytest.mark.parametrize("chosen", [None, CHOSEN])
def test_the_right_key_gets_the_grants(chosen: str | None, hashes: Hashes) -> None:
    key, plaintext = _make(chosen)

    assert authenticate(name="mailer", key=plaintext) == _expected(key)


def test_a_generated_key_alone_says_whose_it_is(
    hashes: Hashes, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, plaintext = _make()

    with django_assert_num_queries(2):
        assert authenticate_bearer(key=plaintext) == _expected(key)
    # A key that is formed like one costs the same query, whether it was ever made or not.
    for wrong in (keys.key_generate().plaintext, plaintext[:-1], CHOSEN, ""):
        with django_assert_num_queries(1 if keys.key_parse(wrong) else 0):
            assert authenticate_bearer(key=wrong) is None
    services.key_revoke(key=key)
    assert authenticate_bearer(key=plaintext) is None
    assert hashes == []


def test_a_generated_key_costs_two_queries_and_no_slow_hash(
    hashes: Hashes, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, plaintext = _make()

    with django_assert_num_queries(2):
        assert authenticate(name="mailer", key=plaintext)
    assert hashes == []


def _revoke(key: Key) -> None:
    services.key_revoke(key=key)


def _expire(key: Key) -> None:
    Key.objects.filter(pk=key.pk).update(expires_at=NOW)


def _disable(key: Key) -> None:
    services.client_disable(client=key.client)


def _delete_key(key: Key) -> None:
    services.key_delete(key=key)


def _delete_client(key: Key) -> None:
    services.client_delete(client=key.client)


SPOILED = [_revoke, _expire, _disable, _delete_key, _delete_client]


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize(("chosen", "slow"), [(None, 0), (CHOSEN, 1)])
def test_a_key_that_is_good_no_more_is_refused_with_the_same_work(
    chosen: str | None,
    slow: int,
    spoil: Callable[[Key], None],
    hashes: Hashes,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, plaintext = _make(chosen)
    assert authenticate(name="mailer", key=plaintext, now=NOW)  # which also warms what remembers
    hashes.clear()
    spoil(key)

    with django_assert_num_queries(1):
        assert authenticate(name="mailer", key=plaintext, now=NOW) is None
    assert len(hashes) == slow


@pytest.mark.parametrize(
    ("name", "presented", "slow", "queries"),
    [
        ("mailer", "wrong-horse-battery", 1, 1),
        ("nobody", "wrong-horse-battery", 1, 1),
        ("nobody", CHOSEN, 1, 1),
        ("other", CHOSEN, 1, 1),  # has a generated key only
        ("mailer", "", 1, 1),
        ("a\0b", CHOSEN, 1, 0),
        ("mailer", keys.key_generate().plaintext, 0, 1),
        ("nobody", keys.key_generate().plaintext, 0, 1),
        ("mailer", "thk_abcdefgh_mistyped", 0, 0),
        ("nobody", "thk_abcdefgh_mistyped", 0, 0),
        ("mailer", "\ud800", 0, 0),
    ],
)
def test_a_stranger_is_refused_with_the_same_work(
    name: str,
    presented: str,
    slow: int,
    queries: int,
    hashes: Hashes,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    _make(CHOSEN)
    services.client_create(name="other")

    with django_assert_num_queries(queries):
        assert authenticate(name=name, key=presented) is None
    assert len(hashes) == slow


def test_a_key_works_for_its_own_client_alone(hashes: Hashes) -> None:
    _, plaintext = _make()
    _make(CHOSEN, name="other")

    assert authenticate(name="other", key=plaintext) is None
    assert authenticate(name="mailer", key=CHOSEN) is None
    assert authenticate(name="MAILER", key=plaintext) is None


def test_a_guessed_secret_for_a_known_key_id_is_refused(hashes: Hashes) -> None:
    key, _ = _make()
    body = f"thk_{key.public_id}_" + "0" * keys.SECRET_LENGTH

    assert authenticate(name="mailer", key=body + keys.checksum(body)) is None


def test_a_stored_digest_is_no_key(hashes: Hashes) -> None:
    generated, _ = _make()
    chosen, _ = _make(CHOSEN, name="other")

    assert authenticate(name="mailer", key=generated.digest) is None
    assert authenticate(name="other", key=chosen.digest) is None
    assert CHOSEN not in chosen.digest


def test_a_key_is_good_until_the_moment_it_expires(hashes: Hashes) -> None:
    key, _ = _make()
    _, plaintext = services.key_generate(client=key.client, expires_at=NOW)

    before = authenticate(name="mailer", key=plaintext, now=NOW - MINUTE)
    assert before is not None
    assert before.key_expires_at == NOW
    assert authenticate(name="mailer", key=plaintext, now=NOW) is None


def test_current_grants_are_those_of_the_keys_still_good(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    made = [_make(name=f"client-{number}")[0] for number in range(6)]
    spoiled, good = made[: len(SPOILED)], made[len(SPOILED)]
    ids = [key.pk for key in made]
    for spoil, key in zip(SPOILED, spoiled, strict=True):
        spoil(key)

    with django_assert_num_queries(2):
        grants = current_grants(key_ids=ids, now=NOW)

    assert grants == {good.pk: replace(_expected(good), name="client-5")}
    assert current_grants(key_ids=[], now=NOW) == {}


def test_current_grants_of_very_many_keys(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(selectors, "MANY_KEYS", 1)
    first, second, third = (_make(name=name)[0] for name in ("a", "b", "c"))

    with django_assert_num_queries(2):
        grants = current_grants(key_ids={first.pk, third.pk, 99_999}, now=NOW)

    assert sorted(grants) == [first.pk, third.pk]
    assert grants[third.pk] == replace(_expected(third), name="c")
    assert second.pk not in grants
