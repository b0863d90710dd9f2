"""Stories about a world: who does what when, and what is told to whom.

``check`` reads a story in two columns, history on the left and transcript on the right::

    a sub
    p init          | init p > p a
    a success 5     | start a > p a
                    | success a 5 > p a
                    | end hub > p a
    ? people        | a succeeded 5

A line without ``|`` says that nothing but acknowledgements followed. The left column:
``<connection> <verb> [body] [option=value | flag …]``; ``+<ms>`` lets time pass; ``restart``
drops every connection and ``reload`` keeps them, and both read the tasks anew from their
facts; ``unstored`` makes the next step's facts fail to be stored; ``?`` asks a question.
``<connection> resume <lost connection> [<task>=<seq> …]`` takes its place.
A connection is named ``<client>`` or ``<client>.<n>``; it is opened when first named. A
task is ``t``, its action ``x:y`` and an event's id made up, unless an option says otherwise.

The right column: ``<event> <by> [=<what was sent>] [body] > <connections>``, with the code
alone for a reason of the hub and ``<task>:`` before what is not about ``t``.
"""

import itertools
import json
from collections.abc import Callable, Iterator

from hub.core import inputs
from hub.core.access import Access, access
from hub.core.effects import Acknowledge, Deliver, Effect, Offer, Refuse, Resumed, Unchanged
from hub.core.facts import Event
from hub.core.task import Participant
from hub.core.values import EventKind, Expect, Settle
from tests.core.audits import audit
from tests.core.world import EPOCH, World, client_of, session_of, tellings

#: The start window of a story's tasks: a multiple of the grain too, so that it ends in time.
START_WINDOW = 96

COMMANDS = {
    "update": EventKind.UPDATE,
    "start": EventKind.START,
    "drop": EventKind.DROP,
    "success": EventKind.SUCCESS,
    "fail": EventKind.FAIL,
    "end": EventKind.END,
}


class Story:
    """Reads steps and acts them out in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._event_ids = itertools.count(1)
        self.actions: dict[str, Callable[[], list[Effect]]] = {
            "restart": world.restart,
            "reload": world.read_anew,
        }

    def act(self, step: str) -> list[str]:
        """Do one step; returns its lines of transcript, acknowledgements left out."""
        words = step.split()
        if words[0] == "?":
            return self._answer(words[1:])
        if words[0] == "unstored":
            self.world.unstored = True
            return []
        effects = self._effects(words)
        told = [e for e in effects if not isinstance(e, Acknowledge)]
        return [line for effect in told for line in shown_effect(effect)]

    def _answer(self, words: list[str]) -> list[str]:
        what, task_id = words[0], words[1] if len(words) > 1 else "t"
        task = self.world.task(task_id)
        if what == "people":
            return [_shown_participant(p) for p in task.participants.values()]
        return [str(task.state) if task.outcome is None else f"{task.state} {task.outcome}"]

    def _effects(self, words: list[str]) -> list[Effect]:
        if words[0] in self.actions:
            return self.actions[words[0]]()
        if words[0].startswith("+"):
            return self.world.tick(int(words[0]))
        who, verb, *rest = words
        options = dict(w.split("=", 1) for w in rest if "=" in w)
        plain = [w for w in rest if "=" not in w]
        if verb in {"connect", "access"} and "group" in plain:
            options["group"] = "yes"
        if who == "operator":
            reason = plain[0] if plain else None
            task_id = options.get("task", "t")
            return self.world.do(
                inputs.OperatorCancel(
                    connection="operator", task_id=task_id, operator="operator", reason=reason
                )
            )
        if verb == "access":
            return self.world.do(inputs.AccessChanged(connection=who, access=_access(who, options)))
        if who not in self.world.engine.books.connections and verb != "lost":
            session = None if "legacy" in plain else session_of(who)
            allowed = _access(who, options)
            self.world.do(inputs.Connected(connection=who, access=allowed, session=session))
        return self._by_connection(who, verb, plain, options)

    def _by_connection(
        self, who: str, verb: str, plain: list[str], options: dict[str, str]
    ) -> list[Effect]:
        match verb:
            case "connect":
                return []
            case "lost":
                return self.world.do(inputs.Disconnected(connection=who))
            case "sub":
                return self.world.do(
                    inputs.Subscribe(
                        connection=who,
                        pattern=options.get("action", "x:y"),
                        exact="exact" in plain,
                        group="group" in plain,
                    )
                )
            case "resume":
                return self.world.do(_resume(who, plain, options))
            case "unsub":
                pattern = options.get("action", "x:y")
                return self.world.do(inputs.Unsubscribe(connection=who, pattern=pattern))
            case "init":
                return self.world.do(self._init(who, plain, options))
            case "cancel":
                reason = plain[0] if plain else None
                task_id = options.get("task", "t")
                return self.world.do(inputs.Cancel(connection=who, task_id=task_id, reason=reason))
            case _:
                return self.world.do(
                    inputs.Report(
                        connection=who,
                        kind=COMMANDS[verb],
                        task_id=options.get("task", "t"),
                        event_id=self._event_id(options),
                        body=plain[0] if plain else None,
                    )
                )

    def _init(self, who: str, plain: list[str], options: dict[str, str]) -> inputs.Init:
        start, end = options.get("start"), options.get("end")
        return inputs.Init(
            connection=who,
            task_id=options.get("task", "t"),
            event_id=self._event_id(options),
            action=options.get("action", "x:y"),
            payload=options.get("payload", "{}"),
            start_timeout=None if start is None else int(start),
            end_timeout=None if end is None else int(end),
            expect=Expect(options.get("expect", "result")),
            settle=Settle(options.get("settle", "any")),
            claim="claim" in plain,
        )

    def _event_id(self, options: dict[str, str]) -> str:
        return options.get("id") or f"e{next(self._event_ids)}"


def _resume(who: str, plain: list[str], options: dict[str, str]) -> inputs.Resume:
    return inputs.Resume(
        connection=who,
        session=session_of(plain[0]),
        epoch=options.pop("epoch", EPOCH),
        tasks={task_id: int(seq) for task_id, seq in options.items()},
    )


def _access(who: str, options: dict[str, str]) -> Access:
    def patterns(verb: str, default: str) -> list[str]:
        return [p for p in options.get(verb, default).split(",") if p]

    return access(
        client_of(who),
        sub=patterns("sub", "*"),
        pub=patterns("pub", "*"),
        watch=patterns("watch", ""),
        group="group" in options,
    )


def shown_body(body: str) -> str:
    """A body, or the code alone of a reason of the hub."""
    value = json.loads(body)
    return value["code"] if isinstance(value, dict) and "code" in value else body


def _shown_participant(participant: Participant) -> str:
    body = "" if participant.body is None else f" {shown_body(participant.body)}"
    return f"{participant.connection} {participant.state}{body}"


def shown_effect(effect: Effect) -> list[str]:
    """Its lines of transcript, one an event."""
    match effect:
        case Deliver():
            return [f"{_shown_event(event)} > {' '.join(to)}" for event, to in tellings(effect)]
        case Offer():
            return [f"{_prefix(effect.event.task_id)}offer > {effect.to}"]
        case Unchanged():
            stored = "" if effect.seq is None else f" {effect.seq}"
            return [f"{_prefix(effect.task_id)}unchanged{stored} > {effect.to}"]
        case Refuse():
            return [f"refused {effect.rejection.code} > {effect.to}"]
        case Acknowledge():
            return [f"ok {effect.action} > {effect.to}"]
        case Resumed():
            replays = (f" {task_id}:{seq}" for task_id, seq in sorted(effect.replays.items()))
            done = f"resumed {effect.previous}" if effect.previous else "not resumed"
            return [f"{done}{''.join(replays)} > {effect.to}"]


def _shown_event(event: Event) -> str:
    words = [f"{_prefix(event.task_id)}{event.kind}", event.by]
    if event.stands_for is not None:
        words.append(f"={event.stands_for}")
    if event.body is not None and event.kind is not EventKind.INIT:
        words.append(shown_body(event.body))
    return " ".join(words)


def _prefix(task_id: str) -> str:
    return "" if task_id == "t" else f"{task_id}:"


def steps(script: str) -> Iterator[tuple[str, list[str]]]:
    """The steps of a story, each with the lines of transcript beside it."""
    step = ""
    expected: list[str] = []
    for line in filter(str.strip, script.splitlines()):
        left, _, right = (part.strip() for part in line.partition("|"))
        if left:
            if step:
                yield step, expected
            step, expected = left, []
        if right:
            expected.append(right)
    yield step, expected


def check(script: str, **limits: int) -> World:
    """Act a story out: each step tells just what stands beside it, and memory stays sound."""
    world = World(None, **{"start_timeout_ms": START_WINDOW, **limits})
    story = Story(world)
    for step, expected in steps(script):
        assert story.act(step) == expected, step
        audit(world)
    return world
