"""``manage.py`` with a journal in memory: what the same hub costs when nothing is stored."""

import sys

import django
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    django.setup()
    from hub import runtime
    from hub.journal.memory import MemoryJournal

    vars(runtime)["SqliteJournal"] = lambda *_, **__: MemoryJournal()
    execute_from_command_line(sys.argv)
