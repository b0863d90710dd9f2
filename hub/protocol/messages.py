"""What the hub may say: one type for each message (§2.5, §3, §4.3, §7).

``encode.py`` makes answers and errors from them. Events it splices, which is much faster; their
types are what ``asyncapi.py`` describes to clients, and what tests hold the spliced text to.
"""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.errors import Code
from hub.core.values import ParticipantState, TaskState
from hub.protocol.fields import (
    ClientName,
    CloseCode,
    CommandId,
    ErrorClass,
    Id,
    Json,
    Nothing,
    Outcome,
    Request,
    Seq,
    Size,
    StoredEvents,
    Time,
    ToldName,
    ToldTimeout,
    Yes,
)


class Said(
    msgspec.Struct,
    tag_field="status",
    frozen=True,
    kw_only=True,
    gc=False,
    rename="camel",
    forbid_unknown_fields=True,
):
    """Whatever the hub says."""


class Ok(Said, tag="ok", frozen=True, kw_only=True):
    """Whatever is no error."""


# Answers (§2.5, §3)


class Welcome(Ok, frozen=True, kw_only=True):
    """The first message on a connection (§2.5)."""

    type: Literal["welcome"]
    connection_id: str
    #: a secret: who has it may ``resume`` (§6)
    session: str
    #: names the database
    epoch: str
    protocol: Literal["taskhub.v1"]
    #: the hub's version
    hub: str
    #: the hub's settings, in camel case
    limits: dict[str, int]
    now: Time


class _Answer(Ok, frozen=True, kw_only=True):
    message: str


class PatternAnswer(_Answer, frozen=True, kw_only=True):
    """Subscribed, unsubscribed, watching, no longer watching a pattern."""

    action: ToldName
    id: CommandId | UnsetType = UNSET


class TaskAnswer(_Answer, frozen=True, kw_only=True):
    """Watching, no longer watching a task."""

    task_id: Id
    id: CommandId | UnsetType = UNSET


class Unchanged(_Answer, frozen=True, kw_only=True):
    """An event that changed nothing and has no stored message to send again (§4.7, §5.4)."""

    message: Literal["nothing changed"]
    task_id: Id
    event_id: Id
    id: CommandId | UnsetType = UNSET


class Resumed(_Answer, frozen=True, kw_only=True):
    """Whether this connection is now in the place of the lost one (§6)."""

    resumed: bool
    id: CommandId | UnsetType = UNSET


class PayloadAnswer(Ok, frozen=True, kw_only=True):
    """The payload of a task."""

    payload: Json
    id: CommandId | UnsetType = UNSET


class ResultAnswer(Ok, frozen=True, kw_only=True):
    """The result of a task that succeeded; null while it is unsettled, and for a fail."""

    result: Json
    id: CommandId | UnsetType = UNSET


class Part(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    rename="camel",
    forbid_unknown_fields=True,
):
    """One participant of a task; a time that has not come is null."""

    client: ClientName
    state: ParticipantState
    started_at: Time | None
    done_at: Time | None
    #: of one that succeeded
    result: Json | UnsetType = UNSET
    #: of another that said one
    reason: Json | UnsetType = UNSET


class Summary(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    rename="camel",
    forbid_unknown_fields=True,
):
    """A task at a glance; a time that has not come is null."""

    task_id: Id
    action: ToldName
    publisher: ClientName
    state: TaskState
    outcome: Outcome
    seq: Seq
    created_at: Time
    started_at: Time | None
    settled_at: Time | None
    ended_at: Time | None
    start_deadline: Time
    end_deadline: Time
    participants: list[Part]


class SummaryAnswer(Ok, frozen=True, kw_only=True):
    """A task at a glance."""

    task: Summary
    id: CommandId | UnsetType = UNSET


class EventsAnswer(Ok, frozen=True, kw_only=True):
    """Stored events of a task, as they were told."""

    events: StoredEvents
    id: CommandId | UnsetType = UNSET


# Events (§4.3)


class _Event(Ok, frozen=True, kw_only=True):
    event_id: Id
    event: str
    task_id: Id
    seq: Seq
    at: Time
    #: who did it: a client, or the hub
    by: ClientName
    #: in the message that answers a command
    id: CommandId | UnsetType = UNSET


class _Init(_Event, frozen=True, kw_only=True):
    event: Literal["init"]
    action: ToldName
    start_timeout: ToldTimeout
    end_timeout: ToldTimeout
    start_deadline: Time
    end_deadline: Time
    #: the options, when they are not the default
    settle: Literal["first", "all"] | UnsetType = UNSET
    expect: Literal["delivery"] | UnsetType = UNSET
    claim: Yes | UnsetType = UNSET


class InitEvent(_Init, frozen=True, kw_only=True):
    """A task was published, or is offered (§5.1)."""

    payload: Json


class LazyInitEvent(_Init, frozen=True, kw_only=True):
    """An init with a payload over ``lazyPayload``: ask for it with ``get`` (§4.5)."""

    payload_size: Size


class StartEvent(_Event, frozen=True, kw_only=True):
    """A participant has started (§5.2)."""

    event: Literal["start"]


class UpdateEvent(_Event, frozen=True, kw_only=True):
    """A participant reports progress."""

    event: Literal["update"]
    update: Json


class DropEvent(_Event, frozen=True, kw_only=True):
    """A participant has left, or was lost (§5.4)."""

    event: Literal["drop"]
    reason: Json | UnsetType = UNSET


class FailedDropEvent(_Event, frozen=True, kw_only=True):
    """A participant failed, which did not settle the task (§5.3)."""

    event: Literal["drop"]
    outcome: Literal["fail"]
    reason: Json


class SucceededDropEvent(_Event, frozen=True, kw_only=True):
    """A participant succeeded, which did not settle the task (§5.3)."""

    event: Literal["drop"]
    outcome: Literal["success"]
    result: Json


class SuccessEvent(_Event, frozen=True, kw_only=True):
    """The task has succeeded, for good (§5.3)."""

    event: Literal["success"]
    result: Json


class FailEvent(_Event, frozen=True, kw_only=True):
    """The task has failed, for good (§5.3). The hub's own reasons have a code and a message."""

    event: Literal["fail"]
    reason: Json


class EndEvent(_Event, frozen=True, kw_only=True):
    """The last event of a task (§5.4)."""

    event: Literal["end"]


# Errors (§7, §2.7)


class NotOk(Said, tag="error", frozen=True, kw_only=True):
    """Whatever is an error."""

    error: ErrorClass


class Error(NotOk, frozen=True, kw_only=True):
    """A command is refused and has changed nothing; its ids as far as they could be read."""

    code: Code
    message: str
    request: Request
    id: CommandId | UnsetType = UNSET
    task_id: Id | UnsetType = UNSET
    event_id: Id | UnsetType = UNSET
    #: the same frame may succeed later
    retry: bool


class Closing(NotOk, frozen=True, kw_only=True):
    """Why the hub closes the connection right after (§2.7)."""

    code: Code
    message: str
    request: Nothing
    #: a new connection is welcome, after a pause
    retry: bool
    close: CloseCode


Type = type[msgspec.Struct]
V1_EVENTS: Final[tuple[Type, ...]] = (
    InitEvent,
    LazyInitEvent,
    StartEvent,
    UpdateEvent,
    DropEvent,
    FailedDropEvent,
    SucceededDropEvent,
    SuccessEvent,
    FailEvent,
    EndEvent,
)
V1_ANSWERS: Final[tuple[Type, ...]] = (
    PatternAnswer,
    TaskAnswer,
    Unchanged,
    Resumed,
    PayloadAnswer,
    ResultAnswer,
    SummaryAnswer,
    EventsAnswer,
    Error,
)
V1_MESSAGES: Final[tuple[Type, ...]] = (Welcome, *V1_EVENTS, *V1_ANSWERS, Closing)
