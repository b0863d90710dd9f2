"""``manage.py asyncapi``: write the AsyncAPI document of the WebSocket protocol."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand

from hub.protocol.asyncapi import document, text
from hub.runtime import hub_version

DOCUMENT: Final = Path(__file__).resolve().parents[3] / "docs" / "asyncapi.json"


class Command(BaseCommand):
    """The document is that of a hub without settings of its own."""

    help = "Write docs/asyncapi.json anew, from the message types."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Part of BaseCommand."""
        parser.add_argument(
            "--output",
            type=Path,
            default=DOCUMENT,
            help="the file to write (default: docs/asyncapi.json)",
        )

    def handle(self, *, output: Path, **_: Any) -> None:
        """Part of BaseCommand."""
        output.write_bytes(text(document(version=hub_version())))
        self.stdout.write(f"{output} is written.")
