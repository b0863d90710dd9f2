"""Lines to copy into a shell. Names of clients' making are quoted for it."""

import shlex


def serve_command(action: str) -> str:
    """A service for this action."""
    return f"taskhub sub --exec cat {_argument(action)}"


def publish_command(action: str) -> str:
    """A task for this action."""
    return f"taskhub pub --start-timeout 5 {_argument(action)} '{{}}'"


def watch_command(task_id: str) -> str:
    """The events of this task."""
    usual = len(task_id) == 32 and all(digit in "0123456789abcdef" for digit in task_id)
    return f"taskhub watch {'' if usual else '--task '}{_argument(task_id)}"


def client_command(name: str, *rights: str) -> str:
    """A client with these rights."""
    return f".venv/bin/python manage.py createclient {name} {' '.join(rights)}"


def _argument(text: str) -> str:
    quoted = shlex.quote(text)
    return f"-- {quoted}" if text.startswith("-") else quoted
