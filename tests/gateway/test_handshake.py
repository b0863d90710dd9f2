"""What the gateway reads of a handshake (§2.1 to §2.3)."""

import base64
from typing import Any

import pytest

from hub.gateway import handshake
from hub.gateway.handshake import Refused


def scope(**more: Any) -> dict[str, Any]:
    headers = [(k.encode(), v) for k, v in more.pop("headers", {}).items()]
    return {"type": "websocket", "path": "/", "headers": headers, "subprotocols": [], **more}


def basic(text: bytes, scheme: str = "Basic") -> dict[str, Any]:
    value = f"{scheme} ".encode() + base64.b64encode(text)
    return scope(headers={"authorization": value})


@pytest.mark.parametrize(
    ("sent", "pairs"),
    [
        (b"web:key", [("web", "key")]),
        (b"web:a:b", [("web", "a:b")]),
        (b"web:", [("web", "")]),
        (b"we%62:k%3Ay", [("we%62", "k%3Ay"), ("web", "k:y")]),
        ("web:schlüssel".encode(), [("web", "schlüssel")]),
        (b"web", []),
        (b"\xff\xfe:key", []),
    ],
)
def test_basic_credentials(sent: bytes, pairs: list[tuple[str, str]]) -> None:
    assert handshake.basic_credentials(basic(sent)) == pairs


def test_the_scheme_is_read_in_any_case() -> None:
    assert handshake.basic_credentials(basic(b"web:key", "bASIC")) == [("web", "key")]


@pytest.mark.parametrize("value", [b"", b"Basic", b"Basic !!!", b"Bearer d2ViOmtleQ==", b"\xff"])
def test_what_is_no_basic_is_nothing(value: bytes) -> None:
    assert handshake.basic_credentials(scope(headers={"authorization": value})) == []


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["ws"], "ws"),
        (["taskhub.v1"], "taskhub.v1"),
        (["ws", "taskhub.v1"], "taskhub.v1"),
        (["taskhub.v2"], None),
        (["mqtt", "ws"], "ws"),
    ],
)
def test_subprotocol(offered: list[str], chosen: str | None) -> None:
    assert handshake.subprotocol(scope(subprotocols=offered)) == chosen


@pytest.mark.parametrize(
    ("origin", "allowed", "welcome"),
    [
        (None, ["hub.example.org"], True),
        (b"https://hub.example.org", ["hub.example.org"], True),
        (b"https://HUB.example.org:8443", ["hub.example.org"], True),
        (b"https://evil.example", ["hub.example.org"], False),
        (b"https://hub.example.org.evil.example", ["hub.example.org"], False),
        (b"https://a.example.org", [".example.org"], True),
        (b"https://example.org", [".example.org"], True),
        (b"https://notexample.org", [".example.org"], False),
        (b"http://[::1]:8000", ["[::1]"], True),
        (b"null", ["hub.example.org"], False),
        (b"", ["hub.example.org"], False),
        (b"https://anything.at.all", ["*"], True),
    ],
)
def test_origin(origin: bytes | None, allowed: list[str], welcome: bool) -> None:
    asked = scope(headers={} if origin is None else {"origin": origin})
    if welcome:
        handshake.check_origin(asked, allowed)
    else:
        with pytest.raises(Refused) as refused:
            handshake.check_origin(asked, allowed)
        assert refused.value.status == 403


async def test_a_refusal_is_an_http_answer_where_the_server_can() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    able = scope(extensions={"websocket.http.response": {}})
    await handshake.refuse(able, send, Refused(429, "Too many.", retry_after=60))
    start, body = sent
    assert start["status"] == 429
    assert (b"retry-after", b"60") in start["headers"]
    assert b"www-authenticate" not in dict(start["headers"])
    assert body["body"] == b'{"error": "Too many."}'
    sent.clear()
    await handshake.refuse(scope(), send, Refused(401, "Unknown."))
    assert sent == [{"type": "websocket.close"}]
