"""The framing of RFC 6455, kept and broken, and what follows (docs/protocol.md §2.4)."""

from typing import NamedTuple

from tests.strangers.line import BINARY, CLOSE, CONT, PING, PONG, TEXT, Message, frame

COMMAND = b'{"cmd":"sub","action":"weather:x","x":"\xc3\xa4\xf0\x9f\x98\x80"}'
#: How it goes on: the command is taken; or nothing is said; or a refusal; then all is as before.
TAKEN, NOTHING, BAD_JSON = "taken", "nothing", "bad-json"
#: The hub ends the connection, without a close frame or with one that says nothing.
ENDED = "ended"
#: Nothing is said, as the message has not ended; the limit of daphne's engine is another one.
WAITS = "waits"
#: A limit of its own that it names to v1 (§2.7).
TOO_BIG = 1009
MAX = 65_536


class Rfc(NamedTuple):
    """What is sent, and what comes of it: a close code, or one of the words above."""

    name: str
    sent: list[bytes]
    then: int | str
    #: control frames of the hub before that
    pongs: list[Message] = []
    #: where daphne's answer is neither this nor the one that ``expected`` tells
    daphne: int | str | None = None


def expected(case: Rfc, server: str) -> int | str:
    """daphne's engine ends what breaks the RFC without a close frame."""
    if server == "uvicorn":
        return case.then
    if case.daphne is not None:
        return case.daphne
    return ENDED if case.then in (1002, 1007) else case.then


def _close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason)


def _pong(data: bytes = b"") -> Message:
    return Message(PONG, data)


def _parts(*parts: bytes, opcode: int = TEXT) -> list[bytes]:
    """One message in fragments."""
    last = len(parts) - 1
    return [frame(CONT if n else opcode, part, fin=n == last) for n, part in enumerate(parts)]


_WHOLE = frame(TEXT, COMMAND)
_SPLIT = COMMAND.index(b"\xa4")  # within a character
_A, _B = _parts(COMMAND[:10], COMMAND[10:])
_EMPTY = frame(CONT, fin=False)
_BAD_UTF8 = [
    b"\xff",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"ok\xc3",
    b"\x80",
]
_RIGHT_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
_WRONG_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]

CASES: list[Rfc] = [
    Rfc("a whole frame", [_WHOLE], TAKEN),
    Rfc("a mask of zeros", [frame(TEXT, COMMAND, mask=bytes(4))], TAKEN),
    # §5.1: a client masks
    Rfc("text without a mask", [frame(TEXT, COMMAND, mask=None)], 1002),
    Rfc("binary without a mask", [frame(BINARY, COMMAND, mask=None)], 1002),
    Rfc("ping without a mask", [frame(PING, mask=None)], 1002),
    Rfc("close without a mask", [frame(CLOSE, b"\x03\xe8", mask=None)], 1002),
    Rfc("an empty frame without a mask", [frame(TEXT, mask=None)], 1002),
    # §5.2: reserved bits and opcodes, no extension was agreed on
    *(Rfc(f"reserved bits {rsv:03b}", [frame(TEXT, COMMAND, rsv=rsv)], 1002) for rsv in range(1, 8)),
    Rfc("reserved bit of a ping", [frame(PING, rsv=4)], 1002),
    Rfc("reserved bit of a continuation", [_A, frame(CONT, COMMAND[10:], rsv=4)], 1002),
    *(Rfc(f"opcode {code:X}", [frame(code, COMMAND)], 1002) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    Rfc("a frame, and an opcode that is reserved", [_WHOLE + frame(3)], 1002),
    # §5.2: lengths
    Rfc("16 bits for a length of 7", [frame(TEXT, COMMAND, length=b"\x7e" + len(COMMAND).to_bytes(2))], TAKEN, daphne=ENDED),
    Rfc("64 bits for a length of 7", [frame(TEXT, COMMAND, length=b"\x7f" + len(COMMAND).to_bytes(8))], TAKEN, daphne=ENDED),
    Rfc("64 bits for a length of 16", [frame(TEXT, b" " * 200 + COMMAND, length=b"\x7f" + (200 + len(COMMAND)).to_bytes(8))], TAKEN, daphne=ENDED),
    Rfc("16 bits for nothing", [frame(PONG, length=b"\x7e\0\0")], NOTHING, daphne=ENDED),
    Rfc("the top bit of a length", [frame(TEXT, COMMAND, length=b"\x7f" + (2**63 + 7).to_bytes(8))], TOO_BIG, daphne=ENDED),
    Rfc("all bits of a length", [frame(TEXT, COMMAND, length=b"\x7f" + b"\xff" * 8)], TOO_BIG, daphne=ENDED),
    Rfc("a length of 2^62", [frame(TEXT, COMMAND, length=b"\x7f" + (2**62).to_bytes(8))], TOO_BIG, daphne=ENDED),
    Rfc("a length over the limit, nothing behind it", [frame(TEXT, length=b"\x7f" + (MAX + 1).to_bytes(8))], TOO_BIG, daphne=WAITS),
    Rfc("a message of the limit", [frame(TEXT, COMMAND + b" " * (MAX - len(COMMAND)))], TAKEN),
    Rfc("a message of the limit in fragments", _parts(COMMAND, *[b" " * 1_024] * 63, b" " * (1_024 - len(COMMAND))), TAKEN),
    Rfc("a message over the limit in fragments", _parts(COMMAND, *[b" " * 1_024] * 64), TOO_BIG),
    Rfc("a message over the limit by its last fragment", _parts(b" " * MAX, b" "), TOO_BIG),
    Rfc("a message over the limit that does not end", [frame(TEXT, b" " * 1_024, fin=False), *[frame(CONT, b" " * 1_024, fin=False)] * 64], TOO_BIG, daphne=WAITS),
    # §5.4: fragments
    Rfc("two fragments", [_A, _B], TAKEN),
    Rfc("a fragment for each byte", _parts(*[bytes([b]) for b in COMMAND]), TAKEN),
    Rfc("binary fragments", _parts(COMMAND[:10], COMMAND[10:], opcode=BINARY), TAKEN),
    Rfc("empty fragments", [frame(TEXT, fin=False), _EMPTY, frame(CONT, COMMAND, fin=False), _EMPTY, frame(CONT)], TAKEN),
    Rfc("2,000 empty fragments", [frame(TEXT, COMMAND, fin=False), *[_EMPTY] * 2_000, frame(CONT)], TAKEN),
    Rfc("nothing but empty fragments", _parts(b"", b"", b""), BAD_JSON),
    Rfc("an empty message", [frame(TEXT)], BAD_JSON),
    Rfc("a ping between fragments", [_A, frame(PING, b"now"), _B], TAKEN, [_pong(b"now")]),
    Rfc("a pong between fragments", [_A, frame(PONG, b"?"), _B], TAKEN),
    Rfc("a continuation of nothing", [frame(CONT, COMMAND)], 1002),
    Rfc("a continuation of nothing, to be continued", [frame(CONT, COMMAND, fin=False)], 1002),
    Rfc("a continuation of what has ended", [_A, _B, frame(CONT, b"more")], 1002),
    Rfc("a text amid fragments", [_A, _WHOLE], 1002),
    Rfc("a binary amid fragments", [_A, frame(BINARY, COMMAND)], 1002),
    Rfc("a first fragment amid fragments", [_A, _A], 1002),
    Rfc("a close amid fragments", [_A, _close(1000)], 1002, daphne=1000),
    # §5.5: control frames
    Rfc("a ping", [frame(PING)], NOTHING, [_pong()]),
    Rfc("a ping of 125 bytes", [frame(PING, b"\xff" * 125)], NOTHING, [_pong(b"\xff" * 125)]),
    Rfc("a pong of nobody's ping", [frame(PONG, b"?")], NOTHING),
    *(Rfc(f"opcode {code:X} of 126 bytes", [frame(code, b"\x03\xe8" + b"x" * 124)], 1002) for code in (CLOSE, PING, PONG)),
    *(Rfc(f"opcode {code:X} in fragments", [frame(code, fin=False), frame(CONT)], 1002) for code in (CLOSE, PING, PONG)),
    Rfc("1,000 pings", [frame(PING, b"%d" % n) for n in range(1_000)], NOTHING, [_pong(b"%d" % n) for n in range(1_000)]),
    # §5.5.1, §7.4: closing
    Rfc("a close that says nothing", [frame(CLOSE)], ENDED, daphne=1000),
    Rfc("a close of one byte", [frame(CLOSE, b"\x03")], 1002),
    *(Rfc(f"close {code}", [_close(code)], code, daphne=1000) for code in _RIGHT_CODES),
    *(Rfc(f"close {code}", [_close(code)], 1002) for code in _WRONG_CODES),
    Rfc("a close with a reason", [_close(1000, "schön".encode())], 1000),
    Rfc("a close with the longest reason", [_close(1000, b"x" * 123)], 1000),
    Rfc("a close whose reason is no UTF-8", [_close(1000, b"\xff")], 1007),
    Rfc("a frame after the close", [_close(1000) + _WHOLE], 1000),
    Rfc("a bad frame after the close", [_close(1000) + frame(3)], 1000),
    Rfc("two closes", [_close(1001) + _close(1002)], 1001, daphne=1000),
    # §8.1: text is UTF-8
    *(Rfc(f"text {data!r}", [frame(TEXT, data)], 1007) for data in _BAD_UTF8),
    Rfc("text cut within a character", _parts(COMMAND[:_SPLIT], COMMAND[_SPLIT:]), TAKEN),
    Rfc("text cut within every character", _parts(*[COMMAND[n : n + 3] for n in range(0, len(COMMAND), 3)]), TAKEN),
    Rfc("text that ends within a character", _parts(b"ok", b"\xf0\x9f"), 1007),
    Rfc("half a character in each fragment", _parts(b"\xf0\x9f", b"\xf0\x9f"), 1007),
    Rfc("bytes that are no text", [frame(BINARY, b"\xff\xfe")], BAD_JSON),
    # another protocol
    Rfc("HTTP again", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], 1002),
    Rfc("TLS", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)], 1002),
    Rfc("zeros", [bytes(64)], 1002),
    Rfc("ones", [b"\xff" * 64], 1002),
]  # fmt: skip
