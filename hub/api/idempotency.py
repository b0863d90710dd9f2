"""``Idempotency-Key``: the same key is the same ids, and the wire's own rule does the rest (§4.7).

Nothing is stored for it: both ids follow from who asks and the key, so a repeat is known by any
process and after any restart. Keyed by the hub's secret: nobody can take another one's ids first.
"""

import re
from dataclasses import dataclass
from typing import Final

from django.utils.crypto import salted_hmac

from hub.api.problems import bad_field
from hub.core.access import Access

_SALT: Final = "hub.api.idempotency"
_KEY: Final = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """Ids of a task and of its init; None: made by the hub."""

    task_id: str | None = None
    event_id: str | None = None


def ids_of(header: str | None, by: Access, task_id: str | None) -> Ids:
    """The ids of a request with this ``Idempotency-Key``. Raises Refused."""
    if header is None:
        return Ids(task_id=task_id)
    key = header.strip()
    if not _KEY.fullmatch(key):
        raise bad_field('"Idempotency-Key" takes 1 to 255 printable ASCII characters.')
    return Ids(
        task_id=task_id or f"i-{_mac('task', by.client, key)}",
        event_id=f"i-{_mac('event', by.client, key)}",
    )


def _mac(what: str, client: str, key: str) -> str:
    # A client name holds no blank, so no two clients share a message.
    return salted_hmac(_SALT, f"{what} {client} {key}", algorithm="sha256").hexdigest()[:48]
