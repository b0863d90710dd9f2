"""Everything that can enter the pipeline: the closed union of inputs.

A frame becomes one of the commands (``hub.protocol.decode``); the rest comes
from the runtime: a connection that came, went or was given other rights, an
operator's word, and time.
"""

import msgspec

from hub.core.access import Access
from hub.core.connections import Watching
from hub.core.values import Body, EventKind, Expect, Settle, Token


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of what a client may send; ``connection`` is filled by the gateway."""

    connection: str
    #: echoed in the reply (v1)
    command_id: str | None = None
    #: the frame as received, for the answer to a refusal
    request: str = ""


class Subscribe(Command, frozen=True, kw_only=True):
    """``sub``: a pattern, or with ``exact`` (legacy) one action."""

    pattern: str
    exact: bool = False
    group: bool = False
    #: bytes from which on this connection gets ``payloadSize`` for a payload (§4.5)
    lazy_payload: int | None = None


class Unsubscribe(Command, frozen=True, kw_only=True):
    """``unsub``: the pattern as it was subscribed."""

    pattern: str


class Init(Command, frozen=True, kw_only=True):
    """``pub`` of an init: a new task."""

    task_id: str
    event_id: str
    action: str
    payload: Body
    #: milliseconds; None: the hub's default
    start_timeout: int | None = None
    end_timeout: int | None = None
    expect: Expect = Expect.RESULT
    settle: Settle = Settle.ANY
    claim: bool = False


class Report(Command, frozen=True, kw_only=True):
    """``pub`` of any other event: what a participant (or the publisher) did."""

    kind: EventKind
    task_id: str
    event_id: str
    #: update, result, reason; on a v1 drop an optional reason
    body: Body | None = None


class Cancel(Command, frozen=True, kw_only=True):
    """``cancel``: by the publisher."""

    task_id: str
    #: JSON; None: none given
    reason: Body | None = None


class Watch(Command, frozen=True, kw_only=True):
    """``watch`` one task from a seq on, or an action pattern live: exactly one of both."""

    task_id: str | None = None
    from_seq: int = 1
    pattern: str | None = None


class Unwatch(Command, frozen=True, kw_only=True):
    """``unwatch``: the task or pattern as it was watched."""

    task_id: str | None = None
    pattern: str | None = None


class Get(Command, frozen=True, kw_only=True):
    """``get``: stored facts about one task."""

    task_id: str
    #: payload, result, task, events
    what: str
    #: for events: the first seq wanted
    from_seq: int = 1


class Resume(Command, frozen=True, kw_only=True):
    """``resume``: take the place of the connection whose welcome told this session (§6)."""

    session: Token
    epoch: str
    #: taskId → the last seq that was seen; 0: none
    tasks: dict[str, int]


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection was accepted."""

    connection: str
    access: Access
    #: what ``resume`` may present once it is lost; None: a legacy connection
    session: Token | None = None


class Disconnected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection is gone."""

    connection: str
    watching: Watching = Watching()
    #: another one is about to resume it: nothing of it goes to others meanwhile
    resumed: bool = False


class AccessChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An open connection has other rights from now on (§2.8)."""

    connection: str
    access: Access


class OperatorCancel(Command, frozen=True, kw_only=True):
    """A person cancels a task; ``connection`` is one inside the process, made for the answer."""

    task_id: str
    #: login name
    operator: str
    #: JSON; None: none given
    reason: Body | None = None


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Time has passed: deadlines may be due."""


Read = Watch | Unwatch | Get
Decided = (
    Subscribe
    | Unsubscribe
    | Init
    | Report
    | Cancel
    | Resume
    | Connected
    | Disconnected
    | AccessChanged
    | OperatorCancel
    | Tick
)
