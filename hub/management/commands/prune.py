"""``manage.py prune``: delete old ended tasks now, in small batches, while the hub works."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub.clock_and_ids import system_time
from hub.conf import hub_settings
from hub.core.limits import MS_PER_DAY
from hub.housekeeping import PRUNE_BATCH, PRUNE_PAUSE_S
from hub.journal.port import Journal, JournalFailed
from hub.stores import journal_of


class Command(BaseCommand):
    """The hub prunes by itself as well; this is for those who want the room now."""

    help = "Delete ended tasks that are older than the retention. Safe while the hub works."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Part of BaseCommand."""
        parser.add_argument(
            "--days", type=int, help="keep this many days (default: TASKHUB_RETENTION_DAYS)"
        )
        parser.add_argument(
            "--batch", type=int, default=PRUNE_BATCH, help="tasks deleted in one transaction"
        )

    def handle(self, *, days: int | None, batch: int, **_: Any) -> None:
        """Part of BaseCommand."""
        if batch < 1 or (days is not None and days < 0):
            raise CommandError("--batch is at least 1, and --days at least 0.")
        settings = hub_settings()
        if days is None:
            days = settings.retention_days
            if not days:
                self.stdout.write("Nothing is deleted: TASKHUB_RETENTION_DAYS is 0, for ever.")
                return
        before = system_time() - days * MS_PER_DAY
        journal = journal_of(settings)
        try:
            journal.open()
            deleted = _prune(journal, before, batch)
        except JournalFailed as error:
            raise CommandError(str(error)) from error
        finally:
            journal.close()
        self.stdout.write(f"Deleted {deleted} tasks that ended more than {days} days ago.")


def _prune(journal: Journal, before: int, batch: int) -> int:
    deleted = 0
    while (last := journal.prune(before, batch)) > 0:
        deleted += last
        if last < batch:
            break
        time.sleep(PRUNE_PAUSE_S)  # or a working hub would wait for the write lock at each commit
    return deleted
