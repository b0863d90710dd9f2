"""Who asks to come in, by socket or by HTTP: what both read of it (docs/protocol.md §2.1, §7)."""

import base64
import binascii
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Network, ip_address
from urllib.parse import unquote

from credentials.selectors import ClientGrants
from hub.core.access import Access, access
from hub.core.values import HUB

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def basic_pairs(authorization: bytes) -> list[tuple[str, str]]:
    """Name and key as sent, then percent-decoded if that differs (§2.1); [] if there are none."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return []
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return []
    name, colon, key = pair.partition(":")
    if not colon:
        return []
    decoded = (unquote(name), unquote(key))
    return [(name, key)] if decoded == (name, key) else [(name, key), decoded]


def network(text: str) -> str:
    """What counts as one address: an IPv6 peer has the 2**64 addresses of its network at hand."""
    try:
        ip = ip_address(text)
    except ValueError:
        return text
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Network((int(ip) >> 64 << 64, 64)))


def possible_name(name: str) -> bool:
    """Whether a client may be called so (docs/protocol.md §7)."""
    return bool(_NAME.fullmatch(name)) and name != HUB


def named(pairs: Iterable[tuple[str, str]]) -> str | None:
    """The client that is tried by these pairs of name and key; None: none can be called so.

    A name with a percent sign cannot be, so it is the decoded one that is guessed at.
    """
    return next((name for name, _ in pairs if possible_name(name)), None)


def access_of(grants: ClientGrants) -> Access:
    """A client's grants as the core knows them."""
    return access(
        grants.name,
        sub=grants.sub,
        pub=grants.pub,
        watch=grants.watch,
        group=grants.group,
        connections=grants.max_connections,
    )
