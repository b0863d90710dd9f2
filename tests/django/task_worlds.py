"""Made-up tasks as plain values, their rows, and what a filter means in plain Python."""

import json
import random
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from hub.core.access import Access, access
from hub.core.remembered import Remembered, visible
from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState
from hub.models import Participation, Task, TaskEvent
from hub.selectors.tasks import TaskFilter
from hub.selectors.times import SLACK_MS

#: Also what only TASKHUB_ACTION_GRAMMAR=any takes, and what looks like a pattern for LIKE.
ACTIONS = (
    "email:send",
    "email/address:check",
    "email/address/deep:x",
    "Email:send",
    "emailx:send",
    "email0:send",
    "email9/x:send",
    "email-x:send",
    "email.x:send",
    "e_ail:send",
    "email",
    "email/plain",
    "weather%:x",
    "ä/ö:ü",
    "*",
)
PATTERNS = (
    *ACTIONS,
    "email/address",
    "e",
    "E",
    "e_ail",
    "weather",
    "weather%",
    "ä",
    "*x",
    "email/",
)
CLIENTS = ("web", "Web", "mailer", "x")
TASK_IDS = ("a", "A", "a_", "a%", "ab", "abc", "b:", "b:1", "a\U0010ffff", "\ud7ff", "\ue000")
REASONS = (
    "no room",
    "No Room",
    "100%",
    "under_score",
    "bang!",
    'say "hi"',
    "back\\slash",
    "a/b",
    "café É",
    "grün 😀",
    "under.score",
    "Éé",
)
NEEDLES = (
    "room",
    "ROOM",
    "%",
    "_",
    "!",
    '"',
    "\\",
    "/",
    "é",
    "É",
    "grün",
    "😀",
    "code",
    "zz",
    "a/b",
    "éé",
)
BEGIN = 1_000_000


@dataclass(frozen=True)
class MadeUp:
    """One task, its parts and its reason."""

    key: int
    task_id: str
    action: str
    publisher: str
    state: TaskState
    outcome: TaskState | None
    created_at: int
    reason: str | None = None
    #: clients of its participants, in order
    participants: tuple[str, ...] = ()
    #: JSON of its updates, in order
    updates: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return self.state is not TaskState.END


def json_text(text: str, way: int) -> str:
    """One of the ways in which JSON writes this text."""
    if way == 0:
        return json.dumps(text, ensure_ascii=False)
    written = json.dumps(text)
    return written.replace("/", "\\/") if way == 2 else written


STATES = (
    (TaskState.INIT, None),
    (TaskState.START, None),
    (TaskState.SUCCESS, TaskState.SUCCESS),
    (TaskState.FAIL, TaskState.FAIL),
    (TaskState.END, TaskState.SUCCESS),
    (TaskState.END, TaskState.FAIL),
)


def made_up_tasks(seed: int) -> list[MadeUp]:
    """Some tasks with gaps between their keys, oldest first; the same for the same seed."""
    chance = random.Random(seed)
    tasks: list[MadeUp] = []
    key, now, latest = 0, BEGIN, BEGIN
    for number in range(chance.randrange(40)):
        key += chance.choice((1, 1, 1, 2, 50))
        # A clock goes back, and back again, but never by more than the lists allow for.
        now = max(now + chance.choice((0, 1, 1_000, 30_000, -9_000)), latest - SLACK_MS)
        latest = max(latest, now)
        state, outcome = chance.choice(STATES)
        reason = json_text(chance.choice(REASONS), chance.randrange(3))
        tasks.append(
            MadeUp(
                key=key,
                task_id=f"{chance.choice(TASK_IDS)}~{number}",
                action=chance.choice(ACTIONS),
                publisher=chance.choice(CLIENTS),
                state=state,
                outcome=outcome,
                created_at=now,
                reason=reason if outcome is TaskState.FAIL else None,
                participants=tuple(chance.choices(CLIENTS, k=chance.randrange(4))),
                updates=tuple(chance.choices(("0.5", '"x"', "null"), k=chance.randrange(3))),
            )
        )
    return tasks


def some(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    """One or a few of these."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=most).map(tuple)


_times = st.integers(BEGIN - 20_000, BEGIN + 200_000)
#: What each field of a filter may say.
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "actions": some(PATTERNS),
    "states": st.frozensets(st.sampled_from(TaskState), min_size=1, max_size=3),
    "outcomes": st.frozensets(st.sampled_from((TaskState.SUCCESS, TaskState.FAIL)), min_size=1),
    "open": st.booleans(),
    "publisher": st.sampled_from((*CLIENTS, "w", "\0", "\ud800")),
    "service": st.sampled_from((*CLIENTS, "\0")),
    "task_id": st.sampled_from((*TASK_IDS, "a~", "", "\0", "\U0010ffff")),
    "since": _times | st.just(10**30),
    "until": _times | st.just(-(10**30)),
    "reason": st.sampled_from(NEEDLES) | st.text(max_size=2),
}


@st.composite
def _filters(draw: st.DrawFn) -> TaskFilter:
    # One or two fields, seldom more: of those that name much, little is left that could be wrong.
    fields = draw(st.lists(st.sampled_from(sorted(_FIELDS)), unique=True, max_size=3))
    return TaskFilter(**{name: draw(_FIELDS[name]) for name in fields})


filters = _filters()
_patterns = st.just(()) | some(PATTERNS, 3)
viewers = st.none() | st.builds(
    lambda client, sub, watch: access(client, sub=sub, watch=watch),
    st.sampled_from(CLIENTS),
    _patterns,
    _patterns,
)
#: Lists to read of one history.
lists = st.lists(st.tuples(filters, viewers), min_size=1, max_size=8)


def covers(pattern: str, action: str) -> bool:
    """§1, in the words of the protocol."""
    if pattern in ("*", action):
        return True
    return ":" not in pattern and action.startswith((f"{pattern}/", f"{pattern}:"))


def ascii_folded(text: str) -> str:
    """ASCII letters in small, others as they are."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def reason_has(reason: str, text: str) -> bool:
    """Whether the JSON of a reason holds this text, in one of the usual ways to write it."""
    cased = {text} if text.isascii() else {text, text.lower(), text.upper()}
    ways = {json_text(way, ensure)[1:-1] for way in cased for ensure in (0, 1, 2)}
    ways |= {way.replace("/", "\\/") for way in ways}
    return any(ascii_folded(way) in ascii_folded(reason) for way in ways)


def wanted(task: MadeUp, by: TaskFilter) -> bool:
    """What a filter means."""
    stated = (
        not (by.states or by.outcomes) or task.state in by.states or task.outcome in by.outcomes
    )
    return (
        (not by.actions or any(covers(p, task.action) for p in by.actions))
        and stated
        and by.open in (None, task.open)
        and by.publisher in (None, task.publisher)
        and (by.service is None or by.service in task.participants)
        and (by.task_id is None or task.task_id.startswith(by.task_id))
        and (by.since is None or task.created_at >= by.since)
        and (by.until is None or task.created_at < by.until)
        and (by.reason is None or (task.reason is not None and reason_has(task.reason, by.reason)))
    )


def may_see(task: MadeUp, viewer: Access | None) -> bool:
    """The hub's own word on who may know of a task."""
    kept = Remembered(
        key=task.key,
        task_id=task.task_id,
        action=task.action,
        publisher=task.publisher,
        clients=frozenset(task.participants),
        event_ids={},
    )
    return viewer is None or visible(kept, viewer)


def store(tasks: list[MadeUp]) -> None:
    """Their rows, in place of all others."""
    for table in (TaskEvent, Participation, Task):
        table.objects.all().delete()
    Task.objects.bulk_create([_task_row(task) for task in tasks])
    TaskEvent.objects.bulk_create([row for task in tasks for row in _event_rows(task)])
    Participation.objects.bulk_create([row for task in tasks for row in _part_rows(task)])


def _settled_seq(task: MadeUp) -> int:
    return 2 + len(task.updates)


def _task_row(task: MadeUp) -> Task:
    at = task.created_at
    return Task(
        id=task.key,
        task_id=task.task_id,
        action=task.action,
        publisher=task.publisher,
        connection="c",
        state=task.state.value,
        outcome=task.outcome.value if task.outcome else "",
        seq=9,
        created_at=at,
        started_at=None,
        settled_at=at + 7 if task.outcome else None,
        ended_at=None if task.open else at + 8,
        settled_seq=_settled_seq(task) if task.outcome else None,
        start_timeout=1,
        end_timeout=2,
        start_deadline=at + 1,
        end_deadline=at + 2,
        settle=Settle.ALL.value,
        expect=Expect.DELIVERY.value,
        claim=True,
    )


def _event_rows(task: MadeUp) -> list[TaskEvent]:
    # The payload holds every needle: only reasons are to be searched.
    events = [(1, EventKind.INIT, json.dumps(" ".join(NEEDLES)))]
    events += [(2 + n, EventKind.UPDATE, body) for n, body in enumerate(task.updates)]
    if task.outcome is not None:
        events.append((_settled_seq(task), EventKind(task.outcome), task.reason or '"room é %"'))
    return [
        TaskEvent(
            task_id=task.key,
            seq=seq,
            kind=kind.value,
            event_id=f"e{seq}",
            at=task.created_at + seq,
            by="hub",
            state=task.state.value,
            body=body,
        )
        for seq, kind, body in events
    ]


def _part_rows(task: MadeUp) -> list[Participation]:
    return [
        Participation(
            task_id=task.key,
            number=number,
            client=client,
            connection="c",
            group=False,
            state=ParticipantState.OFFERED.value,
            offered_at=task.created_at,
            body=None,
        )
        for number, client in enumerate(task.participants, 1)
    ]
