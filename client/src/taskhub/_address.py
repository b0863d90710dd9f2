"""Where to connect and as whom: arguments first, then the URL, then the environment."""

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from taskhub._errors import ConfigurationError

URL, NAME, KEY = "TASKHUB_URL", "TASKHUB_NAME", "TASKHUB_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A hub and the credentials for it. Its repr never shows the key."""

    #: ws:// or wss:// URL without user info.
    url: str
    name: str
    key: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The value of the Authorization header, HTTP Basic (docs/protocol.md §2.1)."""
        # The hub tries both as sent and percent-decoded, so only what Basic cannot carry is
        # encoded: a colon in the name, and anything but printable ASCII.
        name = self.name if _is_plain(self.name) and ":" not in self.name else _encode(self.name)
        key = self.key if _is_plain(self.key) else _encode(self.key)
        return "Basic " + base64.b64encode(f"{name}:{key}".encode("ascii")).decode("ascii")

    @property
    def is_loopback(self) -> bool:
        """This very machine, where no proxy can be meant."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def address_find(
    url: str | None,
    name: str | None,
    key: str | None,
    environ: Mapping[str, str] = os.environ,
) -> Address:
    """The address to use. Raises ConfigurationError when a part is missing or unusable."""
    url = url or environ.get(URL)
    if not url:
        raise ConfigurationError(f"No hub to connect to: pass a URL or set {URL}.")
    # No message repeats the URL: it may hold the key.
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        raise ConfigurationError("The hub's URL cannot be read.") from None
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ConfigurationError("The hub's URL has the form ws://host:port/ or wss://host/.")
    name = name or unquote(parts.username or "") or environ.get(NAME)
    key = key or unquote(parts.password or "") or environ.get(KEY)
    if not name or not key:
        raise ConfigurationError(
            f"No {'client name' if not name else 'key'}: pass it, put it into the URL "
            f"(ws://name:key@host/) or set {NAME if not name else KEY}."
        )
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    return Address(url=bare, name=name, key=key)


def basic_name(authorization: str) -> str:
    """The client name in such a header, where there is one; for hubs of tests."""
    encoded = authorization.removeprefix("Basic ")
    return unquote(base64.b64decode(encoded).decode("utf-8").partition(":")[0])


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _encode(text: str) -> str:
    return quote(text, safe="")
