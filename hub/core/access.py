"""Who may do what: patterns, and one matcher for all of them (docs/protocol.md §1)."""

import re
from collections.abc import Iterable

import msgspec

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NOUN = rf"{_SEGMENT}(?:/{_SEGMENT})*"

#: characters of an action or a pattern, under any grammar
NAME_LENGTH = 255
#: The strict grammar of an action, and of a pattern (``*``, a noun, or an action), but for the
#: length. Plain enough to mean the same in every dialect of regular expressions.
ACTION_GRAMMAR = rf"{_NOUN}:{_SEGMENT}"
PATTERN_GRAMMAR = rf"(?:\*|{_NOUN}(?::{_SEGMENT})?)"
ACTION = re.compile(rf"(?=.{{1,{NAME_LENGTH}}}\Z){ACTION_GRAMMAR}", re.DOTALL)
PATTERN = re.compile(rf"(?=.{{1,{NAME_LENGTH}}}\Z){PATTERN_GRAMMAR}", re.DOTALL)

EVERYTHING = "*"
#: Connections of a client for which nobody has said otherwise.
DEFAULT_CONNECTIONS = 100


def is_action(text: str, *, strict: bool) -> bool:
    """Whether ``text`` names an action under the hub's grammar."""
    return bool(ACTION.fullmatch(text)) if strict else _is_any(text)


def is_pattern(text: str, *, strict: bool) -> bool:
    """Whether ``text`` is a pattern under the hub's grammar."""
    return bool(PATTERN.fullmatch(text)) if strict else _is_any(text)


def _is_any(text: str) -> bool:
    # Not every database stores a NUL in text.
    return 0 < len(text) <= NAME_LENGTH and "\0" not in text


def patterns_covering(name: str) -> tuple[str, ...]:
    """Every pattern that covers ``name`` (an action or a noun), itself first.

    ``email/address:validate`` is covered by itself, ``email/address``, ``email``
    and ``*``. A noun ends where ``/`` or ``:`` follows, so ``weather`` never
    covers ``weatherman:x``.
    """
    noun_end = name.find(":")
    noun = name if noun_end < 0 else name[:noun_end]
    found = [name] if noun_end < 0 else [name, noun]
    while (slash := noun.rfind("/")) > 0:
        noun = noun[:slash]
        found.append(noun)
    if name != EVERYTHING:
        found.append(EVERYTHING)
    return tuple(found)


class PatternSet(frozenset[str]):
    """Patterns granted to a client for one verb."""

    __slots__ = ()

    def covers(self, name: str) -> bool:
        """Whether one of the patterns covers this action, noun or pattern."""
        if name in self or EVERYTHING in self:
            return True
        return any(pattern in self for pattern in patterns_covering(name))


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection may do: its client's rights, in memory from the handshake on."""

    #: client name
    client: str
    #: actions it may subscribe to
    sub: PatternSet
    #: actions it may publish
    pub: PatternSet
    #: actions whose tasks of others it may watch
    watch: PatternSet
    #: its subscriptions share tasks between its connections (§5.6)
    group: bool = False
    #: how many connections it may hold, and how many lost ones it can resume (§2.2, §6)
    connections: int = DEFAULT_CONNECTIONS


def access(
    client: str,
    *,
    sub: Iterable[str] = (),
    pub: Iterable[str] = (),
    watch: Iterable[str] = (),
    group: bool = False,
    connections: int = DEFAULT_CONNECTIONS,
) -> Access:
    """Access of a client from plain patterns."""
    return Access(
        client=client,
        sub=PatternSet(sub),
        pub=PatternSet(pub),
        watch=PatternSet(watch),
        group=group,
        connections=connections,
    )
