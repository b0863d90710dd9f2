"""Handshakes, right and wrong in every part, each with its answer (docs/protocol.md §2.1 to §2.3)."""

import base64
import os
from collections.abc import Mapping
from typing import NamedTuple

V1 = "taskhub.v1"
#: The connection ends without an answer.
CUT = 0


class Handshake(NamedTuple):
    """What is sent, the status that comes back, and the subprotocol of one that is let in."""

    name: str
    sent: bytes
    uvicorn: int
    daphne: int
    subprotocol: str | None = None


def coded(pair: str | bytes) -> str:
    """Base 64."""
    return base64.b64encode(pair if isinstance(pair, bytes) else pair.encode()).decode()


def head(lines: Mapping[str, str | None], first: str = "GET / HTTP/1.1") -> bytes:
    """A request; the usual headers unless others, or None, are given. A name may come again as ``name#``."""
    usual = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": coded(os.urandom(16)),
        "Sec-WebSocket-Version": "13",
    }
    texts = [f"{n.rstrip('#')}: {v}\r\n" for n, v in {**usual, **lines}.items() if v is not None]
    return f"{first}\r\n{''.join(texts)}\r\n".encode("latin-1")


def cases(keys: Mapping[str, str]) -> list[Handshake]:
    """All of them, for clients with these keys."""
    right = {"Authorization": f"Basic {coded('probe:' + keys['probe'])}"}
    return [
        *_authorization(keys),
        *_elsewhere(keys),
        *(Handshake(f"subprotocol {name}", head({**right, **lines}), status, daphne, chosen)
          for name, lines, status, daphne, chosen in SUBPROTOCOLS),
        *(Handshake(f"origin {origin}", head({**right, "Origin": origin}), status, daphne)
          for origin, status, daphne in ORIGINS),
        *(Handshake(f"path {path:.30}", head(right, f"GET {path} HTTP/1.1"), status, daphne)
          for path, status, daphne in PATHS),
        *(Handshake(f"first line {first!r:.30}", head(right, first), status, daphne)
          for first, status, daphne in FIRST_LINES),
        *(Handshake(f"headers {name}", head({**right, **lines}), status, daphne)
          for name, lines, status, daphne in HEADERS),
        *(Handshake(f"bytes {name}", _filled(sent, head(right)), status, daphne)
          for name, sent, status, daphne in BYTES),
    ]  # fmt: skip


def _filled(sent: bytes, right: bytes) -> bytes:
    """``$RIGHT`` is a handshake that is right, ``$BEGIN`` is one that may go on with headers."""
    return sent.replace(b"$RIGHT", right).replace(b"$BEGIN", right.removesuffix(b"\r\n"))


def _authorization(keys: Mapping[str, str]) -> list[Handshake]:
    key = keys["probe"]
    right = coded(f"probe:{key}")
    escaped = "".join(f"%{ord(c):02X}" for c in key)
    rows: list[tuple[str, str | None, bool]] = [
        # as RFC 7617 has it, and what comes near enough
        ("right", f"Basic {right}", True),
        ("scheme in small letters", f"basic {right}", True),
        ("scheme in capitals", f"BASIC {right}", True),
        ("many spaces", f"Basic     {right}   ", True),
        ("percent-encoded", f"Basic {coded(f'probe:{escaped}')}", True),
        ("name percent-encoded", f"Basic {coded(f'%70robe:{key}')}", True),
        # none
        ("missing", None, False),
        ("empty", "", False),
        ("only the scheme", "Basic", False),
        ("only the scheme and a space", "Basic ", False),
        ("only the credentials", right, False),
        ("in the clear", f"Basic probe:{key}", False),
        ("another scheme", f"Bearer {key}", False),
        ("another scheme, the same credentials", f"Bearer {right}", False),
        ("Digest", f'Digest username="probe", response="{key}"', False),
        ("Negotiate", "Negotiate YIIJvwYGKwYBBQUCoIIJszCCCa8=", False),
        ("scheme twice", f"Basic Basic {right}", False),
        ("a tab for the space", f"Basic\t{right}", False),
        ("a comma behind", f"Basic {right},", False),
        ("two in one", f"Basic {right}, Basic {right}", False),
        ("in quotes", f'Basic "{right}"', False),
        # not base 64
        ("not base 64", "Basic !!!!", False),
        ("one letter", "Basic A", False),
        ("padding only", "Basic ====", False),
        ("a space within", f"Basic {right[:10]} {right[10:]}", False),
        ("one letter more", f"Basic A{right}", False),
        ("another alphabet", "Basic -_-_", False),
        ("twice coded", f"Basic {coded(right)}", False),
        ("hexadecimal", f"Basic {f'probe:{key}'.encode().hex()}", False),
        # not a name and a key
        ("no colon", f"Basic {coded('probe')}", False),
        ("only a colon", f"Basic {coded(':')}", False),
        ("no name", f"Basic {coded(f':{key}')}", False),
        ("no key", f"Basic {coded('probe:')}", False),
        ("only the key", f"Basic {coded(key)}", False),
        ("the wrong way round", f"Basic {coded(f'{key}:probe')}", False),
        ("not UTF-8", f"Basic {coded(b'probe:' + bytes([255]))}", False),
        ("UTF-16", f"Basic {coded(f'probe:{key}'.encode('utf-16'))}", False),
        ("BOM", f"Basic {coded(f'{chr(0xFEFF)}probe:{key}')}", False),
        # a wrong name
        ("a name of another case", f"Basic {coded(f'Probe:{key}')}", False),
        ("a space behind the name", f"Basic {coded(f'probe :{key}')}", False),
        ("a NUL in the name", f"Basic {coded(f'probe{chr(0)}:{key}')}", False),
        ("a line end in the name", f"Basic {coded(f'probe{chr(10)}:{key}')}", False),
        ("a colon in the name", f"Basic {coded(f'pro:be:{key}')}", False),
        ("a name of 65 letters", f"Basic {coded(f'{chr(97) * 65}:{key}')}", False),
        ("a name of 3,000 letters", f"Basic {coded(f'{chr(97) * 3_000}:{key}')}", False),
        ("the hub's name", f"Basic {coded(f'hub:{key}')}", False),
        ("an unknown name", f"Basic {coded(f'nobody:{key}')}", False),
        ("a name in another script", f"Basic {coded(f'рrobe:{key}')}", False),
        ("a name as SQL", f"Basic {coded(f'probe{chr(39)} OR 1=1 --:{key}')}", False),
        ("every name", f"Basic {coded(f'%:{key}')}", False),
        # a wrong key
        ("a key cut", f"Basic {coded(f'probe:{key[:-1]}')}", False),
        ("a key and more", f"Basic {coded(f'probe:{key}x')}", False),
        ("a key and a line end", f"Basic {coded(f'probe:{key}{chr(10)}')}", False),
        ("a key and a NUL", f"Basic {coded(f'probe:{key}{chr(0)}')}", False),
        ("a key of another case", f"Basic {coded(f'probe:{key.swapcase()}')}", False),
        ("a key with another letter", f"Basic {coded(f'probe:{key[:20]}{other(key[20])}{key[21:]}')}", False),
        ("a key with another checksum", f"Basic {coded(f'probe:{key[:-1]}{other(key[-1])}')}", False),
        ("a key with another id", f"Basic {coded(f'probe:{key[:5]}{other(key[5])}{key[6:]}')}", False),
        ("a key reversed", f"Basic {coded(f'probe:{key[::-1]}')}", False),
        ("a key percent-encoded twice", f"Basic {coded('probe:' + escaped.replace('%', '%25'))}", False),
        ("a key half percent-encoded wrong", f"Basic {coded(f'probe:%zz{key}')}", False),
        ("the key of another client", f"Basic {coded('probe:' + keys['web'])}", False),
        ("another client with this key", f"Basic {coded(f'web:{key}')}", False),
        ("a revoked key", f"Basic {coded('revoked-key:' + keys['revoked-key'])}", False),
        ("an expired key", f"Basic {coded('expired-key:' + keys['expired-key'])}", False),
        ("a disabled client", f"Basic {coded('disabled:' + keys['disabled'])}", False),
        ("a revoked key of another", f"Basic {coded('probe:' + keys['revoked-key'])}", False),
        ("a key chosen", f"Basic {coded('probe:correct horse battery')}", False),
        ("a key of 3,000 letters", f"Basic {coded('probe:' + 'k' * 3_000)}", False),
        ("a star", f"Basic {coded('probe:*')}", False),
        ("null", f"Basic {coded('null:null')}", False),
        ("admin", f"Basic {coded('admin:admin')}", False),
    ]  # fmt: skip
    return [
        Handshake(f"authorization: {name}", head({"Authorization": value}), *((101, 101) if good else (401, 403)))
        for name, value, good in rows
    ]  # fmt: skip


def other(letter: str) -> str:
    """Another one that may stand in a key."""
    return "b" if letter != "b" else "c"


def _elsewhere(keys: Mapping[str, str]) -> list[Handshake]:
    """Name and key where they do not belong: only the Authorization header counts (§2.1)."""
    key, wrong = keys["probe"], f"Basic {coded('probe:wrong')}"
    right = f"Basic {coded(f'probe:{key}')}"
    queries = [f"name=probe&key={key}", f"token={key}", f"access_token={key}", f"authorization={right.replace(' ', '%20')}"]  # fmt: skip
    lines: list[tuple[str, dict[str, str]]] = [
        ("Proxy-Authorization", {"Proxy-Authorization": right}),
        ("X-Authorization", {"X-Authorization": right}),
        ("Authentication", {"Authentication": right}),
        ("X-Api-Key", {"X-Api-Key": key}),
        ("a cookie", {"Cookie": f"authorization={coded(f'probe:{key}')}; key={key}"}),
        ("the subprotocol", {"Sec-WebSocket-Protocol": f"{V1}, {key}"}),
        ("a forwarded user", {"X-Remote-User": "probe", "Remote-User": "probe"}),
    ]
    return [
        *(Handshake(f"key in the query: {q:.12}", head({}, f"GET /?{q} HTTP/1.1"), 401, 403) for q in queries),
        Handshake("key in the query beside a wrong one", head({"Authorization": wrong}, f"GET /?key={key} HTTP/1.1"), 401, 403),
        Handshake("key in the target", head({}, f"GET http://probe:{key}@127.0.0.1/ HTTP/1.1"), 404, 403),
        *(Handshake(f"key in {name}", head(more), 401, 403) for name, more in lines),
        Handshake("the first of two counts", head({"Authorization": right, "Authorization#": wrong}), 101, 403),
        Handshake("the second of two does not", head({"Authorization": wrong, "Authorization#": right}), 401, 403),
        Handshake("header in small letters", head({"authorization": right}), 101, 101),
        Handshake("header in capitals", head({"AUTHORIZATION": right}), 101, 101),
        Handshake("a space before the colon", head({"Authorization ": right}), 400, 400),
    ]  # fmt: skip


#: name, headers, status of uvicorn and of daphne, what is chosen
P = "Sec-WebSocket-Protocol"
SUBPROTOCOLS: list[tuple[str, dict[str, str], int, int, str | None]] = [
    ("none", {}, 101, 101, None),
    ("v1", {P: V1}, 101, 101, V1),
    ("ws", {P: "ws"}, 101, 101, "ws"),
    ("v1 and ws", {P: f"{V1}, ws"}, 101, 101, V1),
    ("ws and v1", {P: f"ws, {V1}"}, 101, 101, V1),
    ("ws,v1 without a space", {P: f"ws,{V1}"}, 101, 101, V1),
    ("unknown", {P: "mqtt"}, 101, 101, None),
    ("of a later hub", {P: "taskhub.v2"}, 101, 101, None),
    ("unknown and v1", {P: f"mqtt, wamp.2.json, {V1}"}, 101, 101, V1),
    ("200 unknown and v1", {P: ", ".join([*(f"p{n}" for n in range(200)), V1])}, 101, 101, V1),
    ("v1 200 times", {P: ", ".join([V1] * 200)}, 101, 400, V1),
    ("in capitals", {P: V1.upper()}, 101, 101, None),
    ("in two lines", {P: "mqtt", P + "#": V1}, 101, 101, V1),
    ("not a token", {P: "task hub"}, 400, 101, None),
    ("empty", {P: ""}, 400, 101, None),
    ("only commas", {P: ",,,"}, 400, 400, None),
    ("with a weight", {P: f"{V1};q=1"}, 400, 101, None),
    ("in quotes", {P: f'"{V1}"'}, 400, 101, None),
]  # fmt: skip
#: Where daphne finds no host it says 400 by itself.
ORIGINS: list[tuple[str, int, int]] = [
    *((origin, 101, 101) for origin in (
        "http://127.0.0.1", "http://127.0.0.1:8000", "https://localhost", "http://LOCALHOST:1", "http://[::1]:8000")),
    *((origin, 403, 403) for origin in (
        "https://example.org", "http://127.0.0.1.example.org", "http://localhost.example.org",
        "http://example.org#127.0.0.1", "http://example.org/127.0.0.1", "http://127.0.0.1@example.org", "null",
        "chrome-extension://abcdefgh", "file://", "http://127.0.0.2", "http://0x7f000001", "http://2130706433",
        "http://127.1", "http://*")),
    *((origin, 403, 400) for origin in (
        "http://example.org:127.0.0.1", "javascript:alert(1)", "127.0.0.1", "http://", "http://[", "*", "")),
]  # fmt: skip
PATHS: list[tuple[str, int, int]] = [
    ("/", 101, 101), ("/ws", 101, 101), ("/ws/", 101, 101), ("/?x=1", 101, 101), ("/ws/?a=b&c", 101, 101),
    ("/?", 101, 101), ("/%77s/", 101, 101), ("http://127.0.0.1/ws/", 404, 101), ("http://example.org/", 404, 101),
    ("/other", 404, 403), ("/ws/x", 404, 403), ("/ws//", 404, 403), ("//", 404, 403), ("/WS/", 404, 403),
    ("/ws/../", 404, 403), ("/./", 404, 403), ("/../../etc/passwd", 404, 403), ("/%2e%2e/", 404, 403), ("/ws%00", 404, 403),
    ("/ws;x", 404, 101), ("/admin/", 404, 403), ("/healthz", 404, 403), ("/favicon.ico", 404, 403),
    ("/" + "x" * 4_000, 404, 403), ("/%ff", 404, 403), ("/%", 404, 403), ("/%zz", 404, 403),
]  # fmt: skip
FIRST_LINES: list[tuple[str, int, int]] = [
    *((f"{method} / HTTP/1.1", 405, 405) for method in ("POST", "HEAD", "PUT", "OPTIONS", "DELETE")),
    ("get / HTTP/1.1", 400, 405), ("BREW / HTTP/1.1", 400, 405), (" GET / HTTP/1.1", 400, 400), ("GET", 400, 400),
    # older and newer ones are taken: the servers look at the headers
    ("GET / HTTP/1.0", 101, 101), ("GET / HTTP/2.0", 101, 400), ("GET  / HTTP/1.1", 101, 400), ("GET /", 101, 400),
    ("GET / HTTP/9.9", 400, 400), ("GET / http/1.1", 400, 400), ("GET / HTTP/1", 400, 400), ("GET / / HTTP/1.1", 400, 400),
    ("/ HTTP/1.1", 400, 400), ("GET * HTTP/1.1", 404, 403), ("GET x HTTP/1.1", 400, 403),
    ("GET \x00 HTTP/1.1", 400, 400), ("GET /\xff HTTP/1.1", 400, 400),
]  # fmt: skip
K, VERSION = "Sec-WebSocket-Key", "Sec-WebSocket-Version"
_KEY = coded(bytes(16))
HEADERS: list[tuple[str, Mapping[str, str | None], int, int]] = [
    ("no upgrade", {"Upgrade": None}, 302, 302),
    ("upgrade to h2c", {"Upgrade": "h2c"}, 302, 302),
    ("upgrade to nothing", {"Upgrade": ""}, 302, 302),
    ("upgrade in capitals", {"Upgrade": "WebSocket"}, 101, 101),
    ("no connection", {"Connection": None}, 302, 400),
    ("connection close", {"Connection": "close"}, 302, 400),
    ("connection keep-alive", {"Connection": "keep-alive"}, 302, 400),
    ("connection keep-alive and upgrade", {"Connection": "keep-alive, Upgrade"}, 101, 101),
    ("connection upgrade in small letters", {"Connection": "upgrade"}, 101, 101),
    ("no version", {VERSION: None}, 400, 400),
    *((f"version {v}", {VERSION: v}, 400, 400) for v in ("", "0", "7", "12", "14", "-13", "13.0", "x", "1" * 100)),
    ("version 8, an older draft", {VERSION: "8"}, 400, 101),
    ("two versions", {VERSION: "13", VERSION + "#": "8"}, 400, 400),
    ("two versions in one", {VERSION: "13, 8"}, 400, 400),
    ("no key", {K: None}, 400, 400),
    *((f"key {k:.12}", {K: k}, 400, 400) for k in ("", "x", "A" * 24, "A" * 22, coded(bytes(15)), coded(bytes(17)), "*" * 22 + "==", "A" * 1_000)),
    ("two keys", {K: _KEY, K + "#": _KEY}, 400, 400),
    ("no host", {"Host": None}, 101, 400),
    ("another host", {"Host": "example.org"}, 101, 101),
    ("two hosts", {"Host": "127.0.0.1", "Host#": "example.org"}, 101, 101),
    ("another host, no upgrade", {"Host": "example.org", "Upgrade": None}, 400, 400),
    ("compression", {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}, 101, 101),
    ("an unknown extension", {"Sec-WebSocket-Extensions": "x-made-up; a=1; b"}, 101, 101),
    ("no extension", {"Sec-WebSocket-Extensions": ""}, 101, 101),
    ("compression, badly", {"Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=99"}, 101, 400),
    ("a forged address", {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "Forwarded": "for=10.0.0.1"}, 101, 101),
    ("a session", {"Cookie": "sessionid=" + "x" * 32}, 101, 101),
    ("an underscore", {"Sec_WebSocket_Key": "x", "Authorization_": "x"}, 101, 101),
    ("Expect", {"Expect": "100-continue"}, 101, 100),
    ("no ASCII in an unknown header", {"X": "ü"}, 101, 101),
    ("no ASCII in the host", {"Host": "ü"}, 101, 101),
    ("no ASCII in the host, no upgrade", {"Host": "ü", "Upgrade": None}, 400, 400),
    ("no ASCII in the origin", {"Origin": "http://ü"}, 403, 403),
    ("no ASCII in the key", {K: "ü" * 24}, 400, 400),
    ("a digit of another script as version", {VERSION: "²"}, 400, 400),
    ("no ASCII in the upgrade", {"Upgrade": "websocket\xff"}, 302, 302),
    ("no ASCII in the authorization", {"Authorization": "Basic \xff"}, 401, 403),
    ("no ASCII in the extensions", {"Sec-WebSocket-Extensions": "\xff"}, 101, 101),
    ("extensions of nothing but signs", {"Sec-WebSocket-Extensions": ";;=,"}, 101, 101),
    # sizes: the limits are those of the servers
    ("a header of 4,000 bytes", {"X-Long": "x" * 4_000}, 101, 101),
    ("a header of 8,200 bytes", {"X-Long": "x" * 8_200}, 400, 101),
    ("a header of 17,000 bytes", {"X-Long": "x" * 17_000}, 400, CUT),
    ("a header of 70,000 bytes", {"X-Long": "x" * 70_000}, 400, CUT),
    ("a header name of 9,000 bytes", {"X" * 9_000: "x"}, 400, 101),
    ("an authorization of 8,000 bytes", {"Authorization": "Basic " + "A" * 8_000}, 401, 403),
    ("50 headers", {f"X-{n}": "x" for n in range(50)}, 101, 101),
    ("200 headers", {f"X-{n}": "x" for n in range(200)}, 400, 101),
    ("600 headers", {f"X-{n}": "x" for n in range(600)}, 400, 400),
    ("5,000 headers", {f"X-{n}": "x" for n in range(5_000)}, 400, 400),
]  # fmt: skip
BYTES: list[tuple[str, bytes, int, int]] = [
    ("empty lines before", b"\r\n\r\n$RIGHT", 101, 400),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", 400, 400),
    ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 400, 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 400),
    ("a WebSocket frame", b"\x81\x82\x00\x00\x00\x00{}\r\n\r\n", 400, 400),
    ("JSON", b'{"cmd":"sub","action":"weather:x"}\r\n\r\n', 400, 400),
    ("zeros", bytes(64) + b"\r\n\r\n", 400, 400),
    ("ones", b"\xff" * 64 + b"\r\n\r\n", 400, 400),
    ("no ASCII in a header's name", b"$BEGIN" + b"X\xff: 1\r\n\r\n", 400, 400),
    ("NUL in a header's name", b"$BEGIN" + b"X\0: 1\r\n\r\n", 400, 400),
    ("NUL in a header", b"$BEGIN" + b"X: a\0b\r\n\r\n", 400, 400),
    ("a control character in a header", b"$BEGIN" + b"X: a\x01b\r\n\r\n", 400, 101),
    ("a header without a colon", b"$BEGIN" + b"nonsense\r\n\r\n", 400, 400),
    ("a header without a name", b"$BEGIN" + b": x\r\n\r\n", 400, 400),
    ("a header's name with a space", b"$BEGIN" + b"X y: x\r\n\r\n", 400, 400),
    ("a folded header", b"$BEGIN" + b"X: x\r\n y\r\n\r\n", 400, 101),
    ("a body of no bytes", b"$BEGIN" + b"Content-Length: 0\r\n\r\n", 101, 101),
    ("a body", b"$BEGIN" + b"Content-Length: 5\r\n\r\nhello", 400, CUT),
    ("a body of negative length", b"$BEGIN" + b"Content-Length: -5\r\n\r\n", 400, 400),
    ("a body of no length", b"$BEGIN" + b"Content-Length: x\r\n\r\n", 400, 400),
    ("a body of two lengths", b"$BEGIN" + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, 400),
    ("a body in chunks", b"$BEGIN" + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400, CUT),
    ("a body in chunks and by length", b"$BEGIN" + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, 400),
    ("a body encoded otherwise", b"$BEGIN" + b"Transfer-Encoding: x\r\n\r\n", 400, 400),
]  # fmt: skip
