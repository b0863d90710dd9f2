"""What peers sent, were told and were refused, and its comparison with what is stored.

The heart of these tests: ``check`` holds a database against a ledger, and says of each
task what is wrong with it (docs/protocol.md §4.3, §4.6, §4.7, §4.8, §5.3, §5.4).
"""

import json
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from hub.journal.sqlite import SqliteJournal
from tests.peers import FIELDS, JSON
from tests.pipeline.test_rows_equal_live import (
    SELECT_PARTICIPANTS,
    SELECT_TASKS,
    participant_row,
    task_row,
)

DATABASE: Final = "taskhub.sqlite3"
#: What may be refused when a hub was away: a window closed, a participation was lost.
REFUSALS: Final = {"illegal-transition", "task-ended", "unknown-task", "StateError"}
_BODY: Final = {"init": "payload", "update": "update", "success": "result", "fail": "reason"}
_SHOWN: Final = 12


class Ledger:
    """Common to all peers of one hub."""

    def __init__(self, *, may_be_unavailable: bool = False) -> None:
        #: whether the hub may refuse for want of a disk; what it refuses so may be sent again
        self.may_be_unavailable = may_be_unavailable
        #: eventId → the command that was sent, once or more often
        self.sent: dict[str, JSON] = {}
        #: taskId → eventId → the message, as whoever was told most of it was
        self.told: defaultdict[str, dict[str, JSON]] = defaultdict(dict)
        #: eventId → code
        self.refused: dict[str, str] = {}
        #: tasks that were heard of since the last check
        self.touched: set[str] = set()
        self.faults: list[str] = []

    @property
    def events(self) -> int:
        """How many events were told, each counted once."""
        return sum(map(len, self.told.values()))

    def hear(self, message: JSON) -> None:
        """One message of the hub to anyone."""
        event_id = message.get("eventId", "")
        if message["status"] == "error":
            why = str(message.get("code") or message["error"])
            if why == "unavailable" and self.may_be_unavailable:
                return
            self.refused[event_id] = why
            if why not in REFUSALS:
                self.faults.append(f"refused: {message}")
        elif message.get("event") in FIELDS:
            task_id = message["taskId"]
            self.touched.add(task_id)
            known = self.told[task_id].setdefault(event_id, {})
            news = {name: value for name, value in message.items() if name not in ("status", "id")}
            if any(known.get(name, value) != value for name, value in news.items()):
                self.faults.append(f"{event_id} was told as {known} and as {news}")
            known |= news


class Story(NamedTuple):
    """The rows of one task."""

    task: sqlite3.Row
    events: list[sqlite3.Row]
    participants: list[sqlite3.Row]


def snapshot(directory: Path, scratch: Path) -> Path:
    """The database of a dead hub as it lies there: opening the original would mend it."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name in (DATABASE, f"{DATABASE}-wal"):
        if (directory / name).exists():
            shutil.copy(directory / name, scratch / name)
    return scratch / DATABASE


def check(ledger: Ledger, path: Path, *, ended: bool) -> None:
    """Compare the tasks heard of since the last check; with ``ended``, all, which must be over.

    Raises AssertionError with what is wrong.
    """
    tasks = ledger.told.keys() if ended else frozenset(ledger.touched)
    ledger.touched.clear()
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        problems = [*ledger.faults, *_task_problems(ledger, database, tasks, ended=ended)]
        problems += _unlike_fold(database, path, tasks)
        problems += _twice(database)
        problems += _refused_and_stored(ledger, database)
        integrity = [row[0] for row in database.execute("PRAGMA integrity_check")]
    problems += [] if integrity == ["ok"] else integrity
    shown = "\n".join(problems[:_SHOWN])
    assert not problems, f"{len(problems)} problems:\n{shown}"


def _task_problems(
    ledger: Ledger, database: sqlite3.Connection, tasks: Collection[str], *, ended: bool
) -> Iterator[str]:
    for task_id in tasks:
        story = _story(database, task_id)
        if story is None:
            yield f"{task_id} was told of and is not stored: {ledger.told[task_id]}"
            continue
        yield from _told_otherwise(story, ledger.told[task_id])
        yield from _sent_otherwise(story, ledger.sent)
        yield from _disorder(story, ended=ended)
        yield from _misplaced(story)
        yield from _untruths(story)


def _story(database: sqlite3.Connection, task_id: str) -> Story | None:
    task = database.execute("SELECT * FROM hub_task WHERE task_id = ?", (task_id,)).fetchone()
    if task is None:
        return None
    events = "SELECT * FROM hub_task_event WHERE task = ? ORDER BY seq"
    participants = "SELECT * FROM hub_participation WHERE task = ? ORDER BY number"
    return Story(
        task, *(database.execute(q, (task["id"],)).fetchall() for q in (events, participants))
    )


def _message(task: sqlite3.Row, event: sqlite3.Row) -> JSON:
    """A stored event as §4.3 wants it told."""
    kind, body, meant = event["kind"], event["body"], event["stands_for"]
    message = {"event": kind, "eventId": event["event_id"], "taskId": task["task_id"]}
    message |= {"seq": event["seq"], "at": event["at"], "by": event["by"]}
    if kind == "init":
        start, end = task["start_timeout"], task["end_timeout"]
        message |= {"action": task["action"], "startTimeout": start, "endTimeout": end}
        message |= {"startDeadline": event["at"] + start, "endDeadline": event["at"] + end}
    if meant is not None:
        message["outcome"] = meant
    if body is not None:
        message[_BODY.get(meant or kind, "reason")] = json.loads(body)
    return message


def _told_otherwise(story: Story, told: dict[str, JSON]) -> Iterator[str]:
    stored = {event["event_id"]: _message(story.task, event) for event in story.events}
    for event_id, message in told.items():
        if event_id not in stored:
            yield f"told and not stored: {message}"
        elif not message.items() <= stored[event_id].items():
            yield f"told as {message}, stored as {stored[event_id]}"


def _sent_otherwise(story: Story, sent: dict[str, JSON]) -> Iterator[str]:
    for event in story.events:
        command = sent.get(event["event_id"])
        if command is None:
            continue
        kind = event["stands_for"] or event["kind"]
        body = None if event["body"] is None else json.loads(event["body"])
        if command["event"] != kind or command.get(_BODY.get(kind, ""), body) != body:
            yield f"sent as {command}, stored as {kind} {body}"


def _disorder(story: Story, *, ended: bool) -> Iterator[str]:
    name = story.task["task_id"]
    seqs = [event["seq"] for event in story.events]
    kinds = [event["kind"] for event in story.events]
    if seqs != list(range(1, story.task["seq"] + 1)):
        yield f"{name} is at {story.task['seq']} and has events {seqs}"
    ends, outcomes = kinds.count("end"), kinds.count("success") + kinds.count("fail")
    if kinds[:1] != ["init"] or ends > 1 or outcomes > 1 or "end" in kinds[:-1]:
        yield f"{name} went {kinds}"
    if ended and (ends, outcomes) != (1, 1):
        yield f"{name} has not ended: {kinds}"


def _misplaced(story: Story) -> Iterator[str]:
    """Participants that are elsewhere than their last event put them.

    Whoever was at work may have been closed without a word: by a deadline, a claim, the end.
    """
    for part in story.participants:
        said = [e["participant_state"] for e in story.events if e["participant"] == part["number"]]
        last = [state for state in said if state is not None][-1:] or ["offered"]
        closed = ["dropped", "timed out"] if last[0] in ("offered", "started") else []
        if part["state"] not in (*last, *closed):
            yield f"{story.task['task_id']} has {dict(part)}, who was last {last[0]}"


def _untruths(story: Story) -> Iterator[str]:
    """An outcome that the rest of the task belies (the table of §5.4)."""
    task, participants = story.task, story.participants
    for event in story.events:
        if event["kind"] not in ("success", "fail"):
            continue
        states = {p["state"] for p in participants}
        reason = json.loads(event["body"])
        if event["by"] != "hub":
            state = "succeeded" if event["kind"] == "success" else "failed"
            word = (event["by"], state, event["body"])
            true = word in {(p["client"], p["state"], p["body"]) for p in participants}
        elif event["kind"] == "success":
            true = reason is None and "dropped" in states
        else:
            started = any(p["started_at"] is not None for p in participants)
            true = {
                "no-subscriber": not participants,
                "start-timeout": not started and event["at"] >= task["start_deadline"],
                "end-timeout": event["at"] >= task["end_deadline"],
                "service-lost": "lost" in states,
            }.get(reason["code"], False)
        if not true:
            yield f"{task['task_id']} ended by {dict(event)} while its participants are {states}"


def _unlike_fold(database: sqlite3.Connection, path: Path, tasks: Collection[str]) -> Iterator[str]:
    rows = {row["task_id"]: tuple(row) for row in database.execute(SELECT_TASKS)}
    participants: defaultdict[int, list[tuple[object, ...]]] = defaultdict(list)
    for row in database.execute(SELECT_PARTICIPANTS):
        participants[row["task"]].append(tuple(row))
    journal = SqliteJournal(path)
    try:
        for task_id in tasks:
            try:
                task = journal.load(task_id)
            except Exception as error:  # noqa: BLE001  (whatever damaged rows lead to)
                yield f"{task_id} cannot be read: {error!r}"
                continue
            if task is None:
                continue
            folded = [participant_row(task.key, p) for p in task.participants.values()]
            if rows[task_id] != task_row(task) or participants[task.key] != folded:
                yield f"{task_id} is stored as {rows[task_id]}, and folds to {task_row(task)}"
    finally:
        journal.close()


def _twice(database: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT event_id FROM hub_task_event GROUP BY event_id HAVING count(*) > 1"
    for (event_id,) in database.execute(query):
        yield f"{event_id} is stored more than once"


def _refused_and_stored(ledger: Ledger, database: sqlite3.Connection) -> Iterator[str]:
    """A refusal leaves the task as it was (§7), also when the same frame came before."""
    query = "SELECT event_id FROM hub_task_event WHERE event_id IN (SELECT value FROM json_each(?))"
    for (event_id,) in database.execute(query, (json.dumps(list(ledger.refused)),)):
        yield f"{event_id} was refused as {ledger.refused[event_id]} and is stored"
