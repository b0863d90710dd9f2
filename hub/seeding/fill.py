"""Stores a made-up history, and its sums."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hub.core.facts import Fact
from hub.journal.port import Journal, JournalFailed
from hub.seeding.history import History
from hub.seeding.mix import DAY

#: Tasks summed up in one transaction: nobody else waits for it.
_STEP = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What was stored."""

    tasks: int
    #: of these, not ended
    open: int


def seed(
    journal: Journal,
    *,
    tasks: int,
    days: int,
    seed: int,
    now: int,
    progress: Callable[[int], None],
) -> Seeded:
    """Add so many tasks of the days before ``now`` (ms); the same ones for the same arguments.

    They come on top of what is stored. ``progress`` hears how many tasks are. Raises
    JournalFailed. Where it is broken off, what was stored is a history as well, and the hub
    makes its sums.
    """
    begin, last_key = now - days * DAY, journal.last_key()
    # First of all: sums that were made of the days that now change are made again in any case.
    journal.rewind_sums(begin)
    history = History(
        tasks=tasks,
        begin=begin,
        end=now,
        random=Random(f"{seed}/{last_key}"),  # noqa: S311  (made up, and to be made up again)
        last_key=last_key,
        store=lambda facts: _store(journal, facts, history, progress),
    )
    history.run()
    _sum_up(journal, now)
    return Seeded(tasks=history.published, open=history.open)


def _store(
    journal: Journal, facts: list[Fact], history: History, progress: Callable[[int], None]
) -> None:
    if journal.commit(facts):
        raise JournalFailed("a task of the same id is stored already; use another --seed")
    progress(history.published)


def _sum_up(journal: Journal, until: int) -> None:
    while True:
        made = journal.tally(until, _STEP)
        if made.rows:
            journal.add_sums(made)
        if made.until >= until:
            return
