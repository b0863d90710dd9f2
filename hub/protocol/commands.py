"""What a client may send: one type for each command, and for each event of ``pub`` (§3, §4).

They say which fields a command uses and which it needs. ``frames.py`` checks frames in the order
of these fields, and ``asyncapi.py`` describes them to clients; no frame is parsed into them, for
fields that a command does not use are ignored whatever their type, and a refusal says precisely
what was wrong.
"""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.values import Expect, Settle
from hub.protocol.fields import (
    Action,
    CommandId,
    EndTimeout,
    Id,
    Json,
    Pattern,
    SeenSeqs,
    Seq,
    Size,
    StartTimeout,
)


class AnyCommand(
    msgspec.Struct, tag_field="cmd", frozen=True, kw_only=True, gc=False, rename="camel"
):
    """A command of either version."""


class _Command(AnyCommand, frozen=True, kw_only=True):
    """A command of v1."""

    id: CommandId | UnsetType = UNSET


class Sub(_Command, tag="sub", frozen=True, kw_only=True):
    """Take tasks of every action that the pattern covers."""

    action: Pattern
    #: the client's connections share the tasks: each goes to one of them (§5.6)
    group: bool | UnsetType = UNSET
    #: an init with a larger payload comes with ``payloadSize`` instead (§4.5)
    lazy_payload: Size | UnsetType = UNSET


class Unsub(_Command, tag="unsub", frozen=True, kw_only=True):
    """Take no new tasks of this pattern, as it was subscribed; work under way goes on."""

    action: Pattern


class Pub(_Command, tag="pub", frozen=True, kw_only=True):
    """An event of a task; what every ``pub`` has."""

    event: str
    task_id: Id
    event_id: Id


class PubInit(Pub, frozen=True, kw_only=True):
    """Publish a task (§5.1)."""

    event: Literal["init"]
    action: Action
    payload: Json
    start_timeout: StartTimeout | UnsetType = UNSET
    end_timeout: EndTimeout | UnsetType = UNSET
    expect: Expect | UnsetType = UNSET
    settle: Settle | UnsetType = UNSET
    #: the first start wins (§5.7)
    claim: bool | UnsetType = UNSET


class PubStart(Pub, frozen=True, kw_only=True):
    """Start the work on a task (§5.2)."""

    event: Literal["start"]


class PubUpdate(Pub, frozen=True, kw_only=True):
    """Report progress."""

    event: Literal["update"]
    update: Json


class PubDrop(Pub, frozen=True, kw_only=True):
    """Leave the task to others."""

    event: Literal["drop"]
    reason: Json | UnsetType = UNSET


class PubSuccess(Pub, frozen=True, kw_only=True):
    """Say the result (§5.3)."""

    event: Literal["success"]
    result: Json


class PubFail(Pub, frozen=True, kw_only=True):
    """Say why the work failed (§5.3)."""

    event: Literal["fail"]
    reason: Json


class PubEnd(Pub, frozen=True, kw_only=True):
    """Say that one is done; the hub alone ends a task (§5.4)."""

    event: Literal["end"]


class Cancel(_Command, tag="cancel", frozen=True, kw_only=True):
    """Fail a task of one's own that is not settled (§5.4)."""

    task_id: Id
    reason: Json | UnsetType = UNSET


class Watch(_Command, tag="watch", frozen=True, kw_only=True):
    """Hear of one task, stored messages first, or of every task that a pattern covers, live."""

    task_id: Id | UnsetType = UNSET
    action: Pattern | UnsetType = UNSET
    #: of one task: the first seq to hear
    from_: Seq | UnsetType = msgspec.field(default=UNSET, name="from")


class Unwatch(_Command, tag="unwatch", frozen=True, kw_only=True):
    """End a watch."""

    task_id: Id | UnsetType = UNSET
    action: Pattern | UnsetType = UNSET


class Get(_Command, tag="get", frozen=True, kw_only=True):
    """Ask for what is stored of a task (§3)."""

    task_id: Id
    what: Literal["payload", "result", "task", "events"]
    #: of events: the first seq to get
    from_: Seq | UnsetType = msgspec.field(default=UNSET, name="from")


class Resume(_Command, tag="resume", frozen=True, kw_only=True):
    """Take the place of a connection of the same client that was lost (§6)."""

    #: as the welcome of the lost connection told it, a secret
    session: str
    epoch: str
    tasks: SeenSeqs


Type = type[msgspec.Struct]
#: by ``cmd``, and for ``pub`` by event too
V1_COMMANDS: Final[dict[str, Type]] = {
    "sub": Sub,
    "unsub": Unsub,
    "cancel": Cancel,
    "watch": Watch,
    "unwatch": Unwatch,
    "get": Get,
    "resume": Resume,
    "pub init": PubInit,
    "pub start": PubStart,
    "pub update": PubUpdate,
    "pub drop": PubDrop,
    "pub success": PubSuccess,
    "pub fail": PubFail,
    "pub end": PubEnd,
}
