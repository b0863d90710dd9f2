"""Every read of credentials. Blocking: call from a thread, and close its connection when done.

What a connection may do is read once, by `authenticate`, and held in memory. To keep it true,
read `revision()` before authenticating and compare it afterwards at short intervals: when it
differs, `current_grants` gives what the keys in use are good for now, and a key that is missing
from the answer is good for nothing. Expiry changes no revision; `key_expires_at` tells it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, QuerySet
from django.utils import timezone

from credentials import keys
from credentials.chosen_keys import ChosenKeyVerifier
from credentials.models import Client, Key, Permission, Revision
from credentials.validators import CLIENT_NAME

#: SQLite takes a limited number of parameters; past this many keys all rows are read and sifted.
MANY_KEYS: Final = 500

#: Compared with when there is no row. No key has a digest of this length.
_NO_DIGEST: Final = ""

_verifier = ChosenKeyVerifier()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGrants:
    """What one key of one client is good for."""

    client_id: int
    name: str
    #: Primary key of the key's row.
    key_id: int
    #: The key is good for nothing from this moment on; None: no end is set.
    key_expires_at: datetime | None
    #: Connections the client may hold at a time.
    max_connections: int
    #: Each task goes to one of the client's connections only.
    group: bool
    #: Commands a second of one connection; None: no limit.
    rate: int | None
    #: Patterns of the actions it may subscribe to.
    sub: tuple[str, ...]
    #: Patterns of the actions it may publish.
    pub: tuple[str, ...]
    #: Patterns of the actions it may watch without taking part.
    watch: tuple[str, ...]


def authenticate(*, name: str, key: str, now: datetime | None = None) -> ClientGrants | None:
    """The grants of that client if the key is one of its live keys, else None.

    None is the one answer for an unknown name, a wrong, revoked or expired key and a disabled
    client, and takes as long for each: one query for a generated key; one query and one password
    hash (about 0.2 s of CPU without the GIL) for any other. Callers bound those by a small pool.
    """
    now = now or timezone.now()
    try:
        key.encode()
    except UnicodeEncodeError:  # a lone surrogate: no key can hold one, and no hash takes it
        return None
    found = (
        _find_generated(name, key, now) if keys.is_generated(key) else _find_chosen(name, key, now)
    )
    if found is None:
        return None
    return _grants([found])[found.pk]


def authenticate_bearer(*, key: str, now: datetime | None = None) -> ClientGrants | None:
    """The grants of the client whose live key this is, else None: for who sends no name.

    Only a generated key says whose it is. None is the one answer, after the same time, as in
    `authenticate`: one query for whatever is formed like a key.
    """
    found = _find_generated(None, key, now or timezone.now())
    return None if found is None else _grants([found])[found.pk]


def current_grants(
    *, key_ids: Collection[int], now: datetime | None = None
) -> dict[int, ClientGrants]:
    """Those of the keys (by primary key) that are still good, with their grants as of now.

    Two queries, whatever the number of keys.
    """
    live = _live_keys(now or timezone.now())
    if len(key_ids) <= MANY_KEYS:
        return _grants(live.filter(pk__in=key_ids))
    wanted = frozenset(key_ids)
    return _grants(key for key in live if key.pk in wanted)


def revision() -> int:
    """A number that differs after any change of anybody's rights. One query on one row."""
    value = Revision.objects.filter(pk=Revision.ROW).values_list("value", flat=True)
    return next(iter(value), 0)


def clients_summarised(clients: QuerySet[Client], now: datetime) -> QuerySet[Client]:
    """The clients with `live_keys` (a count) annotated and their permissions at hand."""
    count = Count("keys", filter=Key.live(now, "keys__"), distinct=True)
    return clients.annotate(live_keys=count).prefetch_related("permissions")


def clients_page(*, name: str | None, after: str | None, limit: int) -> list[Client]:
    """Clients by name with their permissions at hand; ``name``: that one, ``after``: those past."""
    found = Client.objects.order_by("name").prefetch_related("permissions")
    if name is not None:
        found = found.filter(name=name)
    if after is not None:
        found = found.filter(name__gt=after)
    return list(found[:limit])


def patterns_by_kind(permissions: Iterable[Permission]) -> dict[str, list[str]]:
    """The patterns of one client's permissions under `sub`, `pub` and `watch`, sorted."""
    kinds: dict[str, list[str]] = {kind: [] for kind in Permission.Kind.values}
    for permission in permissions:
        kinds[permission.kind].append(permission.pattern)
    return {kind: sorted(patterns) for kind, patterns in kinds.items()}


def _live_keys(now: datetime) -> QuerySet[Key]:
    return Key.objects.filter(Key.live(now), client__enabled=True).select_related("client")


def _find_generated(name: str | None, key: str, now: datetime) -> Key | None:
    """``name`` None: whoever's key it is."""
    public_id = keys.key_parse(key)
    if public_id is None:
        return None
    # By the key's id alone: the name asked for has no part in how long this takes.
    row = Key.objects.select_related("client").filter(public_id=public_id).first()
    right = keys.digest_matches(row.digest if row else _NO_DIGEST, key)
    if row is None or not right or name not in (None, row.client.name):
        return None
    return row if row.client.enabled and row.state(now) == "live" else None


def _find_chosen(name: str, key: str, now: datetime) -> Key | None:
    row = None
    if CLIENT_NAME.match(name):  # others (a NUL, a kilobyte) need not reach the database
        candidates = _live_keys(now).filter(kind=Key.Kind.CHOSEN, client__name=name)
        row = candidates.order_by("-pk").first()
    right = _verifier.verify(name=name, encoded=row.digest if row else None, presented=key)
    return row if right else None


def _grants(live_keys: Iterable[Key]) -> dict[int, ClientGrants]:
    rows = list(live_keys)
    permitted: dict[int, list[Permission]] = defaultdict(list)
    clients = {row.client_id for row in rows}
    permissions = Permission.objects.all()
    if len(clients) <= MANY_KEYS:
        permissions = permissions.filter(client__in=clients)
    for permission in permissions:
        permitted[permission.client_id].append(permission)
    return {row.pk: _grants_of(row, permitted[row.client_id]) for row in rows}


def _grants_of(key: Key, permissions: Iterable[Permission]) -> ClientGrants:
    client = key.client
    patterns = patterns_by_kind(permissions)
    return ClientGrants(
        client_id=client.pk,
        name=client.name,
        key_id=key.pk,
        key_expires_at=key.expires_at,
        max_connections=client.max_connections,
        group=client.group,
        rate=client.rate,
        sub=tuple(patterns["sub"]),
        pub=tuple(patterns["pub"]),
        watch=tuple(patterns["watch"]),
    )
