"""manage.py listclients"""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.utils import timezone

from credentials import selectors
from credentials.management.base import CredentialsCommand
from credentials.models import Client, Key

HEADINGS = ("NAME", "ENABLED", "LIVE KEYS", "SUB", "PUB", "WATCH", "LAST SEEN")


class Command(CredentialsCommand):
    help = "List the clients with their permissions and key ids. Secrets are never shown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="an array of objects, with revoked keys too"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        now = timezone.now()
        clients = Client.objects.prefetch_related("permissions", "keys")
        if options["json"]:
            rows = [_as_object(client, now) for client in clients]
            self.stdout.write(json.dumps(rows, indent=2))
            return
        table = [_as_row(client, now) for client in clients]
        if not table:
            self.note("There are no clients yet. `manage.py createclient NAME` makes one.")
            return
        for line in _aligned([HEADINGS, *table]):
            self.stdout.write(line)


def _as_object(client: Client, now: datetime) -> dict[str, Any]:
    return {
        "name": client.name,
        "enabled": client.enabled,
        "max_connections": client.max_connections,
        "group": client.group,
        "rate": client.rate,
        **selectors.patterns_by_kind(client.permissions.all()),
        "last_seen": _time(client.last_seen),
        "keys": [_key_as_object(key, now) for key in client.keys.all()],
    }


def _key_as_object(key: Key, now: datetime) -> dict[str, Any]:
    return {
        "id": key.public_id,
        "kind": key.kind,
        "state": key.state(now),
        "label": key.label,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
        "last_used": _time(key.last_used),
    }


def _as_row(client: Client, now: datetime) -> tuple[str, ...]:
    patterns = selectors.patterns_by_kind(client.permissions.all())
    live = [key.public_id for key in client.keys.all() if key.state(now) == "live"]
    kinds = (patterns["sub"], patterns["pub"], patterns["watch"])
    return (
        client.name,
        "yes" if client.enabled else "no",
        ",".join(live) or "-",
        *(",".join(kind) or "-" for kind in kinds),
        _time(client.last_seen) or "never",
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
