"""What people and programs without a socket do: publish, cancel, publish again, disconnect.

Each enters the pipeline as a frame does, or as an operator's word. Blocking: call from a thread
other than the hub's, as Django's views are, and not inside a transaction, for which the hub's own
commit would wait; each waits until its change is durable.
All raise Rejection (docs/protocol.md §7).
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync
from django.db import DatabaseError

from hub import runtime as hub_runtime
from hub.clock_and_ids import system_time
from hub.core.access import Access, access
from hub.core.decision import unknown_task
from hub.core.errors import Code, Rejection
from hub.core.remembered import visible
from hub.core.task import Task
from hub.core.values import Body, Expect, Settle
from hub.crossing import GOING_AWAY, cross
from hub.inside import ANSWER_TIMEOUT_S
from hub.logs import logger
from hub.models import Again
from hub.protocol import asking
from hub.runtime import Runtime

log = logger(__name__)

#: The longest that ``task_publish`` waits for the end of a task.
MAX_WAIT_S = 60.0
#: Close code of a connection that an operator has closed (docs/protocol.md §2.7).
CLOSED_BY_OPERATOR = 4503
_START_TIMEOUT_S = 30.0

_NOT_HERE = (
    "No hub runs in this process, so nothing can be changed from it. Start the hub with "
    "manage.py runhub, and do it in its pages or by its API."
)
_NO_SUCH_TASK = "There is no such task."

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person, by login name. What they may do was checked before."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be published; None: the hub's default. Bodies are JSON."""

    action: str
    payload: Body = field(default="null", repr=False)
    #: given to make a repeat safe; None: made here
    task_id: str | None = None
    event_id: str | None = None
    start_timeout: int | None = None
    end_timeout: int | None = None
    expect: Expect | None = None
    settle: Settle | None = None
    claim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A task that is stored."""

    task_id: str
    #: it had been published before, with the same ids and content
    repeated: bool
    #: it has ended within the time that was waited
    ended: bool


def task_publish(*, access: Access, task: NewTask, wait_s: float = 0) -> Published:
    """Publish as this client; wait for its end for at most so long, and a minute at most.

    When too many wait already (``hub.inside``), or the hub stops, it returns at once with
    ``ended`` False.
    """
    return _publish(access, task, wait_s=min(wait_s, MAX_WAIT_S))


def task_cancel(*, task_id: str, by: Access | Operator, reason: Body | None = None) -> None:
    """Cancel as its publisher, or as an operator. ``reason`` is JSON."""
    if isinstance(by, Operator):
        with _Told("cancel", by, task_id=task_id):
            asking.check_reason(reason)
            if not asking.is_task_id(task_id):
                raise Rejection(Code.UNKNOWN_TASK, _NO_SUCH_TASK)
            _run(lambda hub: hub.inside.operator_cancel(by.name, task_id, reason))
        return
    frame = asking.cancel(task_id, reason)
    _run(lambda hub: hub.inside.cancel(by, frame, task_id=task_id))


def task_publish_again(*, task_id: str, by: Access | Operator) -> str:
    """A new task with the content of this one, which it names; returns its id.

    An operator's is published in the name of the first publisher, and remembers the operator.
    A client publishes in its own name what it may see and publish.
    """
    if not isinstance(by, Operator):
        return _publish_again(task_id, lambda task: _seen_by(task, by), by.client)
    with _Told("again", by, task_id=task_id) as told:
        new = _publish_again(task_id, _in_the_name_of_its_publisher, by.name)
        told.more["new_task_id"] = new
    return new


def connection_disconnect(*, connection: str, operator: Operator) -> bool:
    """Close one connection; whether it was open. Its program may come back."""
    with _Told("disconnect", operator, connection=connection) as told:
        client = _run(lambda hub: _close(hub, connection))
        told.outcome = "not-open" if client is None else "done"
        told.more["client"] = client
    return client is not None


async def _close(hub: Runtime, connection: str) -> str | None:
    """Close a connection of this process; the name of its client, None: there is none."""
    sink = hub.pipeline.router.with_socket().get(connection)
    known = hub.pipeline.engine.books.connections.get(connection)
    if sink is None or known is None:
        return None
    sink.close(CLOSED_BY_OPERATOR)
    return known.access.client


# Publishing


def _publish(
    rights: Access, task: NewTask, *, wait_s: float = 0, whatever_size: bool = False
) -> Published:
    given = task.task_id is not None and task.event_id is not None
    task_id = task.task_id if task.task_id is not None else _fresh_id()
    frame = asking.init(
        task_id=task_id,
        event_id=task.event_id if task.event_id is not None else _fresh_id(),
        action=task.action,
        payload=task.payload,
        start_timeout=task.start_timeout,
        end_timeout=task.end_timeout,
        expect=task.expect,
        settle=task.settle,
        claim=task.claim,
    )
    repeated, ended = _run(
        lambda hub: hub.inside.publish(
            rights,
            frame,
            task_id=task_id,
            may_repeat=given,
            wait_s=wait_s,
            whatever_size=whatever_size,
        ),
        wait_s,
    )
    return Published(task_id=task_id, repeated=repeated, ended=ended)


def _publish_again(task_id: str, rights_to: Callable[[Task], Access], by: str) -> str:
    if not asking.is_task_id(task_id):
        raise unknown_task()
    task = _run(lambda hub: hub.inside.load(task_id))
    if task is None:
        raise unknown_task()
    rights = rights_to(task)
    new = _copy(task)
    assert new.task_id is not None
    # Before: a task that could not be told to be a second one would be worse than a lone row.
    _remember(Again(task_id=new.task_id, of=task_id, by=by, at=system_time()))
    try:
        _publish(rights, new, whatever_size=True)  # it was taken once
    except Rejection as rejection:
        if rejection.code is not Code.UNAVAILABLE:  # or it may be stored yet; if not, pruned later
            _forget(new.task_id)
        raise
    return new.task_id


def _copy(task: Task) -> NewTask:
    """The same content under fresh ids."""
    return NewTask(
        action=task.action,
        payload=task.init.body or "null",
        task_id=_fresh_id(),
        start_timeout=task.start_timeout,
        end_timeout=task.end_timeout,
        expect=task.expect,
        settle=task.settle,
        claim=task.claim,
    )


def _seen_by(task: Task, client: Access) -> Access:
    if not visible(task, client):
        raise unknown_task()
    return client


def _in_the_name_of_its_publisher(task: Task) -> Access:
    return access(task.publisher, pub=[task.action])


def _remember(again: Again) -> None:
    try:
        again.save(force_insert=True)
    except DatabaseError:
        log.exception("again_not_stored", help="Check the disk of the data directory.")
        raise Rejection(
            Code.UNAVAILABLE, "The hub could not store this; nothing was published."
        ) from None


def _forget(task_id: str) -> None:
    try:
        Again.objects.filter(task_id=task_id).delete()
    except DatabaseError:  # a row without a task, which retention deletes
        log.exception("again_not_stored", help="Check the disk of the data directory.")


def _fresh_id() -> str:
    return secrets.token_hex(16)


# Crossing over to the hub


def _run(
    work: Callable[[Runtime], Coroutine[Any, Any, T]],
    wait_s: float = 0,
) -> T:
    """Have the hub's loop do this, and wait for it. Raises Rejection."""
    hub = hub_runtime.current() or _started()
    if hub.draining:
        raise Rejection(Code.UNAVAILABLE, GOING_AWAY)
    return cross(hub.loop, lambda: work(hub), ANSWER_TIMEOUT_S + wait_s + 5.0)


def _started() -> Runtime:
    """The hub of this process, which under daphne starts when it is first needed.

    Only on the loop that the server runs on: a loop made for one view ends with it.
    """
    loop: asyncio.AbstractEventLoop | None
    loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    if loop is None or not loop.is_running() or not hub_runtime.may_start():
        raise Rejection(Code.UNAVAILABLE, _NOT_HERE)
    try:
        return cross(loop, hub_runtime.running, _START_TIMEOUT_S)
    except Rejection:
        raise
    except Exception:
        log.exception("hub_start_failed")
        raise Rejection(Code.UNAVAILABLE, "The hub cannot be started; its log says why.") from None


class _Told:
    """One line in the log for what an operator does, whatever comes of it."""

    def __init__(self, what: str, operator: Operator, **about: str) -> None:
        self._what = what
        self._operator = operator.name
        self.more: dict[str, str | None] = dict(about)
        self.outcome = "done"

    def __enter__(self) -> "_Told":
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None:
            self.outcome = error.code.value if isinstance(error, Rejection) else "failed"
        log.info(
            "operator_action",
            what=self._what,
            operator=self._operator,
            outcome=self.outcome,
            **self.more,
        )
