"""Frames and handshakes made worse, the same ones for the same seed."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

#: Pieces that parsers stumble over.
TOKENS = [
    *(b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"', b"\\", b"\\u", b"\\ud800"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"/",
        b"*",
        b" ",
        b"\r\n",
        b"-",
        b"NaN",
        b"1e999",
        b"null",
    ),
    *(b"true", b"{}", b"[]", b'""', b'"cmd":"pub"', b'"cmd":"get"', b'"event":"init"', b'"id":7'),
    *(b'"taskId":"', b'"action":"*"', b"9" * 400, b"[" * 70, b'{"a":' * 70, b"hub", b"__proto__"),
]
VALUES = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.5,
        2**53,
        2**64,
        10**300,
        "",
        "x",
        "a b",
        "\0",
        "*",
        "weather",
    ),
    *("weather:x", "email:y", "emailx:send", "other:x", "hub", "nowhere", "é", "x" * 65, "x" * 300),
    *(
        [],
        {},
        [1],
        {"a": 1},
        "init",
        "start",
        "success",
        "end",
        "payload",
        "task",
        "all",
        "delivery",
    ),
]
NAMES = [
    *("cmd", "event", "eventId", "taskId", "action", "payload", "update", "result", "reason", "id"),
    *("group", "lazyPayload", "from", "what", "startTimeout", "endTimeout", "expect", "settle"),
    *("claim", "x", "Cmd"),
]
COMMANDS = ["sub", "unsub", "pub", "cancel", "watch", "unwatch", "get", "resume"]
EVENTS = ["init", "start", "update", "drop", "success", "fail", "end"]
#: Members that are put in, also a second one of a name.
ADDED: list[Callable[[random.Random], tuple[str, Any]]] = [
    lambda given: (given.choice(NAMES), given.choice(VALUES)),
    lambda given: ("cmd", given.choice(COMMANDS)),
    lambda given: ("event", given.choice(EVENTS)),
]


class Mutator:
    """Makes endlessly many out of a few."""

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        self._seeds = seeds
        self._random = random.Random(seed)

    def frame(self) -> bytes:
        """A frame that is a little, or altogether, wrong; some are still right."""
        given = self._random
        data = given.choice(self._seeds)
        if given.random() < 0.55:
            data = self._restructured(data)
        if given.random() < 0.6:
            data = self._bytes(data, given.choice((1, 1, 1, 2, 5)))
        return data[:20_000]

    def handshake(self) -> bytes:
        """A request that is a little wrong; its end is still the end of a head."""
        given = self._random
        head = given.choice(self._seeds).removesuffix(b"\r\n\r\n")
        if given.random() < 0.6:
            head = self._lines(head)
        if given.random() < 0.6:
            head = self._bytes(head, given.choice((1, 1, 2)))
        return head + b"\r\n\r\n"

    def stream(self, data: bytes) -> bytes:
        """Bytes that are a little wrong."""
        return self._bytes(data, self._random.choice((1, 1, 2)))

    def _bytes(self, data: bytes, times: int) -> bytes:
        for _ in range(times):
            data = self._spoiled(data)
        return data

    def _spoiled(self, data: bytes) -> bytes:
        given = self._random
        at, to = sorted(given.randint(0, len(data)) for _ in range(2))
        match given.randrange(8):
            case 0:  # one bit
                if at < len(data):
                    return data[:at] + bytes([data[at] ^ 1 << given.randrange(8)]) + data[at + 1 :]
            case 1:  # one byte
                return data[:at] + bytes([given.randrange(256)]) + data[at + 1 :]
            case 2:
                return data[:at]
            case 3:  # two halves
                other = given.choice(self._seeds)
                return data[:at] + other[given.randint(0, len(other)) :]
            case 4:
                return data[:at] + given.choice(TOKENS) + data[at:]
            case 5:
                return data[:at] + data[to:]
            case 6:
                return data[:to] + data[at:to] + data[to:]
            case 7:
                return data[:at] + given.choice(TOKENS) + data[to:]
        return data

    def _restructured(self, data: bytes) -> bytes:
        """Mutate the members of an object; bytes that are none stay as they are."""
        try:
            value = json.loads(data, parse_int=_number, parse_float=str)
        except (ValueError, RecursionError):
            return data
        if not isinstance(value, dict):
            return data
        members = list(value.items())
        for _ in range(self._random.choice((1, 1, 2, 3))):
            self._change(members)
        texts = [f"{json.dumps(name)}:{json.dumps(given)}" for name, given in members]
        return ("{" + ",".join(texts) + "}").encode(errors="replace")

    def _change(self, members: list[tuple[str, Any]]) -> None:
        given = self._random
        if not members:
            members.append(("cmd", given.choice(COMMANDS)))
        at, other = given.randrange(len(members)), given.randrange(len(members))
        name, value = members[at]
        match given.randrange(7):
            case 0:
                del members[at]
            case 1:
                members[at] = name, given.choice(VALUES)
            case 2:
                members.append(given.choice(ADDED)(given))
            case 3:  # two values change places
                members[at], members[other] = (name, members[other][1]), (members[other][0], value)
            case 4:
                members[at] = given.choice(NAMES), value
            case 5:
                members[at] = name, given.choice(([value], {name: value}, str(value)))
            case 6:
                given.shuffle(members)

    def _lines(self, head: bytes) -> bytes:
        """Mutate the lines of a request."""
        given = self._random
        lines = head.split(b"\r\n")
        at, other = given.randrange(len(lines)), given.randrange(len(lines))
        match given.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(other, lines[at])
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines.insert(other, given.choice(given.choice(self._seeds).split(b"\r\n")))
            case 4:
                name, _, value = lines[at].partition(b": ")
                lines[at] = (
                    name + b": " + value + given.choice((b",", b" ", b"=", b", x", b"\t", b";q"))
                )
        return b"\r\n".join(lines)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) < 400 else digits
