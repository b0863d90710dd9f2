#!/usr/bin/env python
"""Django's command line, with this project's settings."""

import os
import sys

from django.core.management import execute_from_command_line

from taskhub_site.environment import InvalidSetting


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except InvalidSetting as error:
        # A typing mistake in the environment deserves its sentence, not forty lines of stack.
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
