"""The hub's figures for Prometheus, read when somebody asks (docs/observability.md).

Nothing here runs while the hub works: updates are plain additions (``hub.counts``).
"""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from hub.core.errors import Code
from hub.core.inputs import (
    Cancel,
    Get,
    Init,
    Report,
    Resume,
    Subscribe,
    Unsubscribe,
    Unwatch,
    Watch,
)
from hub.counts import Histogram, traffic
from hub.runtime import Runtime

#: Commands by the type that a frame became.
COMMANDS: Final[Mapping[str, tuple[type, ...]]] = {
    "sub": (Subscribe,),
    "unsub": (Unsubscribe,),
    "pub": (Init, Report),
    "cancel": (Cancel,),
    "watch": (Watch,),
    "unwatch": (Unwatch,),
    "get": (Get,),
    "resume": (Resume,),
}

T = TypeVar("T")
Labels = tuple[str, ...]
Values = float | Mapping[Labels, float] | Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric: how it is called, what it means, and where it is read."""

    name: str
    help: str
    read: Callable[[Runtime], Values]
    labels: Labels = ()

    def family(self, runtime: Runtime) -> Metric:
        """Its values now."""
        values = self.read(runtime)
        if isinstance(values, Histogram):
            return HistogramMetricFamily(
                self.name, self.help, buckets=_buckets(values), sum_value=values.total
            )
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for labels, value in (values if isinstance(values, Mapping) else {(): values}).items():
            family.add_metric(labels, value)
        return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    below, buckets = 0, []
    for bound, count in zip((*histogram.bounds, "+Inf"), list(histogram.counts), strict=True):
        below += count
        buckets.append((str(bound), float(below)))
    return buckets


def _by(counts: Mapping[T, int]) -> dict[Labels, float]:
    # A copy first: another thread may be counting something for the first time.
    return {(str(label),): count for label, count in dict(counts).items()}


def _frames(runtime: Runtime) -> float:
    return sum(dict(runtime.pipeline.counts.frames).values())


def _commands(runtime: Runtime) -> dict[Labels, float]:
    counted = runtime.pipeline.counts.frames
    return {
        (name,): sum(counted.get(kind, 0) for kind in kinds) for name, kinds in COMMANDS.items()
    }


def _events(runtime: Runtime) -> dict[Labels, float]:
    counts = runtime.pipeline.commit.counts
    return {
        ("init",): counts.opened,
        ("start",): counts.started,
        ("update",): counts.updated,
        ("drop",): counts.dropped,
        ("success",): counts.succeeded,
        ("fail",): counts.failed.total(),
        ("end",): counts.ended,
    }


def _settled(runtime: Runtime) -> dict[Labels, float]:
    counts = runtime.pipeline.commit.counts
    return {
        ("success", "service"): counts.succeeded - counts.without_service,
        ("success", "hub"): counts.without_service,
        **{("fail", reason): count for reason, count in counts.failed.copy().items()},
    }


def _refused(runtime: Runtime) -> dict[Labels, float]:
    counted = runtime.pipeline.counts.refused
    return {(code.value,): counted[code.value] for code in Code}


def _limits(runtime: Runtime) -> dict[Labels, float]:
    # Each limit is counted in one of these places only.
    return {
        ("max_participants_per_task",): runtime.pipeline.commit.counts.crowded,
        **_by(runtime.pipeline.counts.limits),
        **_by(traffic.limits),
    }


def _commit_age(runtime: Runtime) -> float:
    since = runtime.pipeline.commit.since
    return 0.0 if since is None else time.perf_counter() - since


FIGURES: Final = (
    Figure(
        name="taskhub_build_info",
        help="Always 1; the labels say what runs.",
        labels=("version", "python"),
        read=lambda r: {(r.version, platform.python_version()): 1},
    ),
    Figure(
        name="taskhub_connections_open",
        help="Connections that are open, by protocol.",
        labels=("protocol",),
        read=lambda r: _by(r.pipeline.router.open_by_protocol()),
    ),
    Figure(
        name="taskhub_handshakes_accepted_total",
        help="Handshakes that became connections, by protocol.",
        labels=("protocol",),
        read=lambda _: _by(traffic.accepted),
    ),
    Figure(
        name="taskhub_handshakes_refused_total",
        help="Handshakes that were refused, by reason: wrong-key, locked, crowded, connections, …",
        labels=("reason",),
        read=lambda _: _by(traffic.refused),
    ),
    Figure(
        name="taskhub_connections_closed_total",
        help="Connections that the hub closed, by close code; 4408: outbox full, a slow reader.",
        labels=("code",),
        read=lambda _: _by(traffic.closed),
    ),
    Figure(
        name="taskhub_live_sockets_open",
        help="Pages of the dashboard that are kept up to date at this moment.",
        read=lambda _: traffic.live,
    ),
    Figure(
        name="taskhub_frames_received_total",
        help="Frames that clients sent.",
        read=_frames,
    ),
    Figure(
        name="taskhub_sent_bytes_total",
        help="Bytes that were handed to sockets.",
        read=lambda _: traffic.bytes_out,
    ),
    Figure(
        name="taskhub_commands_total",
        help="Commands that could be read, by cmd.",
        labels=("cmd",),
        read=_commands,
    ),
    Figure(
        name="taskhub_refusals_total",
        help="Frames that were answered with an error, by code (docs/protocol.md §7).",
        labels=("code",),
        read=_refused,
    ),
    Figure(
        name="taskhub_limits_reached_total",
        help="How often a limit was reached, by its setting (docs/protocol.md §7).",
        labels=("limit",),
        read=_limits,
    ),
    Figure(
        name="taskhub_tasks_open",
        help="Tasks that have not ended.",
        read=lambda r: len(r.pipeline.engine.books.open),
    ),
    Figure(
        name="taskhub_tasks_opened_total",
        help="Tasks that were stored.",
        read=lambda r: r.pipeline.commit.counts.opened,
    ),
    Figure(
        name="taskhub_tasks_settled_total",
        help="Tasks that got their outcome, by outcome and reason; service: a service's own word.",
        labels=("outcome", "reason"),
        read=_settled,
    ),
    Figure(
        name="taskhub_tasks_ended_total",
        help="Tasks that ended.",
        read=lambda r: r.pipeline.commit.counts.ended,
    ),
    Figure(
        name="taskhub_events_committed_total",
        help="Events that were stored, by kind.",
        labels=("event",),
        read=_events,
    ),
    Figure(
        name="taskhub_deliveries_total",
        help="Connections that events were handed to, publishers and participants.",
        read=lambda r: r.pipeline.router.delivered,
    ),
    Figure(
        name="taskhub_deadlines_fired_total",
        help="Deadlines of tasks, and graces of lost connections, that led to a decision.",
        read=lambda r: r.pipeline.counts.deadlines,
    ),
    Figure(
        name="taskhub_commit_decisions",
        help="Decisions in one commit.",
        read=lambda r: r.pipeline.commit.counts.decisions,
    ),
    Figure(
        name="taskhub_commit_duration_seconds",
        help="How long commits took, their sync included.",
        read=lambda r: r.pipeline.commit.counts.seconds,
    ),
    Figure(
        name="taskhub_commit_age_seconds",
        help="For how long the commit under way has been; 0: there is none.",
        read=_commit_age,
    ),
    Figure(
        name="taskhub_commit_backlog",
        help="Decisions that are not stored yet.",
        read=lambda r: r.pipeline.commit.waiting,
    ),
    Figure(
        name="taskhub_commit_failures_total",
        help="Commits that failed; their senders were told to send again.",
        read=lambda r: r.pipeline.commit.counts.failures,
    ),
    Figure(
        name="taskhub_tasks_read_anew_total",
        help="How often all open tasks were read from the journal again after a failure.",
        read=lambda r: r.pipeline.counts.restarts_over,
    ),
    Figure(
        name="taskhub_task_loads_total",
        help="Tasks that were read from the journal because they were not in memory.",
        read=lambda r: r.pipeline.reader.loads,
    ),
    Figure(
        name="taskhub_background_restarts_total",
        help="How often background work ended and was started again, by its name.",
        labels=("work",),
        read=lambda r: {
            **_by(r.supervisor.restarts),
            ("writer",): r.pipeline.commit.counts.writer_restarts,
        },
    ),
    Figure(
        name="taskhub_event_loop_lag_seconds",
        help="How late the event loop came back from a short sleep.",
        read=lambda r: r.house.lag,
    ),
)


class Figures(Collector):
    """Reads every figure of a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> Iterable[Metric]:
        """Part of Collector: nothing, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Part of Collector."""
        for figure in FIGURES:
            yield figure.family(self._runtime)


def registry_of(runtime: Runtime) -> CollectorRegistry:
    """The figures of a runtime, and those of its process (memory, CPU, files)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(runtime))
    ProcessCollector(registry=registry)
    return registry
