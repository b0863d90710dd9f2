"""Addresses of pages. Made by hand where a name of a client's is in them.

``reverse`` refuses names that the path converters do not match, and a page with one odd name in a
hundred rows would fail as a whole.
"""

from urllib.parse import quote, urlencode

from django.urls import reverse


def tasks_url(**query: str) -> str:
    """The list of tasks with this query string; empty values are left out."""
    text = urlencode({name: value for name, value in query.items() if value})
    return reverse("dashboard:tasks") + (f"?{text}" if text else "")


def task_url(task_id: str, *more: str) -> str:
    """A task's page, or what is below it: ``cancel``, ``again``."""
    return reverse("dashboard:tasks") + "".join(f"{_part(part)}/" for part in (task_id, *more))


def action_url(name: str) -> str:
    """An action's page."""
    return reverse("dashboard:actions") + quote(name, safe="/:@~") + "/"


def disconnect_url(connection: str) -> str:
    """Where a connection is closed."""
    return reverse("dashboard:connections") + f"{_part(connection)}/disconnect/"


def searched(word: str, value: str) -> str:
    """``action:email:send`` for the search line, in quotes where it needs them."""
    plain = value and not any(character.isspace() or character in "\"'," for character in value)
    return f"{word}:{value}" if plain else f'{word}:"{value}"'


def _part(text: str) -> str:
    return quote(text, safe=":@~")
