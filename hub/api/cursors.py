"""Opaque cursors: where a page begins, in words that tell nothing.

The keys of tasks count all tasks of the hub, which is not every client's business: a cursor is
the key under a small cipher (a Feistel network of HMAC rounds) keyed by the hub's secret.
"""

import base64
import binascii
from typing import Final

from django.utils.crypto import constant_time_compare, salted_hmac

from hub.api.problems import Refused, bad_field

_ROUNDS: Final = 4
_HALF: Final = 4  # bytes
_SEAL: Final = 7  # bytes; 15 in all, which is base64 without padding
_SALT: Final = "hub.api.cursors"


def cursor_of(key: int) -> str:
    """The cursor for a page of tasks before this key."""
    left, right = divmod(key, 1 << 32)
    for number in range(_ROUNDS):
        left, right = right, left ^ _round(number, right)
    sealed = left.to_bytes(_HALF) + right.to_bytes(_HALF)
    return base64.urlsafe_b64encode(sealed + _seal(sealed)).decode()


def key_of(cursor: str) -> int:
    """The key in a cursor. Raises Refused for one that this hub did not make."""
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _not_ours() from None
    sealed, seal = raw[: 2 * _HALF], raw[2 * _HALF :]
    if len(raw) != 2 * _HALF + _SEAL or not constant_time_compare(seal, _seal(sealed)):
        raise _not_ours()
    left, right = int.from_bytes(sealed[:_HALF]), int.from_bytes(sealed[_HALF:])
    for number in reversed(range(_ROUNDS)):
        left, right = right ^ _round(number, left), left
    return (left << 32) | right


def _round(number: int, half: int) -> int:
    return int.from_bytes(_mac(b"%d %d" % (number, half))[:_HALF])


def _seal(sealed: bytes) -> bytes:
    return _mac(b"seal " + sealed)[:_SEAL]


def _mac(message: bytes) -> bytes:
    return salted_hmac(_SALT, message, algorithm="sha256").digest()


def _not_ours() -> Refused:
    return bad_field('"cursor" must be one that a page of this hub gave as its "next".')
