"""The words of the search line: ``action:email client:web state:fail id:… since:1h text``."""

from dataclasses import dataclass

from hub.selectors.tasks import TaskFilter


@dataclass(frozen=True, slots=True)
class Search:
    """A search line as understood."""

    filter: TaskFilter
    #: what was not understood, each a sentence that names the next step
    problems: tuple[str, ...] = ()


def search_parse(text: str, now: int) -> Search:
    """Words to a filter; ``now`` in milliseconds, for spans like ``since:1h``. Never raises.

    ``action:`` a pattern; ``client:`` the publisher; ``service:`` a participant; ``state:`` any of
    init, start, success, fail, open, end, with commas; ``id:`` the begin of a task's id;
    ``since:`` and ``until:`` a span (15m, 1h, 7d) or ISO 8601; ``reason:`` or a bare word: text
    in the reason. Quotes hold blanks together.
    """
    raise NotImplementedError
