"""Legacy (§2.3) as types: what taskhubjs 0.0.6 sends and understands, and nothing more."""

from typing import Final, Literal

from hub.protocol.commands import AnyCommand, Type
from hub.protocol.fields import Action, Id, Json, Request, ToldName
from hub.protocol.messages import NotOk, Ok

# Commands


class LegacySub(AnyCommand, tag="sub", frozen=True, kw_only=True):
    """Take tasks of one action."""

    action: Action


class _LegacyPub(AnyCommand, tag="pub", frozen=True, kw_only=True):
    event: str
    task_id: Id
    event_id: Id


class LegacyPubInit(_LegacyPub, frozen=True, kw_only=True):
    """Publish a task (§5.1)."""

    event: Literal["init"]
    action: Action
    payload: Json


class LegacyPubStart(_LegacyPub, frozen=True, kw_only=True):
    """Start the work on a task (§5.2)."""

    event: Literal["start"]


class LegacyPubUpdate(_LegacyPub, frozen=True, kw_only=True):
    """Report progress."""

    event: Literal["update"]
    update: Json


class LegacyPubDrop(_LegacyPub, frozen=True, kw_only=True):
    """Leave the task to others; a reason would be ignored."""

    event: Literal["drop"]


class LegacyPubSuccess(_LegacyPub, frozen=True, kw_only=True):
    """Say the result (§5.3)."""

    event: Literal["success"]
    result: Json


class LegacyPubFail(_LegacyPub, frozen=True, kw_only=True):
    """Say why the work failed (§5.3)."""

    event: Literal["fail"]
    reason: Json


class LegacyPubEnd(_LegacyPub, frozen=True, kw_only=True):
    """Say that one is done; the hub alone ends a task (§5.4)."""

    event: Literal["end"]


# Messages


class LegacyAnswer(Ok, frozen=True, kw_only=True):
    """Subscribed."""

    message: str
    action: ToldName


class _LegacyEvent(Ok, frozen=True, kw_only=True):
    event_id: Id
    event: str
    task_id: Id


class LegacyInitEvent(_LegacyEvent, frozen=True, kw_only=True):
    """A task was published, or is offered (§5.1)."""

    event: Literal["init"]
    action: ToldName
    payload: Json


class LegacyStartEvent(_LegacyEvent, frozen=True, kw_only=True):
    """A participant has started (§5.2)."""

    event: Literal["start"]


class LegacyUpdateEvent(_LegacyEvent, frozen=True, kw_only=True):
    """A participant reports progress."""

    event: Literal["update"]
    update: Json


class LegacyDropEvent(_LegacyEvent, frozen=True, kw_only=True):
    """A participant has left, was lost, or said what did not settle the task (§5.3)."""

    event: Literal["drop"]


class LegacySuccessEvent(_LegacyEvent, frozen=True, kw_only=True):
    """The task has succeeded, for good (§5.3)."""

    event: Literal["success"]
    result: Json


class LegacyFailEvent(_LegacyEvent, frozen=True, kw_only=True):
    """The task has failed, for good; or its init was refused, after the error (§7)."""

    event: Literal["fail"]
    reason: Json


class LegacyEndEvent(_LegacyEvent, frozen=True, kw_only=True):
    """The last event of a task (§5.4)."""

    event: Literal["end"]


class LegacyError(NotOk, frozen=True, kw_only=True):
    """A command is refused and has changed nothing."""

    message: str
    request: Request


#: by ``cmd``, and for ``pub`` by event too
LEGACY_COMMANDS: Final[dict[str, Type]] = {
    "sub": LegacySub,
    "pub init": LegacyPubInit,
    "pub start": LegacyPubStart,
    "pub update": LegacyPubUpdate,
    "pub drop": LegacyPubDrop,
    "pub success": LegacyPubSuccess,
    "pub fail": LegacyPubFail,
    "pub end": LegacyPubEnd,
}
LEGACY_EVENTS: Final[tuple[Type, ...]] = (
    LegacyInitEvent,
    LegacyStartEvent,
    LegacyUpdateEvent,
    LegacyDropEvent,
    LegacySuccessEvent,
    LegacyFailEvent,
    LegacyEndEvent,
)
LEGACY_MESSAGES: Final[tuple[Type, ...]] = (*LEGACY_EVENTS, LegacyAnswer, LegacyError)
