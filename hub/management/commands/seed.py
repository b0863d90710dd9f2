"""``manage.py seed``: a made-up history, to try pages and programs on."""

import gc
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub.clock_and_ids import system_time
from hub.conf import hub_settings
from hub.journal.port import Journal, JournalFailed
from hub.lock import LockHeld
from hub.seeding.fill import Seeded, seed
from hub.stores import journal_of, lock_of


class Command(BaseCommand):
    """Every task of it has lived by the hub's rules; only the company is made up."""

    help = (
        "Fill an empty history with made-up tasks of the last days: the hub's own rules over "
        "made-up clients and services. The same --seed at the same time gives the same tasks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Part of BaseCommand."""
        parser.add_argument("--tasks", type=int, default=10_000, help="how many (default: 10000)")
        parser.add_argument("--days", type=int, default=7, help="over how many days (default: 7)")
        parser.add_argument("--seed", type=int, default=1, help="another number, other tasks")
        parser.add_argument(
            "--add", action="store_true", help="also when there are tasks already; they stay"
        )

    def handle(self, *, tasks: int, days: int, seed: int, add: bool, **_: Any) -> None:
        """Part of BaseCommand."""
        if tasks < 1 or days < 1:
            raise CommandError("--tasks and --days are at least 1.")
        settings = hub_settings()
        lock = lock_of(settings)
        # Not synced at each batch: what a power cut takes away can be made up again.
        journal = journal_of(settings, synced=False)
        try:
            lock.acquire()
            journal.open()
            self._look(journal, days, settings.retention_days, add=add)
            self._seed(journal, tasks, days, seed)
        except (JournalFailed, LockHeld) as error:
            raise CommandError(str(error)) from error
        finally:
            journal.close()
            lock.release()

    def _look(self, journal: Journal, days: int, retention_days: int, *, add: bool) -> None:
        if journal.last_key() and not add:
            raise CommandError(
                "This history has tasks already, which nobody could tell from made-up ones later. "
                "Give the made-up ones a TASKHUB_DATA_DIR of their own, or add them with --add."
            )
        if 0 < retention_days < days:
            self.stderr.write(
                f"The hub deletes what ended more than {retention_days} days ago: to keep all "
                f"{days} days, start it with TASKHUB_RETENTION_DAYS={days + 1}."
            )

    def _seed(self, journal: Journal, tasks: int, days: int, number: int) -> None:
        began = time.perf_counter()
        meter = _Meter(self, tasks)
        now = system_time()
        gc.disable()  # a tenth of the time; nothing here is made in circles
        try:
            made = seed(journal, tasks=tasks, days=days, seed=number, now=now, progress=meter.show)
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped. About {meter.stored} tasks are stored; the hub works with them."
            ) from None
        finally:
            gc.enable()
            meter.end()
        self._report(made, days, time.perf_counter() - began)

    def _report(self, made: Seeded, days: int, took_s: float) -> None:
        self.stdout.write(
            f"Stored {made.tasks} tasks of {days} days in {took_s:.0f} s; {made.open} are open. "
            "See them with: manage.py runhub"
        )


class _Meter:
    """How far it is, in one line of a terminal; elsewhere it says nothing."""

    def __init__(self, command: BaseCommand, tasks: int) -> None:
        self._out = command.stdout
        self._tasks = tasks
        self._began = time.perf_counter()
        self._live = sys.stdout.isatty()
        self.stored = 0

    def show(self, stored: int) -> None:
        """So many are stored."""
        self.stored = stored
        if self._live:
            rate = stored / (time.perf_counter() - self._began)
            share = 100 * stored // self._tasks
            line = f"\r{share:3} %  {stored} tasks, {rate:.0f} a second  "
            self._out.write(line, ending="")
            self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._live and self.stored:
            self._out.write("")
