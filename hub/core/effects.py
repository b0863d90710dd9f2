"""What the shell has to do once the facts of a decision are committed.

Effects are values; a test compares lists of them. ``connection`` is always the
id of a connection of this process.
"""

import msgspec

from hub.core.connections import Watching
from hub.core.errors import Rejection
from hub.core.facts import Event


class Deliver(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tell these connections, each once, what happened to a task in one turn (§4.4)."""

    #: of one task, in their order; at least one
    events: tuple[Event, ...]
    #: participants and publisher, in a stable order, none twice
    to: tuple[str, ...]
    #: the action, for those who watch a pattern
    action: str
    #: the connection whose command one of the events answers, and the ``id`` it gave; it hears
    #: the answer also when it is not among ``to``
    sender: str | None = None
    command_id: str | None = None
    #: which of the events is the answer
    answer: int = 0


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Deliver a task's init to one more participant (§3 sub, §5.6)."""

    event: Event
    to: str


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True):
    """Answer ok: subscribed, unsubscribed."""

    to: str
    message: str
    action: str
    command_id: str | None = None


class Unchanged(msgspec.Struct, frozen=True, kw_only=True):
    """An event that changed nothing (§4.7, §5.2, §5.4); legacy connections hear nothing."""

    to: str
    task_id: str
    event_id: str
    #: the stored event to send again, or None when there is none to send
    task: int | None = None
    seq: int | None = None
    command_id: str | None = None


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """Answer with an error (§7)."""

    to: str
    rejection: Rejection
    command_id: str | None = None
    task_id: str | None = None
    event_id: str | None = None
    #: the frame as received
    request: str = ""
    #: a well-formed init was refused: a legacy client needs a ``fail`` to settle by
    refused_init: bool = False


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """Answer a ``resume``, then tell what was missed (§6)."""

    to: str
    #: the connection whose place was taken; None: nothing could be resumed
    previous: str | None = None
    #: taskId → the seq from which on its events are told again
    replays: dict[str, int] = {}
    watching: Watching = Watching()
    lazy_payload: int | None = None
    command_id: str | None = None


Effect = Deliver | Offer | Acknowledge | Unchanged | Refuse | Resumed
