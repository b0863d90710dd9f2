"""Every write of credentials, for the admin, the commands and the hub.

Whatever may change somebody's rights counts the revision up in the same transaction, so that a
reader who sees the new number also sees the change. Wrong values raise Django's ValidationError.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from credentials import keys
from credentials.models import Client, Key, Permission, Revision

SHORTEST_CHOSEN_KEY: Final = 16
LONGEST_CHOSEN_KEY: Final = 256

#: Rows one UPDATE names by their keys; SQLite takes a limited number of parameters.
_CHUNK: Final = 500

#: What a person edits. The rest of a row belongs to the hub, whose writes a form must not undo.
_CLIENT_FIELDS: Final = ("name", "enabled", "max_connections", "group", "rate", "notes")
_KEY_FIELDS: Final = ("label", "expires_at")


@contextmanager
def _change_of_rights() -> Iterator[None]:
    with transaction.atomic():
        yield
        # Last, as the row stays locked until the end of the transaction.
        _revision_bump()


def _revision_bump() -> None:
    row = Revision.objects.filter(pk=Revision.ROW)
    if not row.update(value=F("value") + 1):
        # The first change of a new database. Two at once: one inserts, both count.
        Revision.objects.bulk_create([Revision(pk=Revision.ROW, value=0)], ignore_conflicts=True)
        row.update(value=F("value") + 1)


def client_create(
    *,
    name: str,
    key: str | None = None,
    sub: Iterable[str] = (),
    pub: Iterable[str] = (),
    watch: Iterable[str] = (),
    max_connections: int | None = None,
    group: bool = False,
) -> tuple[Client, str]:
    """A new client with its permissions and one key, all or nothing; the key in the clear.

    `key` is a chosen key; without it one is generated. Raises ValidationError.
    """
    client = Client(name=name, group=group)
    if max_connections is not None:
        client.max_connections = max_connections
    # Before the transaction: the slow hash must not hold the database's one write lock.
    chosen = None if key is None else _key_chosen(key)
    with _change_of_rights():
        client_add(client=client)
        for kind, patterns in (("sub", sub), ("pub", pub), ("watch", watch)):
            for pattern in patterns:
                permission_grant(client=client, kind=kind, pattern=pattern)
        if chosen is not None:
            _key_store(client, chosen)
        if key is None:
            _, key = key_generate(client=client)
    return client, key


def client_add(*, client: Client) -> None:
    """Store a new client, which has no key yet. Raises ValidationError."""
    client.full_clean()
    with _change_of_rights():
        client.save(force_insert=True)


def client_save(*, client: Client) -> None:
    """Store what a person changed of a client. Raises ValidationError."""
    client.full_clean()
    with _change_of_rights():
        client.save(update_fields=_CLIENT_FIELDS)


def client_enable(*, client: Client) -> None:
    """Let the client connect again."""
    _client_switch(client, enabled=True)


def client_disable(*, client: Client) -> None:
    """Refuse the client from now on. Its keys stay as they are."""
    _client_switch(client, enabled=False)


def _client_switch(client: Client, *, enabled: bool) -> None:
    client.enabled = enabled
    with _change_of_rights():
        Client.objects.filter(pk=client.pk).update(enabled=enabled)


def client_delete(*, client: Client) -> None:
    """Delete the client with its keys and permissions."""
    with _change_of_rights():
        client.delete()


def client_revoke_keys(*, client: Client, at: datetime | None = None) -> int:
    """Revoke every key of the client that is not yet revoked; how many those were."""
    with _change_of_rights():
        unrevoked = Key.objects.filter(client=client, revoked_at__isnull=True)
        return unrevoked.update(revoked_at=at or timezone.now())


def key_generate(
    *, client: Client, label: str = "", expires_at: datetime | None = None
) -> tuple[Key, str]:
    """A new generated key and, for this one time, its plaintext."""
    generated = keys.key_generate()
    row = Key(
        public_id=generated.public_id,
        kind=Key.Kind.GENERATED,
        digest=generated.digest,
        label=label,
        expires_at=expires_at,
    )
    _key_store(client, row)
    return row, generated.plaintext


def key_add_chosen(*, client: Client, key: str, label: str = "") -> Key:
    """Store a key somebody chose, as a password hash. Raises ValidationError."""
    row = _key_chosen(key, label)
    _key_store(client, row)
    return row


def _key_chosen(key: str, label: str = "") -> Key:
    _refuse_unfit(key)
    return Key(
        public_id=keys.public_id_generate(),
        kind=Key.Kind.CHOSEN,
        digest=make_password(key),
        label=label,
    )


def _key_store(client: Client, row: Key) -> None:
    row.client = client
    with _change_of_rights():
        # Two chosen keys stored at once would each see no other.
        Client.objects.select_for_update().get(pk=client.pk)
        row.full_clean()
        row.save(force_insert=True)


def _refuse_unfit(key: str) -> None:
    if not SHORTEST_CHOSEN_KEY <= len(key) <= LONGEST_CHOSEN_KEY:
        raise ValidationError(
            f"A chosen key has {SHORTEST_CHOSEN_KEY} to {LONGEST_CHOSEN_KEY} characters; "
            f"this one has {len(key)}."
        )
    if not key.isprintable() or key != key.strip():
        raise ValidationError(
            "A chosen key has no control characters, and no space at its beginning or end: "
            "they get lost on the way into a configuration."
        )
    if keys.is_generated(key):
        raise ValidationError(
            f"A chosen key cannot begin with {keys.PREFIX}, which marks generated keys."
        )


def key_rotate(
    *, client: Client, expire_old_at: datetime | None = None, label: str = ""
) -> tuple[Key, str]:
    """A new generated key; the older ones end at that time at the latest, or stay as they are."""
    with _change_of_rights():
        row, plaintext = key_generate(client=client, label=label)
        if expire_old_at is not None:
            later = Q(expires_at__isnull=True) | Q(expires_at__gt=expire_old_at)
            older = Key.objects.filter(later, client=client, revoked_at__isnull=True)
            older.exclude(pk=row.pk).update(expires_at=expire_old_at)
    return row, plaintext


def key_save(*, key: Key) -> None:
    """Store what a person changed of a key: its label and expiry. Raises ValidationError."""
    key.full_clean()
    with _change_of_rights():
        key.save(update_fields=_KEY_FIELDS)


def key_revoke(*, key: Key, at: datetime | None = None) -> bool:
    """Revoke the key for good. False if it was revoked before; the first time stays."""
    with _change_of_rights():
        unrevoked = Key.objects.filter(pk=key.pk, revoked_at__isnull=True)
        return bool(unrevoked.update(revoked_at=at or timezone.now()))


def key_delete(*, key: Key) -> None:
    """Delete the key and the record that it existed. To withdraw a key, revoke it."""
    with _change_of_rights():
        key.delete()


def permission_grant(*, client: Client, kind: str, pattern: str) -> Permission:
    """Let the client do `kind` (sub, pub, watch) with what the pattern covers. Idempotent."""
    permission = Permission(client=client, kind=kind, pattern=pattern)
    permission.full_clean(validate_constraints=False)
    with _change_of_rights():
        granted, _ = Permission.objects.get_or_create(client=client, kind=kind, pattern=pattern)
    return granted


def permission_revoke(*, client: Client, kind: str, pattern: str) -> bool:
    """Take back exactly this permission. False if the client did not have it."""
    with _change_of_rights():
        deleted, _ = Permission.objects.filter(client=client, kind=kind, pattern=pattern).delete()
    return bool(deleted)


def permission_save(*, permission: Permission) -> None:
    """Store a permission a person added or changed. Raises ValidationError."""
    permission.full_clean()
    with _change_of_rights():
        permission.save()


def permission_delete(*, permission: Permission) -> None:
    """Take back a permission."""
    with _change_of_rights():
        permission.delete()


def note_seen(*, key_ids: Collection[int], at: datetime) -> None:
    """Record that these keys (by primary key) and their clients were in use at that time.

    Changes nobody's rights, so the revision stays.
    """
    ids = list(key_ids)
    earlier = Q(last_used__isnull=True) | Q(last_used__lt=at)
    seen_earlier = Q(last_seen__isnull=True) | Q(last_seen__lt=at)
    with transaction.atomic():
        for start in range(0, len(ids), _CHUNK):
            chunk = Key.objects.filter(pk__in=ids[start : start + _CHUNK])
            chunk.filter(earlier).update(last_used=at)
            clients = Client.objects.filter(seen_earlier, pk__in=chunk.values("client"))
            clients.update(last_seen=at)
