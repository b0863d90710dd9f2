"""Names and keys to grants, and everything that takes them away."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from credentials import keys, selectors, services
from credentials.chosen_keys import ChosenKeyVerifier
from credentials.models import Client, Key
from tests.django.conftest import NOW, Hashes

pytestmark = pytest.mark.django_db

CHOSEN = "correct horse battery staple"


def grants(name: str, key: str) -> selectors.ClientGrants | None:
    return selectors.authenticate(name=name, key=key, now=NOW)


def test_a_generated_key_gives_what_was_granted_and_nothing_more() -> None:
    _, nothing = services.client_create(name="nobody")
    _, key = services.client_create(
        name="web", sub=["a", "b:c"], pub=["*"], watch=["a/d"], max_connections=7, group=True
    )
    empty, found = grants("nobody", nothing), grants("web", key)
    assert empty is not None
    assert (empty.sub, empty.pub, empty.watch) == ((), (), ())
    assert found is not None
    assert (found.sub, found.pub, found.watch) == (("a", "b:c"), ("*",), ("a/d",))
    assert (found.max_connections, found.group, found.rate) == (7, True, None)


def test_every_refusal_is_none(hashes: Hashes) -> None:
    client, key = services.client_create(name="web")
    _, other = services.client_create(name="other")
    services.key_add_chosen(client=client, key=CHOSEN)
    assert grants("web", CHOSEN) is not None
    for name, presented in [
        ("nobody", key),
        ("web", other),
        ("web", key[:-1]),
        ("web", key[:-1] + ("a" if key[-1] != "a" else "b")),
        ("web", ""),
        ("web", CHOSEN + "x"),
        ("nobody", CHOSEN),
        ("WEB", key),
        ("web\0", CHOSEN),
        ("web", "\ud800" * 20),
        ("w" * 100_000, "k" * 100_000),
    ]:
        assert grants(name, presented) is None, (name[:20], presented[:20])
    services.client_disable(client=client)
    assert grants("web", key) is None
    assert grants("web", CHOSEN) is None
    services.client_enable(client=client)
    assert grants("web", key) is not None
    services.client_revoke_keys(client=client, at=NOW)
    assert grants("web", key) is None


def test_expiry_is_to_the_moment() -> None:
    client, _ = services.client_create(name="web")
    _, key = services.key_generate(client=client, expires_at=NOW)
    before = selectors.authenticate(name="web", key=key, now=NOW - timedelta(microseconds=1))
    assert before is not None
    assert before.key_expires_at == NOW
    assert grants("web", key) is None


def test_what_is_stored_is_no_key(hashes: Hashes) -> None:
    client, key = services.client_create(name="web")
    services.key_add_chosen(client=client, key=CHOSEN)
    for row in Key.objects.all():
        assert key not in row.digest
        assert CHOSEN not in row.digest
        assert row.digest not in repr(row) + str(row)
    assert Key.objects.get(kind=Key.Kind.GENERATED).digest == keys.digest(key)


def test_one_slow_hash_for_any_stranger_and_none_for_generated_keys(hashes: Hashes) -> None:
    client, key = services.client_create(name="web")
    services.key_add_chosen(client=client, key=CHOSEN)
    grants("web", key)
    grants("nobody", key)
    assert hashes == []
    grants("nobody", CHOSEN)
    grants("web", CHOSEN + "x")
    grants("", "")
    assert len(hashes) == 3


def test_a_right_chosen_key_is_hashed_once(hashes: Hashes) -> None:
    client, _ = services.client_create(name="web")
    services.key_add_chosen(client=client, key=CHOSEN)
    for _ in range(50):
        assert grants("web", CHOSEN) is not None
    assert len(hashes) == 1
    services.client_revoke_keys(client=client, at=NOW)
    assert grants("web", CHOSEN) is None


def test_a_storm_of_one_key_is_hashed_once() -> None:
    at_work, go_on = threading.Event(), threading.Event()
    calls: list[str] = []

    def slow(encoded: str | None, presented: str) -> bool:
        calls.append(presented)
        at_work.set()
        assert go_on.wait(10)
        return True

    verifier = ChosenKeyVerifier(compare=slow)
    answers: list[bool] = []

    def ask() -> None:
        answers.append(verifier.verify(name="web", encoded="hash", presented=CHOSEN))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert at_work.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert answers == [True] * 20
    assert len(calls) == 1


def test_the_memory_of_right_keys_is_bounded() -> None:
    verifier = ChosenKeyVerifier(capacity=10, compare=lambda _encoded, _key: True)
    for number in range(100):
        verifier.verify(name="web", encoded="hash", presented=f"key-{number}")
    assert len(verifier._right) == 10


@pytest.mark.parametrize(
    "key", ["short", "x" * 15, " " * 20, "tab\tin the middle of it", "thk_" * 5]
)
def test_unfit_chosen_keys_are_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        services.client_create(name="web", key=key)
    assert not Client.objects.exists()


def test_every_change_of_rights_counts_the_revision_up(counted_up: Callable[[], bool]) -> None:
    client, _ = services.client_create(name="web")
    assert counted_up()
    services.permission_grant(client=client, kind="sub", pattern="a")
    assert counted_up()
    services.permission_revoke(client=client, kind="sub", pattern="a")
    assert counted_up()
    row, _ = services.key_generate(client=client)
    assert counted_up()
    services.key_revoke(key=row)
    assert counted_up()
    services.client_disable(client=client)
    assert counted_up()
    services.client_delete(client=client)
    assert counted_up()
    services.note_seen(key_ids=[row.pk], at=NOW)
    assert not counted_up()


def test_current_grants_tell_what_is_left(
    django_assert_num_queries: Callable[[int], object],
) -> None:
    made = [services.client_create(name=f"c{n}", sub=[f"a{n}"]) for n in range(20)]
    found = [grants(client.name, key) for client, key in made]
    key_ids = [g.key_id for g in found if g is not None]
    services.client_disable(client=made[0][0])
    services.permission_grant(client=made[1][0], kind="pub", pattern="new")
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        current = selectors.current_grants(key_ids=key_ids, now=NOW)
    assert set(current) == set(key_ids[1:])
    assert current[key_ids[1]].pub == ("new",)


def test_last_seen(django_assert_num_queries: Callable[[int], object]) -> None:
    client, key = services.client_create(name="web")
    found = grants("web", key)
    assert found is not None
    services.note_seen(key_ids=[found.key_id], at=NOW)
    services.note_seen(key_ids=[found.key_id], at=NOW - timedelta(hours=1))
    client.refresh_from_db()
    assert client.last_seen == NOW
    assert client.keys.get().last_used == NOW
