"""How much of the bodies of a page is told: a page of large ones is bounded in bytes."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from hub.api.callers import VIEW_PAYLOAD, Caller
from hub.api.media import raw
from hub.api.permissions import require
from hub.selectors.bodies import BodyRow, bodies_of, body_texts
from hub.selectors.tasks import TaskRow

#: Bytes of bodies in one document. A page ends before the task that would exceed it.
MAX_DOCUMENT: Final = 2 * 1024 * 1024
#: A longer body is told by its size only; it has an address of its own.
MAX_BODY: Final = 1024 * 1024

Bodies = dict[int, dict[str, Any]]


def with_bodies(told: Sequence[dict[str, Any]], keys: Sequence[int], bodies: Bodies) -> list[Any]:
    """Documents with the bodies that belong to their keys.

    Copies: a serializer keeps what it has told until Python looks for cycles, and bodies are large.
    """
    return [{**one, **bodies.get(key, {})} for one, key in zip(told, keys, strict=True)]


def wanted_bodies(
    asked: Collection[str] | None, caller: Caller, default: Collection[str] = ()
) -> frozenset[str]:
    """The bodies to tell. Raises PermissionDenied when they are asked for and not allowed."""
    if asked is None:
        return frozenset(default if caller.may(VIEW_PAYLOAD) else ())
    if asked:
        require(caller, VIEW_PAYLOAD)
    return frozenset(asked)


def read_bodies(
    tasks: Sequence[TaskRow], names: Collection[str], budget: int = MAX_DOCUMENT
) -> tuple[int, Bodies]:
    """How many of the tasks fit into a document, one at least, and their bodies by key."""
    by_task: dict[int, list[BodyRow]] = {}
    for row in bodies_of([task.key for task in tasks], names):
        by_task.setdefault(row.task, []).append(row)
    fitting, taken = 0, 0
    for task in tasks:
        taken += sum(row.size for row in by_task.get(task.key, ()) if row.size <= MAX_BODY)
        if fitting and taken > budget:
            break
        fitting += 1
    rows = [row for task in tasks[:fitting] for row in by_task.get(task.key, ())]
    texts = body_texts([row for row in rows if row.size <= MAX_BODY])
    told: Bodies = {}
    for row in rows:
        text = texts.get((row.task, row.seq))
        named = {f"{row.name}Size": row.size} if text is None else {row.name: raw(text)}
        told.setdefault(row.task, {}).update(named)
    return fitting, told
