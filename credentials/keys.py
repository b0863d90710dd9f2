"""Generated keys: made, recognised and hashed. Pure but for the randomness of `secrets`.

    thk_k7m2q9xa_<43 characters of secret><6 characters of checksum>

The prefix makes a leaked key findable in logs and repositories. The public id finds the row, so
that one indexed query and one SHA-256 decide; a slow hash has nothing to protect, as nobody
guesses 256 random bits. The checksum tells a mistyped or cut key before any query.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "thk_"
PUBLIC_ID_LENGTH: Final = 8
SECRET_LENGTH: Final = 43  # log2(62) * 43 = 256.03 bits
CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32

#: Without the letters and digits that are taken for one another when read aloud or copied.
PUBLIC_ID_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
#: Letters and digits only: nothing that a URL, a shell or HTTP Basic would need escaped.
BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_GENERATED = re.compile(
    rf"{PREFIX}(?P<public_id>[{PUBLIC_ID_ALPHABET}]{{{PUBLIC_ID_LENGTH}}})_"
    rf"[A-Za-z0-9]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedKey:
    """A new key, in the clear for the only time."""

    #: Unique short name of the key; no secret.
    public_id: str
    #: The whole key, to be handed to its client and then forgotten.
    plaintext: str = field(repr=False)
    #: What is stored: hexadecimal SHA-256 of the plaintext.
    digest: str = field(repr=False)


def public_id_generate() -> str:
    """Eight characters, about 10**12 possibilities; unique in the database by constraint."""
    return "".join(secrets.choice(PUBLIC_ID_ALPHABET) for _ in range(PUBLIC_ID_LENGTH))


def key_generate() -> GeneratedKey:
    """A key nobody has had before."""
    public_id = public_id_generate()
    secret = "".join(secrets.choice(BASE62) for _ in range(SECRET_LENGTH))
    body = f"{PREFIX}{public_id}_{secret}"
    plaintext = body + checksum(body)
    return GeneratedKey(public_id=public_id, plaintext=plaintext, digest=digest(plaintext))


def key_parse(presented: str) -> str | None:
    """The public id of a well-formed generated key; None when it is mistyped, cut or another."""
    match = _GENERATED.match(presented)
    if match is None:
        return None
    body, given = presented[:-CHECKSUM_LENGTH], presented[-CHECKSUM_LENGTH:]
    return match["public_id"] if checksum(body) == given else None


def is_generated(presented: str) -> bool:
    """Whether the key claims to be a generated one. Chosen keys never start like this."""
    return presented.startswith(PREFIX)


def checksum(body: str) -> str:
    """CRC-32 of the body in base 62. Tells typing mistakes, not forgeries."""
    number = zlib.crc32(body.encode())
    characters = []
    for _ in range(CHECKSUM_LENGTH):
        number, index = divmod(number, len(BASE62))
        characters.append(BASE62[index])
    return "".join(reversed(characters))


def digest(plaintext: str) -> str:
    """Hexadecimal SHA-256, the stored form of a generated key."""
    return hashlib.sha256(plaintext.encode()).hexdigest()


def digest_matches(stored: str, presented: str) -> bool:
    """Whether the presented key has this digest, in a time that does not tell where they differ."""
    return hmac.compare_digest(stored, digest(presented))
