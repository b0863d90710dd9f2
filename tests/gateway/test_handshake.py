"""What is read from a handshake, without a server."""

import base64

import pytest

from hub.admission import network
from hub.gateway.handshake import (
    Refused,
    Scope,
    address,
    agent,
    basic_credentials,
    check_origin,
    subprotocol,
)


def scope(*headers: tuple[str, str], **more: object) -> Scope:
    """An ASGI scope with these headers."""
    return {"headers": [(n.encode(), v.encode("latin-1")) for n, v in headers], **more}


def coded(text: str | bytes) -> str:
    """Base 64 of a name and key."""
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        (f"Basic {coded('mailer:key')}", [("mailer", "key")]),
        (f"bAsIc {coded('mailer:key')}", [("mailer", "key")]),
        (f"Basic   {coded('mailer:key')}  ", [("mailer", "key")]),
        (f"Basic {coded('mailer:a:b')}", [("mailer", "a:b")]),
        (f"Basic {coded('mailer:')}", [("mailer", "")]),
        (f"Basic {coded('mailer:schlüssel')}", [("mailer", "schlüssel")]),
        # docs/protocol.md §2.1: as sent first, then percent-decoded
        (f"Basic {coded('a%2Db:p%40ss%25')}", [("a%2Db", "p%40ss%25"), ("a-b", "p@ss%")]),
        (f"Basic {coded('mailer:100%')}", [("mailer", "100%")]),
        (f"Basic {coded('nocolon')}", []),
        (f"Basic {coded(bytes([0xFF]) + b':key')}", []),
        ("Basic !!!!", []),
        ("Basic", []),
        ("", []),
        (f"Bearer {coded('mailer:key')}", []),
    ],
)
def test_name_and_key(value: str, pairs: list[tuple[str, str]]) -> None:
    assert basic_credentials(scope(("authorization", value))) == pairs


def test_no_authorization_at_all() -> None:
    assert basic_credentials(scope()) == []


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["taskhub.v1"], "taskhub.v1"),
        (["ws"], "ws"),
        (["ws", "taskhub.v1"], "taskhub.v1"),
        (["mqtt", "taskhub.v1"], "taskhub.v1"),
        (["mqtt"], None),
        ([], None),
    ],
)
def test_subprotocol(offered: list[str], chosen: str | None) -> None:
    assert subprotocol(scope(subprotocols=offered)) == chosen


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://hub.example.org", True),
        ("https://HUB.example.org:8443", True),
        ("https://a.example.com", True),
        ("https://example.com", True),
        ("http://[::1]:8000", True),
        ("https://badexample.com", False),
        ("https://evil.test", False),
        ("https://hub.example.org.evil.test", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("file://", False),
    ],
)
def test_origin(origin: str, *, allowed: bool) -> None:
    hosts = ["hub.example.org", ".example.com", "[::1]"]
    asked = scope(("origin", origin))
    if allowed:
        check_origin(asked, hosts)
    else:
        with pytest.raises(Refused) as refused:
            check_origin(asked, hosts)
        assert refused.value.status == 403
        check_origin(asked, ["*"])


def test_services_send_no_origin() -> None:
    check_origin(scope(), [])


@pytest.mark.parametrize(
    ("given", "counted_as"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("local", "local"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(given: str, counted_as: str) -> None:
    assert network(given) == counted_as


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("taskhub/0.1.0", "taskhub/0.1.0"),
        (" curl/8\0\x1b[2J\r\n ", "curl/8[2J"),
        ("x" * 10_000, "x" * 128),
        ("\xff" * 300, "\ufffd" * 128),
        ("", ""),
    ],
)
def test_a_program_is_known_by_what_it_calls_itself(said: str, kept: str) -> None:
    assert agent(scope(("user-agent", said))) == kept
    assert agent(scope()) == ""


def test_address() -> None:
    assert address({"client": ("10.0.0.1", 5)}) == "10.0.0.1"
    assert address({"client": None}) == "local"
