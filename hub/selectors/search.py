"""The words of the search line: ``action:email client:web state:fail id:… since:1h text``."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.conf import hub_settings
from hub.core.access import is_pattern
from hub.core.values import TaskState
from hub.selectors.tasks import TaskFilter

_WORD = re.compile(r'([A-Za-z]+):(?=\s|\Z)|(?:([A-Za-z]+):)?(?:"([^"]*)"?|(\S+))')
_SPAN = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_STATES = ("init", "start", "success", "fail", "open", "end")
_OUTCOMES = frozenset({TaskState.SUCCESS, TaskState.FAIL})
_UNENDED = frozenset(TaskState) - {TaskState.END}


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
    ``since:`` and ``until:`` a span (15m, 1h, 7d) or ISO 8601 (UTC unless it says otherwise);
    ``reason:`` or a bare word: text in the reason. Quotes hold blanks together. Several actions
    or states: any of them; several words for the reason: one text, with a blank between.
    """
    line = _Line(now)
    for match in _WORD.finditer(text):
        empty, key, quoted, plain = match.groups()
        line.take((key or empty or "").lower(), quoted if quoted is not None else plain or "")
    return Search(line.filter(), tuple(line.problems))


@dataclass(slots=True)
class _Line:
    """What has been understood so far."""

    now: int
    problems: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)
    #: of what a list can have only one
    single: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def take(self, key: str, value: str) -> None:
        """One word."""
        takers: dict[str, Callable[[str], None]] = {
            "": self.reason.append,
            "reason": self.reason.append,
            "action": self._action,
            "state": self._state,
            "client": lambda name: self._only("client", name, _NAME, "a client's name"),
            "service": lambda name: self._only("service", name, _NAME, "a client's name"),
            "id": lambda begin: self._only("id", begin, _ID, "the begin of a task's id"),
            "since": lambda value: self._time("since", value),
            "until": lambda value: self._time("until", value),
        }
        take = takers.get(key)
        if take is None:
            words = ", ".join(f"{word}:" for word in takers if word)
            whole = f"{key}:{value}"
            self.problems.append(
                f"There is no word {_shown(key)}: here. There are {words}; for an action write "
                f'action:{_shown(whole)}, for a text in the reason "{_shown(whole)}" in quotes.'
            )
        elif not value:
            if key:
                self.problems.append(f"{key}: is empty. Write something after it, or leave it out.")
        else:
            take(value)

    def _action(self, value: str) -> None:
        if is_pattern(value, strict=hub_settings().action_grammar == "strict"):
            self.actions.append(value)
            return
        self.problems.append(
            f"{_shown(value)} names no actions. Write an action like email:send, a noun like "
            "email for all below it, or *."
        )

    def _state(self, value: str) -> None:
        for word in value.lower().split(","):
            if word in _STATES:
                self.states.append(word)
            else:
                self.problems.append(
                    f"{_shown(word)} is no state. Write one or several of {', '.join(_STATES)}, "
                    "with commas between them."
                )

    def _only(self, key: str, value: str, grammar: re.Pattern[str], what: str) -> None:
        if not grammar.fullmatch(value):
            self.problems.append(f"{_shown(value)} cannot be {what}. Write it exactly as it is.")
            return
        if self.single.get(key, value) != value:
            self.problems.append(f"A task has one {key}: the last one counts. Leave one out.")
        self.single[key] = value

    def _time(self, key: str, value: str) -> None:
        at = _time_of(value, self.now)
        if at is None:
            self.problems.append(
                f"{_shown(value)} is no time. Write a span like 15m, 1h or 7d, or a date like "
                "2030-01-31 or 2030-01-31T12:00Z."
            )
        else:
            self.times[key] = at

    def filter(self) -> TaskFilter:
        """What was understood."""
        states, outcomes, unended = _meant(frozenset(self.states))
        return TaskFilter(
            actions=tuple(dict.fromkeys(self.actions)),
            states=states,
            outcomes=outcomes,
            open=unended,
            publisher=self.single.get("client"),
            service=self.single.get("service"),
            task_id=self.single.get("id"),
            since=self.times.get("since"),
            until=self.times.get("until"),
            reason=" ".join(self.reason) or None,
        )


def _meant(
    words: frozenset[str],
) -> tuple[frozenset[TaskState], frozenset[TaskState], bool | None]:
    """States, outcomes and open of a filter. ``success`` and ``fail`` mean the outcome."""
    if words == {"open"}:
        return frozenset(), frozenset(), True
    named = frozenset(TaskState(word) for word in words - {"open"})
    states = named - _OUTCOMES
    if "open" in words:
        states |= _UNENDED
    return states, named & _OUTCOMES, None


def _time_of(text: str, now: int) -> int | None:
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now - int(span[1]) * _MS[span[2]]
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
