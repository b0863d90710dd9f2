"""The rows of the hub's history, for those who read them: admin, dashboard, API.

Only the journal writes them, by SQL of its own (``hub/journal/sql``); a task's row
is a projection of its facts (``hub.journal.rows``). Rows of ``Again`` are written by
``hub.services``. Times are milliseconds since the epoch, as everywhere in the hub.
Choices and check constraints are made from the enums of ``hub.core.values``, so that
no word is listed twice.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import Q

from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState

_OUTCOMES = (TaskState.SUCCESS, TaskState.FAIL)
_SETTLING = (EventKind.SUCCESS, EventKind.FAIL)


def _choices(words: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


def _known(field: str, words: Iterable[StrEnum], *also: str) -> Q:
    # Not IN: SQLite builds a table for each list at each row, which doubled the price of an event.
    known = Q()
    for word in [*also, *(word.value for word in words)]:
        known |= Q(**{field: word})
    return known


class Task(models.Model):
    """One task as it stands. Payload and result are bodies of its events, stored once."""

    #: given by the hub, which counts on from the highest: no round trip to learn it
    id = models.BigIntegerField(primary_key=True)
    task_id = models.CharField("task id", max_length=64, unique=True)
    action = models.CharField(max_length=255)
    publisher = models.CharField(max_length=64)
    #: the connection that published it
    connection = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=_choices(TaskState))
    #: empty until settled; stays after the end
    outcome = models.CharField(max_length=16, blank=True, default="", choices=_choices(_OUTCOMES))
    #: its last event; also the version that a change must name
    seq = models.PositiveIntegerField()
    created_at = models.BigIntegerField("created")
    started_at = models.BigIntegerField("started", null=True)
    settled_at = models.BigIntegerField("settled", null=True)
    ended_at = models.BigIntegerField("ended", null=True)
    #: the event whose body is the result or the reason
    settled_seq = models.PositiveIntegerField(null=True)
    start_timeout = models.BigIntegerField()
    end_timeout = models.BigIntegerField()
    start_deadline = models.BigIntegerField()
    end_deadline = models.BigIntegerField()
    settle = models.CharField(max_length=16, choices=_choices(Settle))
    expect = models.CharField(max_length=16, choices=_choices(Expect))
    claim = models.BooleanField()

    class Meta:
        db_table = "hub_task"
        ordering = ["-id"]
        # Of people; what clients may do is in ``credentials``.
        default_permissions = ("view",)
        permissions = [
            ("view_payload", "Can view payloads, results and reasons"),
            ("cancel_task", "Can cancel tasks"),
            ("publish_task", "Can publish tasks again"),
        ]
        indexes = [
            # What the hub recovers after a restart, and the dashboard's first page.
            models.Index(fields=["id"], condition=Q(ended_at__isnull=True), name="task_open"),
            # Retention.
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="task_ended"
            ),
            # Keyset pages of one action, of one client's own tasks, of what failed. Other filters
            # look at tasks one by one (hub/selectors/walk.py).
            models.Index(fields=["action", "id"], name="task_action"),
            models.Index(fields=["publisher", "id"], name="task_publisher"),
            # With the outcome in it: SQLite asks a row for what its index does not hold, even when
            # it cannot be otherwise.
            models.Index(
                fields=["outcome", "id"],
                condition=Q(outcome=TaskState.FAIL.value),
                name="task_failed",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=_known("state", TaskState), name="task_state_known"),
            models.CheckConstraint(
                condition=_known("outcome", _OUTCOMES, ""), name="task_outcome_known"
            ),
            models.CheckConstraint(condition=_known("settle", Settle), name="task_settle_known"),
            models.CheckConstraint(condition=_known("expect", Expect), name="task_expect_known"),
        ]

    def __str__(self) -> str:
        return self.task_id


class TaskEvent(models.Model):
    """Something that happened to a task, in the task's one order."""

    pk = models.CompositePrimaryKey("task_id", "seq")
    task = models.ForeignKey(
        Task, on_delete=models.CASCADE, related_name="events", db_column="task", db_index=False
    )
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=_choices(EventKind))
    event_id = models.CharField("event id", max_length=64)
    at = models.BigIntegerField()
    #: client name, or ``hub``
    by = models.CharField(max_length=64)
    #: state of the task after this event
    state = models.CharField(max_length=16, choices=_choices(TaskState))
    #: JSON text exactly as received; null when the event has none, which no JSON text says
    body = models.TextField(null=True)  # noqa: DJ001
    #: number of the participation; 0 is the publisher or the hub
    participant = models.PositiveIntegerField(default=0)
    # Null in the two below as in the fact: bound as it is on the hot path.
    participant_state = models.CharField(  # noqa: DJ001
        max_length=16, null=True, choices=_choices(ParticipantState)
    )
    #: on a drop: what was sent, when it did not settle the task
    stands_for = models.CharField(  # noqa: DJ001
        max_length=16, null=True, choices=_choices(_SETTLING)
    )

    class Meta:
        db_table = "hub_task_event"
        default_permissions = ()
        ordering = ["task", "seq"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=_known("kind", EventKind), name="event_kind_known"),
            models.CheckConstraint(condition=_known("state", TaskState), name="event_state_known"),
            models.CheckConstraint(
                condition=_known("participant_state", ParticipantState),
                name="event_participant_state_known",
            ),
            models.CheckConstraint(
                condition=_known("stands_for", _SETTLING), name="event_stands_for_known"
            ),
            # The second line behind the version check: one outcome, one end (§5.3, §5.4).
            models.UniqueConstraint(
                fields=["task"], condition=_known("kind", _SETTLING), name="event_one_outcome"
            ),
            models.UniqueConstraint(
                fields=["task"], condition=Q(kind=EventKind.END.value), name="event_one_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class Participation(models.Model):
    """One participant's part in one task."""

    pk = models.CompositePrimaryKey("task_id", "number")
    task = models.ForeignKey(
        Task,
        on_delete=models.CASCADE,
        related_name="participations",
        db_column="task",
        db_index=False,
    )
    #: 1, 2, 3 … in the order of the offers
    number = models.PositiveIntegerField()
    client = models.CharField(max_length=64)
    connection = models.CharField(max_length=64)
    #: shares the task with the other connections of its client (§5.6)
    group = models.BooleanField()
    state = models.CharField(max_length=16, choices=_choices(ParticipantState))
    offered_at = models.BigIntegerField("offered")
    started_at = models.BigIntegerField("started", null=True)
    done_at = models.BigIntegerField("done", null=True)
    #: its own result or reason as JSON text, also when it did not settle the task
    body = models.TextField(null=True)  # noqa: DJ001

    class Meta:
        db_table = "hub_participation"
        default_permissions = ()
        ordering = ["task", "number"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=_known("state", ParticipantState), name="participation_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client} {self.state}"


class Connection(models.Model):
    """An open connection. Believed until its lease ends, which its process renews."""

    connection = models.CharField(max_length=64, primary_key=True)
    client = models.CharField(max_length=64)
    #: remote address, without the port
    address = models.CharField(max_length=64)
    #: ``taskhub.v1`` or ``legacy``
    protocol = models.CharField(max_length=16)
    #: what its program calls itself (User-Agent); may be empty
    agent = models.CharField(max_length=128, blank=True, default="")
    since = models.BigIntegerField()
    lease_until = models.BigIntegerField()

    class Meta:
        db_table = "hub_connection"
        default_permissions = ("view",)
        permissions = [("disconnect_connection", "Can disconnect connections")]
        ordering = ["since", "connection"]

    def __str__(self) -> str:
        return f"{self.client} {self.address}"


class Again(models.Model):
    """A task that was published again: the new one, and the one whose content it has."""

    #: of the new task
    task_id = models.CharField("task id", max_length=64, primary_key=True)
    #: ``taskId`` of the old one
    of = models.CharField(max_length=64, db_index=True)
    #: login name, or the name of a client
    by = models.CharField(max_length=150)
    at = models.BigIntegerField(db_index=True)

    class Meta:
        db_table = "hub_again"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.task_id} of {self.of}"


class Rollup(models.Model):
    """How many tasks ended in one minute or hour, alike in what is named here.

    Made out of the tasks' rows, up to ``summed_until`` in ``HubMeta`` (``hub.journal.sums``).
    """

    pk = models.CompositePrimaryKey("width_ms", "at", "action", "outcome", "bucket")
    #: a minute, or an hour
    width_ms = models.PositiveIntegerField()
    #: its begin
    at = models.BigIntegerField()
    action = models.CharField(max_length=255)
    outcome = models.CharField(max_length=16, choices=_choices(_OUTCOMES))
    #: of the time from the init to the outcome (``hub.durations``)
    bucket = models.PositiveSmallIntegerField()
    n = models.BigIntegerField()

    class Meta:
        db_table = "hub_rollup"
        ordering = ["width_ms", "at", "action"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.n} {self.action} {self.outcome}"


class HubMeta(models.Model):
    """What the hub knows of its own database.

    Its ``epoch`` (docs/protocol.md §6), and ``summed_until``: where the sums stand (ms).
    """

    key = models.CharField(max_length=32, primary_key=True)
    value = models.TextField()

    class Meta:
        db_table = "hub_meta"
        default_permissions = ()

    def __str__(self) -> str:
        return self.key
