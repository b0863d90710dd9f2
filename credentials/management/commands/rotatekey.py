"""manage.py rotatekey"""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from credentials import services
from credentials.management.base import CredentialsCommand
from credentials.models import Client, Key

LONGEST_SECONDS = 10 * 365 * 24 * 3600


class Command(CredentialsCommand):
    help = (
        "Generate a new key for a client and print it alone on stdout, this once. The client's "
        "other keys stay good, so that nothing is cut off before the new key is in place: end "
        "them with --expire-old-in now, or with `manage.py revokekey` afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="name of the client")
        old = parser.add_mutually_exclusive_group()
        old.add_argument(
            "--expire-old-in",
            type=int,
            metavar="SECONDS",
            help="the other keys expire after this time; 0: at once",
        )
        old.add_argument(
            "--keep-old",
            action="store_true",
            help="the other keys stay good, and no reminder of them is printed",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        client = self.client_named(options["name"])
        seconds = options["expire_old_in"]
        if seconds is not None and not 0 <= seconds <= LONGEST_SECONDS:
            raise CommandError(f"--expire-old-in takes 0 to {LONGEST_SECONDS} seconds.")
        now = timezone.now()
        old = list(client.keys.filter(Key.live(now)))
        expire_old_at = None if seconds is None else now + timedelta(seconds=seconds)
        _, plaintext = services.key_rotate(client=client, expire_old_at=expire_old_at)
        self.stdout.write(plaintext)
        self.note(f"New key for {client.name}, shown this once: keep it now.")
        if old and not options["keep_old"]:
            self.note(_fate_of(client, old, seconds))
        if not client.enabled:
            self.note(f"{client.name} is disabled: no key of it works until it is enabled.")


def _fate_of(client: Client, old: list[Key], seconds: int | None) -> str:
    ids = ", ".join(key.public_id for key in old)
    if seconds is None:
        first = old[0].public_id
        return (
            f"Still good: {ids}. When the new key is in place, end them with "
            f"`manage.py revokekey {client.name} {first if len(old) == 1 else 'KEYID'}`."
        )
    return f"Expired now: {ids}." if seconds == 0 else f"Expiring in {seconds} s at most: {ids}."
