"""``/tasks/<id>/``: one task from its first event to its last."""

from dataclasses import dataclass, field
from typing import Any, Final

from django.http import Http404
from django.utils.safestring import SafeString

from hub.core.values import EventKind
from hub.dashboard.pages.base import BasePage, clock, part_html, whole_number
from hub.dashboard.pages.bodies import SHOWN, BodyPart, body_of
from hub.dashboard.pages.commands import serve_command, watch_command
from hub.dashboard.pages.format import clock as time_of_day
from hub.dashboard.pages.format import duration, moment, size
from hub.dashboard.pages.links import action_url, task_url
from hub.dashboard.pages.progress import Progress, progress_of
from hub.dashboard.pages.states import EVENT, PARTICIPANT, Mark, mark_of
from hub.dashboard.pages.timeline import Timeline, timeline
from hub.router.feed import Changes
from hub.selectors.again import again_as, again_of
from hub.selectors.tasks import (
    EventRow,
    ParticipantRow,
    TaskRow,
    task_events,
    task_find,
    task_participants,
    tasks_by_key,
)

#: events on one page, and what a page that is open for long takes in
_EVENTS: Final = 200
_PARTICIPANTS: Final = 200
_COPIES: Final = 10
#: characters of a body in a table
_PREVIEW: Final = 200
#: a task has at most so many events, refused ones aside (docs/protocol.md §7)
_ALL: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """A row of the table of events."""

    seq: int
    at: SafeString
    #: since the event before
    after: str
    mark: Mark
    by: str
    preview: str = field(repr=False)
    #: where the whole body is, when it is longer than the preview
    url: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A row of the table of participants."""

    client: str
    connection: str
    group: bool
    mark: Mark
    offered: str
    took: str
    preview: str = field(repr=False)


class TaskPage(BasePage):
    """Lifecycle, progress, payload, outcome, events, and what can be done about it."""

    template = "dashboard/task.html"
    section = "tasks"
    parts = {"task_head": 0, "timeline": 0, "participants": 0, "outcome": 0, "more_events": 0}

    def prepare(self) -> None:
        """Find the task. Raises Http404."""
        found = task_find(self.arguments["task_id"])
        if found is None:
            raise Http404
        self._row: TaskRow = found
        self.task = found.key
        self.task_id = found.task_id
        self.title = f"{found.action} {found.task_id}"
        self._from = max(1, whole_number(self.query.get("from")) or 1)
        self._events: list[EventRow] = []
        self._people: list[ParticipantRow] = []
        self._settled: EventRow | None = None
        self._read()

    # What is known of it

    def _read(self) -> bool:
        """Everything anew; False: the task is gone."""
        found = tasks_by_key([self._row.key])
        if self._row.key not in found:
            return False
        self._row = found[self._row.key]
        last = self._events[-1].seq + 1 if self._events else self._from
        room = _EVENTS - len(self._events)
        if room > 0:
            self._events += task_events(
                self._row.key, from_seq=last, limit=room, body_limit=_PREVIEW
            )
        self._people = task_participants(self._row.key, limit=_PARTICIPANTS, body_limit=_PREVIEW)
        return True

    def _settling(self) -> EventRow | None:
        """The event that decided the outcome, with its body."""
        if self._settled is None and self._row.outcome is not None:
            wanted = EventKind(self._row.outcome.value)
            seq = next((one.seq for one in self._known(wanted) if one.kind == wanted), None)
            if seq is not None:
                found = task_events(self._row.key, from_seq=seq, limit=1, body_limit=SHOWN)
                self._settled = found[0] if found else None
        return self._settled

    def _known(self, wanted: EventKind) -> list[EventRow]:
        if any(one.kind == wanted for one in self._events):
            return self._events
        return task_events(self._row.key, from_seq=1, limit=_ALL, body_limit=0)

    # What it shows

    def context(self) -> dict[str, Any]:
        """What the template of the whole page needs."""
        return {
            **super().context(),
            "task_id": self.task_id,
            "payload": self._payload(),
            "events": self._lines(self._events),
            "earlier": self._from > 1,
            "watch_command": watch_command(self.task_id),
            "cancel_url": task_url(self.task_id, "cancel"),
            "again_url": task_url(self.task_id, "again"),
            "url": task_url(self.task_id),
        }

    def _payload(self) -> BodyPart | None:
        first = task_events(self._row.key, from_seq=1, limit=1, body_limit=SHOWN)
        visible = self.viewer.view_payload
        return body_of(self.task_id, first[0], visible=visible) if first else None

    def task_head(self) -> dict[str, Any]:
        """State, times, progress, and the buttons that make sense now."""
        row, now = self._row, clock()
        return {
            "mark": mark_of(row.state, row.outcome),
            "facts": self._facts(row, now),
            "progress": self._progress(),
            "working": row.outcome is not None and row.ended_at is None,
            "can_cancel": self.viewer.cancel_task and row.outcome is None,
            "can_repeat": self.viewer.publish_task,
            "cancel_url": task_url(self.task_id, "cancel"),
            "again_url": task_url(self.task_id, "again"),
            "action": row.action,
            "action_url": action_url(row.action),
            "publisher": row.publisher,
            **self._relatives(),
        }

    def _relatives(self) -> dict[str, Any]:
        """The task it is a copy of, and its copies."""
        before = again_of(self.task_id)
        return {
            "of": before,
            "of_url": task_url(before.of) if before else "",
            "to": [
                {"task_id": one.task_id, "by": one.by, "url": task_url(one.task_id)}
                for one in again_as(self.task_id)[:_COPIES]
            ],
        }

    def _facts(self, row: TaskRow, now: int) -> list[tuple[str, Any]]:
        facts: list[tuple[str, Any]] = [("Published", moment(row.created_at))]
        if row.settled_at is not None:
            facts.append(("Duration", duration(row.settled_at - row.created_at)))
        else:
            facts.append(("So far", duration(now - row.created_at)))
            facts.append(("Deadline", moment(row.end_deadline)))
        if row.started_at is not None:
            facts.append(("Waited for a start", duration(row.started_at - row.created_at)))
        if row.ended_at is not None:
            facts.append(("Ended", moment(row.ended_at)))
        facts.append(("Settled by", _SETTLE[row.settle.value]))
        if row.claim:
            facts.append(("Claim", "the first start has it for itself"))
        if row.expect.value == "delivery":
            facts.append(("Expects", "delivery only"))
        return facts

    def _progress(self) -> Progress | None:
        tells = self.viewer.view_payload and self._row.ended_at is None
        return progress_of(self._row.update) if tells else None

    def timeline(self) -> Timeline:
        """The lanes."""
        return timeline(self._row, self._people, self._events, clock())

    def participants(self) -> dict[str, Any]:
        """Who took part, and what became of it."""
        rows = [self._part(one) for one in self._people]
        return {
            "rows": rows,
            "more": len(rows) >= _PARTICIPANTS,
            "action": self._row.action,
            "action_url": action_url(self._row.action),
            "serve": serve_command(self._row.action),
        }

    def _part(self, one: ParticipantRow) -> Part:
        begun = one.started_at
        took = "" if begun is None else duration((one.done_at or clock()) - begun)
        return Part(
            client=one.client,
            connection=one.connection,
            group=one.group,
            mark=PARTICIPANT[one.state],
            offered=f"after {duration(one.offered_at - self._row.created_at)}",
            took=took,
            preview=_preview(one.body, one.size) if self.viewer.view_payload else "",
        )

    def outcome(self) -> BodyPart | None:
        """Result or reason, once there is one."""
        event = self._settling()
        if event is None:
            return None
        return body_of(self.task_id, event, visible=self.viewer.view_payload)

    def more_events(self) -> str:
        """Where the events go on that this page does not show; empty: nowhere."""
        if not self._events or self._events[-1].seq >= self._row.seq:
            return ""
        return f"{task_url(self.task_id)}?from={self._events[-1].seq + 1}#events-title"

    def _lines(self, events: list[EventRow]) -> list[EventLine]:
        before = {one.seq: one.at for one in self._events}
        return [self._line(one, before.get(one.seq - 1)) for one in events]

    def _line(self, event: EventRow, before: int | None) -> EventLine:
        shown = event.body is not None and self.viewer.view_payload
        kind = event.stands_for if event.stands_for is not None else event.kind
        mark = EVENT[EventKind(event.kind)]
        if kind != event.kind:
            mark = Mark(f"{mark.word} ({kind})", mark.icon, mark.tone)
        return EventLine(
            seq=event.seq,
            at=time_of_day(event.at),
            after="" if before is None else f"+{duration(event.at - before)}",
            mark=mark,
            by=event.by,
            preview=_preview(event.body, event.size) if shown else "",
            url=task_url(self.task_id, "body", str(event.seq)) if shown else "",
            size=size(event.size) if event.size > _PREVIEW else "",
        )

    # Live

    def fragments(self, changes: Changes | None) -> dict[str, str]:
        """The parts, and the rows of events that have come."""
        known = len(self._events)
        if not self._read():
            return {}
        found = super().fragments(changes)
        for line in self._lines(self._events if changes is None else self._events[known:]):
            found[f"event-{line.seq}"] = part_html("event_row", {"event": line})
        return found


_SETTLE: Final = {
    "any": "the first success",
    "first": "the first success or fail",
    "all": "everybody",
}


def _preview(body: str | None, size: int) -> str:
    if body is None:
        return ""
    return body + "…" * (size > len(body.encode()))
