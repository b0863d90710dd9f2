"""A filter and a viewer as conditions on tasks.

Conditions that an index keeps in the order of the keys are *sources*: a list is read along one
of them. The rest is looked at row by row. Literal words stand in the SQL where a partial index
wants to see them.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from hub.core.access import EVERYTHING, Access, PatternSet, patterns_covering
from hub.core.values import TaskState
from hub.selectors.sql import (
    ALWAYS,
    NEVER,
    Sql,
    all_of,
    any_of,
    bounded,
    in_bytes,
    on_postgresql,
    one_of,
    rows,
    storable,
)
from hub.selectors.task_shapes import TaskFilter

#: More tasks than this with ids of one begin are looked at one by one.
MOST_IDS = 1_000
#: Characters of a reason's text that are looked for; more can be given, and count as that many.
LONGEST_NEEDLE = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """A condition that an index keeps in the order of the keys."""

    #: index of ``hub_task``; None: the primary key
    index: str | None
    condition: Sql


EVERY_TASK = Source(None, ALWAYS)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold of a task: all sources and the rest."""

    sources: tuple[Source, ...]
    rest: Sql


def conditions_of(wanted: TaskFilter, viewer: Access | None) -> Conditions:
    """The conditions of a list. Reads the keys of tasks whose ids begin as asked, if few."""
    sources = list(_sources(wanted))
    rest = list(_rest(wanted))
    if viewer is not None:
        seen = visible_to(viewer, wanted)
        if seen is not ALWAYS and not viewer.watch and not viewer.sub:
            sources.append(Source("task_publisher", seen))
        else:
            rest.append(seen)
    if wanted.task_id is not None:
        keys = _keys_by_id(wanted.task_id)
        if keys is None:
            rest.append(begins_with("t.task_id", wanted.task_id))
        else:
            sources = [Source(None, one_of("t.id", keys)), *sources]
    return Conditions(tuple(sources) or (EVERY_TASK,), all_of(rest))


def _sources(wanted: TaskFilter) -> Iterator[Source]:
    exact = _exact_action(wanted.actions)
    if exact is not None:
        yield Source("task_action", Sql("t.action = %s", (exact,)))
    if wanted.publisher is not None and storable(wanted.publisher):
        yield Source("task_publisher", Sql("t.publisher = %s", (wanted.publisher,)))
    if _only_open(wanted):
        yield Source("task_open", Sql("t.ended_at IS NULL"))
    if _only_failed(wanted):
        yield Source("task_failed", Sql("t.outcome = 'fail'"))


def _rest(wanted: TaskFilter) -> Iterator[Sql]:
    if wanted.actions and _exact_action(wanted.actions) is None:
        yield covers(wanted.actions)
    if wanted.publisher is not None and not storable(wanted.publisher):
        yield NEVER
    if (wanted.states or wanted.outcomes) and not _outcome_failed(wanted):
        states = one_of("t.state", sorted(map(str, wanted.states)))
        yield any_of([states, one_of("t.outcome", sorted(map(str, wanted.outcomes)))])
    if wanted.open is False:
        yield Sql("t.ended_at IS NOT NULL")
    if wanted.service is not None:
        yield took_part(wanted.service)
    if wanted.since is not None:
        yield Sql("t.created_at >= %s", (bounded(wanted.since),))
    if wanted.until is not None:
        yield Sql("t.created_at < %s", (bounded(wanted.until),))
    if wanted.reason is not None:
        yield reason_holds(wanted.reason)


def _exact_action(patterns: Collection[str]) -> str | None:
    """The one action that these patterns cover, when they are one action."""
    listed = set(patterns)
    (only,) = listed if len(listed) == 1 else (None,)
    return only if only is not None and ":" in only and storable(only) else None


def _only_open(wanted: TaskFilter) -> bool:
    unended = bool(wanted.states) and TaskState.END not in wanted.states and not wanted.outcomes
    return wanted.open is True or unended


def _only_failed(wanted: TaskFilter) -> bool:
    return wanted.reason is not None or _outcome_failed(wanted)


def _outcome_failed(wanted: TaskFilter) -> bool:
    """Outcome ``fail``, which the state of that name has too, and nothing else will do."""
    return wanted.outcomes == {TaskState.FAIL} and wanted.states <= {TaskState.FAIL}


def covers(patterns: Collection[str], column: str = "t.action") -> Sql:
    """The action in this column is covered by one of these patterns (docs/protocol.md §1)."""
    known = PatternSet(filter(storable, patterns))
    if EVERYTHING in known:
        return ALWAYS
    needed = sorted(p for p in known if known.isdisjoint(patterns_covering(p)[1:]))
    nouns = [pattern for pattern in needed if ":" not in pattern]
    return any_of([one_of(column, needed), *(_below(noun, column) for noun in nouns)])


def _below(noun: str, column: str) -> Sql:
    """The action goes on with ``/`` or ``:`` after this noun: between them are the digits only."""
    action = in_bytes(column)
    text = f"({action} >= %s AND {action} < %s AND ({action} < %s OR {action} >= %s))"
    return Sql(text, (f"{noun}/", f"{noun};", f"{noun}0", f"{noun}:"))


def begins_with(column: str, begin: str) -> Sql:
    """The column begins so, byte by byte."""
    if not storable(begin):
        return NEVER
    compared = in_bytes(column)
    end = _after(begin)
    if end is None:
        return Sql(f"{compared} >= %s", (begin,))
    return Sql(f"({compared} >= %s AND {compared} < %s)", (begin, end))


def _after(begin: str) -> str | None:
    """The least text above all that begin so; None: there is none."""
    for length in range(len(begin), 0, -1):
        point = ord(begin[length - 1])
        if point < 0x10FFFF:
            # No text has the halves of surrogate pairs.
            return begin[: length - 1] + chr(0xE000 if point == 0xD7FF else point + 1)
    return None


def took_part(client: str) -> Sql:
    """The client is one of the participants."""
    if not storable(client):
        return NEVER
    # A scalar with LIMIT and not EXISTS: PostgreSQL would answer that for all tasks at once.
    return Sql(
        "(SELECT 1 FROM hub_participation p WHERE p.task = t.id AND p.client = %s LIMIT 1)"
        " IS NOT NULL",
        (client,),
    )


def visible_to(viewer: Access, wanted: TaskFilter) -> Sql:
    """``hub.core.remembered.visible``, as far as the filter does not say it already."""
    if EVERYTHING in viewer.watch or wanted.publisher == viewer.client:
        return ALWAYS
    if wanted.actions and all(viewer.watch.covers(pattern) for pattern in wanted.actions):
        return ALWAYS
    published = Sql("t.publisher = %s", (viewer.client,))
    subscribed = covers(viewer.sub)
    worked = NEVER if subscribed is NEVER else all_of([subscribed, took_part(viewer.client)])
    return any_of([published, covers(viewer.watch), worked])


def reason_holds(text: str) -> Sql:
    """The reason it failed for has this text somewhere in its JSON.

    The reason is kept as it came, and JSON has several ways to write one text: each of the usual
    ones is looked for. ASCII letters match in either case; of a text with others, also the whole
    in capitals and in small letters.
    """
    patterns = tuple(f"%{_literal(way)}%" for way in sorted(_ways(text[:LONGEST_NEEDLE])))
    like = "e.body COLLATE \"C\" ILIKE %s ESCAPE '!'" if on_postgresql() else _SQLITE_LIKE
    holds = any_of(Sql(like, (pattern,)) for pattern in patterns)
    text = (
        "(SELECT 1 FROM hub_task_event e WHERE e.task = t.id AND e.seq = t.settled_seq"  # noqa: S608
        f" AND {holds.text} LIMIT 1) IS NOT NULL"
    )
    return Sql(text, holds.parameters)


#: Blind to the case of ASCII letters, as PostgreSQL is under "C".
_SQLITE_LIKE = "e.body LIKE %s ESCAPE '!'"


def _ways(text: str) -> set[str]:
    """The ways in which JSON may write this text, for a search blind to the case of ASCII."""
    cased = {text} if text.isascii() else {text, text.lower(), text.upper()}
    plain = {json.dumps(way, ensure_ascii=False)[1:-1] for way in cased}
    escaped = {json.dumps(way)[1:-1] for way in cased}
    ways = {way for way in plain | escaped if storable(way)}
    return ways | {way.replace("/", r"\/") for way in ways}


def _literal(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _keys_by_id(begin: str) -> list[int] | None:
    """Keys of the tasks whose ids begin so; None: too many to list."""
    if not storable(begin):
        return []
    if on_postgresql():
        # By the index of varchar_pattern_ops that Django makes beside a unique one, and in its
        # order: else it may choose to walk through the table until it has found enough.
        condition = Sql("t.task_id LIKE %s ESCAPE '!'", (f"{_literal(begin)}%",))
        order = " ORDER BY t.task_id USING ~<~"
    else:
        condition, order = begins_with("t.task_id", begin), ""
    text = f"SELECT t.id FROM hub_task t WHERE {condition.text}{order} LIMIT %s"  # noqa: S608
    found = rows(Sql(text, (*condition.parameters, MOST_IDS + 1)))
    return None if len(found) > MOST_IDS else [int(str(key)) for (key,) in found]
