"""What the commands of this app have in common: results on stdout, the rest on stderr."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from credentials.models import Client


class CredentialsCommand(BaseCommand):
    """A command whose failures are sentences and whose stdout can be captured by a script."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; raise CommandError for wrong values and for a database not ready."""
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except OperationalError as error:
            raise CommandError(
                f"The database cannot be used: {error}. If it is new, run `manage.py migrate` "
                "first."
            ) from error

    def note(self, sentence: str) -> None:
        """Tell the operator something that is neither the result nor an error."""
        self.stderr.write(sentence, style_func=str)

    def client_named(self, name: str) -> Client:
        """The client of that name. Raises CommandError."""
        try:
            return Client.objects.get(name=name)
        except Client.DoesNotExist as error:
            raise CommandError(
                f"There is no client named {name!r}. `manage.py listclients` shows those there "
                "are, `manage.py createclient` makes a new one."
            ) from error
