"""manage.py revokekey"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from credentials import keys, services
from credentials.management.base import CredentialsCommand
from credentials.models import Client, Key


class Command(CredentialsCommand):
    help = (
        "Revoke a key of a client for good, or all of them. Connections that use it are closed "
        "within about a second."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="name of the client")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "keyid",
            nargs="?",
            metavar="KEYID",
            help="the key's id, as `manage.py listclients` shows it",
        )
        which.add_argument("--all", action="store_true", help="every key of the client")

    def handle(self, *_args: Any, **options: Any) -> None:
        client = self.client_named(options["name"])
        if options["all"]:
            count = services.client_revoke_keys(client=client)
            self.note(f"Revoked {count} key{'' if count == 1 else 's'} of {client.name}.")
        else:
            self._revoke_one(client, options["keyid"])
        if not client.keys.filter(Key.live(timezone.now())).exists():
            self.note(
                f"{client.name} has no live key and cannot connect. "
                f"`manage.py rotatekey {client.name}` makes one."
            )

    def _revoke_one(self, client: Client, public_id: str) -> None:
        if keys.is_generated(public_id):
            # Not repeated in the message, which may end up in a log.
            raise CommandError(
                "That is a whole key, not a key id. The id is the part between the two "
                "underscores. As the key is in your shell's history now, do revoke it."
            )
        key = client.keys.filter(public_id=public_id).first()
        if key is None:
            raise CommandError(
                f"{client.name} has no key with the id {public_id!r}. `manage.py listclients` "
                "shows the ids of its keys."
            )
        if services.key_revoke(key=key):
            self.note(f"Revoked key {public_id} of {client.name}.")
        else:
            self.note(f"Key {public_id} of {client.name} was revoked already.")
