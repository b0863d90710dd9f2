"""``manage.py`` spoiled: ``python -m tests.sabotaged package.module:function runhub ...``.

The function runs after Django is set up and before the command: it replaces a part of the hub
by a worse one, so that the test of that part can be seen to fail.
"""

import sys
from importlib import import_module

import django
from django.core.management import execute_from_command_line


def main(argv: list[str]) -> None:
    """Spoil the hub as the first argument says, then run the command."""
    module, _, function = argv[1].partition(":")
    django.setup()
    getattr(import_module(module), function)()
    execute_from_command_line(["manage.py", *argv[2:]])


if __name__ == "__main__":
    main(sys.argv)
