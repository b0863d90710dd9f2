"""manage.py createclient"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from credentials import services
from credentials.management.base import CredentialsCommand
from credentials.models import Client

READ_STDIN = "-"


class Command(CredentialsCommand):
    help = (
        "Make a client and a key for it. The key is printed alone on stdout, this once; with "
        "--key nothing is. PATTERN is * for all actions, a noun like email/address, or an action "
        "like email/address:validate; --sub, --pub and --watch may be given several times."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="1 to 64 letters, digits, '.', '_' or '-'")
        parser.add_argument(
            "--key",
            help="a key of your choice, at least 16 characters; - reads it from the first line "
            "of stdin, which keeps it out of the process list and the shell's history",
        )
        for kind, meaning in (("sub", "subscribe to"), ("pub", "publish"), ("watch", "watch")):
            parser.add_argument(
                f"--{kind}",
                action="append",
                default=[],
                metavar="PATTERN",
                help=f"actions the client may {meaning}",
            )
        parser.add_argument(
            "--max-connections", type=int, metavar="N", help="how many it may hold (100)"
        )
        parser.add_argument(
            "--group", action="store_true", help="each task goes to one of its connections only"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        name, chosen = options["name"], options["key"]
        if Client.objects.filter(name=name).exists():
            raise CommandError(
                f"A client named {name!r} already exists. Choose another name, or use "
                f"`manage.py rotatekey {name}` for a new key."
            )
        client, key = services.client_create(
            name=name,
            key=sys.stdin.readline().rstrip("\r\n") if chosen == READ_STDIN else chosen,
            sub=options["sub"],
            pub=options["pub"],
            watch=options["watch"],
            max_connections=options["max_connections"],
            group=options["group"],
        )
        if chosen is None:
            self.stdout.write(key)
            self.note(f"Created client {client.name}. Its key is shown this once: keep it now.")
        else:
            self.note(f"Created client {client.name} with the key you chose.")
        if not client.permissions.exists():
            self.note("It may do nothing yet: give it permissions in the admin, under Clients.")
