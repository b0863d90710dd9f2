"""One frame with its answers, and how they are written down.

In a frame ``$E`` and ``$T`` are fresh ids; ``$OPEN``, ``$ENDED`` and the like are tasks of
``tests.strangers.world``. A ``str`` is sent as text, ``bytes`` as a binary frame.

An answer is a word: an error code of §7, the name of the event that is told, ``ok`` for an
acknowledgement, ``silence`` for none. ``code+fail`` is what a legacy connection hears of a refused
init: the error, and then a fail of the task (§7).
"""

from typing import NamedTuple

FAIL = "+fail"


class Case(NamedTuple):
    """A frame and what each version answers."""

    name: str
    frame: str | bytes
    v1: str
    legacy: str


def both(name: str, frame: str | bytes, answer: str) -> Case:
    """The same answer on both versions."""
    return Case(name, frame, answer, answer)


def v1(name: str, frame: str | bytes, answer: str) -> Case:
    """A command of v1, which legacy does not know (§3)."""
    return Case(name, frame, answer, "bad-command")


def init(name: str, frame: str | bytes, answer: str) -> Case:
    """An init with a taskId that can be used; refused, it is answered by a fail as well."""
    told = answer in ("init", "silence")
    return Case(name, frame, answer, answer if told else answer + FAIL)
