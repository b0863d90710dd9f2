"""The life of a task as lanes, one for each party; SVG whose geometry is in attributes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hub.core.values import EventKind
from hub.dashboard.pages.format import duration
from hub.dashboard.pages.states import EVENT, PARTICIPANT, Mark
from hub.selectors.tasks import EventRow, ParticipantRow, TaskRow

#: participants with a lane; the others are in the table
LANES: Final = 25
#: updates that are drawn in a lane
_TICKS: Final = 200
#: one is drawn over another when they are nearer than this, in percent
_APART: Final = 0.3

#: where a time stands under the lanes, in percent, and what of its text stands there
_FINE: Final = 20
_LABELS: Final = ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, in percent of the width."""

    x: str
    width: str
    tone: str


@dataclass(frozen=True, slots=True)
class Point:
    """A moment, in percent of the width."""

    x: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What one party did, drawn and in words."""

    name: str
    mark: Mark | None
    #: the same as the drawing
    words: str
    bars: tuple[Bar, ...]
    points: tuple[Point, ...]
    ticks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A time under the lanes."""

    x: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All lanes over one time, from the init to the end or until now."""

    lanes: tuple[Lane, ...]
    labels: tuple[Label, ...]
    #: participants without a lane
    others: int


class _Scale:
    def __init__(self, begin: int, end: int) -> None:
        self.begin = begin
        self.span = max(1, end - begin)

    def share(self, at: int) -> float:
        return min(100.0, max(0.0, (at - self.begin) / self.span * 100))

    def x(self, at: int) -> str:
        return f"{self.share(at):.2f}%"

    def bar(self, begin: int, end: int, tone: str) -> Bar:
        width = max(0.4, self.share(end) - self.share(begin))
        return Bar(f"{min(self.share(begin), 99.6):.2f}%", f"{width:.2f}%", tone)

    def words(self, at: int) -> str:
        return f"after {duration(at - self.begin)}"


def timeline(
    task: TaskRow, participants: Sequence[ParticipantRow], events: Sequence[EventRow], now: int
) -> Timeline:
    """The lanes of this task as far as it has come."""
    end = task.ended_at or max(now, task.created_at)
    scale = _Scale(task.created_at, max([end, *(one.done_at or 0 for one in participants)]))
    shown = participants[:LANES]
    lanes = [
        _of_task(task, scale, end),
        *(_of_one(one, events, scale, end) for one in shown),
    ]
    return Timeline(
        lanes=tuple(lanes),
        labels=tuple(_labels(scale.span)),
        others=len(participants) - len(shown),
    )


def _labels(span: int) -> Iterable[Label]:
    # Of a span of two milliseconds, none is there twice.
    for at, anchor in _LABELS:
        if span * at % 100 == 0 or span >= _FINE:
            yield Label(f"{at}%", anchor, duration(span * at / 100))


def _of_task(task: TaskRow, scale: _Scale, end: int) -> Lane:
    moments = [(task.created_at, EVENT[EventKind.INIT])]
    if task.settled_at is not None and task.outcome is not None:
        moments.append((task.settled_at, EVENT[EventKind(task.outcome.value)]))
    if task.ended_at is not None:
        moments.append((task.ended_at, EVENT[EventKind.END]))
    bars = [scale.bar(task.created_at, task.settled_at or end, "calm")]
    return Lane(
        name=f"{task.publisher} (publisher)",
        mark=None,
        words=", ".join(f"{mark.word} {scale.words(at)}" for at, mark in moments),
        bars=tuple(bars),
        points=tuple(Point(scale.x(at), mark.tone) for at, mark in moments),
    )


def _of_one(one: ParticipantRow, events: Sequence[EventRow], scale: _Scale, end: int) -> Lane:
    mark = PARTICIPANT[one.state]
    until = one.done_at or end
    begun = one.started_at
    bars = [scale.bar(one.offered_at, begun or until, "wait")]
    words = [f"offered {scale.words(one.offered_at)}"]
    points = [Point(scale.x(one.offered_at), "wait")]
    if begun is not None:
        bars.append(scale.bar(begun, until, mark.tone))
        words.append(f"started {scale.words(begun)}")
    if one.done_at is not None:
        points.append(Point(scale.x(one.done_at), mark.tone))
        words.append(f"{mark.word} {scale.words(one.done_at)}")
    return Lane(
        name=one.client,
        mark=mark,
        words=", ".join(words),
        bars=tuple(bars),
        points=tuple(points),
        ticks=tuple(_apart(_updates(one, events), scale)),
    )


def _updates(one: ParticipantRow, events: Sequence[EventRow]) -> Iterable[int]:
    return (
        event.at
        for event in events
        if event.participant == one.number and event.kind == EventKind.UPDATE
    )


def _apart(times: Iterable[int], scale: _Scale) -> Iterable[str]:
    last = -1.0
    for at in list(times)[:_TICKS]:
        share = scale.share(at)
        if share - last >= _APART:
            last = share
            yield f"{share:.2f}%"
