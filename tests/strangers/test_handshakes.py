"""Every handshake of the corpus gets its status, and one that is let in is of use."""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import pytest

from tests.hub_process import HubProcess
from tests.raw_peer import basic
from tests.strangers.corpus.handshakes import CUT, V1, Handshake, cases
from tests.strangers.line import Line, Mark, dialled, request
from tests.strangers.mutations import Mutator
from tests.strangers.test_mutated import SEED
from tests.strangers.world import PROBE

#: All in all, on two servers.
HANDSHAKES = int(os.environ.get("STRANGERS_HANDSHAKES", "3000"))
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS = re.compile(r"HTTP/1\.[01] (\d{3}) ")


def status_of(head: str) -> int:
    """The status; ``CUT``: there is no answer."""
    found = _STATUS.match(head)
    return int(found[1]) if found else CUT


def header_of(head: str, name: str) -> str | None:
    """The value of the header, the only one of its name."""
    found = [
        line.partition(":")[2].strip()
        for line in head.split("\r\n")
        if line.lower().startswith(name.lower() + ":")
    ]
    assert len(found) < 2
    return found[0] if found else None


async def check(hub: HubProcess, handshake: Handshake) -> str | None:
    """What is wrong with the answer, if anything."""
    expected = handshake.uvicorn if hub.server == "uvicorn" else handshake.daphne
    async with dialled(hub) as line:
        line.send(handshake.sent)
        head = await line.head()
        if status_of(head) != expected:
            return f"{handshake.name}: {head[:80]!r}, not {expected}"
        if expected != 101:
            return None
        chosen = header_of(head, "Sec-WebSocket-Protocol")
        if chosen != handshake.subprotocol:
            return f"{handshake.name}: subprotocol {chosen}"
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", handshake.sent)
        assert key
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest()).decode()
        assert header_of(head, "Sec-WebSocket-Accept") == accept
        assert header_of(head, "Sec-WebSocket-Extensions") is None, "none was agreed on"
        mark = Mark()
        line.send(mark.data)
        before = await mark.reached(line)
        assert len(before) == (chosen == V1), "the welcome"
    return None


async def check_all(hub: HubProcess, of: str = "") -> None:
    """Each whose name begins so has its status."""
    rows = [row for row in cases(hub.keys) if row.name.startswith(of)]
    wrong = [fault for row in rows if (fault := await check(hub, row))]
    assert not wrong, "\n".join(wrong)


async def test_each_handshake(hub: HubProcess) -> None:
    assert len(cases(hub.keys)) >= 100
    await check_all(hub)


async def test_one_connection_too_many(hub: HubProcess) -> None:
    refused = 429 if hub.server == "uvicorn" else 403
    asked = request({"Authorization": basic("single", hub.keys["single"])})
    for _ in range(2):  # a place that is given up can be taken again
        async with dialled(hub) as first:
            await until_status(hub, first, asked, 101)
            for _ in range(3):
                async with dialled(hub) as second:
                    await until_status(hub, second, asked, refused)


async def until_status(hub: HubProcess, line: Line, asked: bytes, status: int) -> None:
    """One handshake."""
    line.send(asked)
    assert status_of(await line.head()) == status


@pytest.mark.parametrize("kept", [0, 1, 3, 20, 100, -2, -1])
async def test_half_a_handshake(hub: HubProcess, kept: int) -> None:
    """A peer that goes away in its midst, by a word or without one."""
    asked = request({"Authorization": basic(PROBE, hub.keys[PROBE])})
    for reset in (False, True):
        async with dialled(hub) as line:
            line.send(asked[:kept])
            await line.writer.drain()
            if reset:
                line.vanish()
            else:
                line.end()
                assert status_of(await line.head()) != 101


# Mutated


async def check_mutated(hub: HubProcess, count: int, seed: int) -> int:
    """Each of so many mutated handshakes is answered, and lets in nobody without a right key.

    Returns how many were let in.
    """
    print(f"seed {seed}")  # noqa: T201  (what to repeat a failure with)
    seeds = [row.sent for row in cases(hub.keys) if len(row.sent) < 3_000 and row.uvicorn != 302]
    mutator = Mutator([one for one in seeds if one.endswith(b"\r\n\r\n")], seed)
    asked = [one for _ in range(count) if fair(hub, one := mutator.handshake())]
    answers: list[int] = []
    queue = iter(asked)

    async def worker() -> None:
        answers.extend([await check_answer(hub, sent) for sent in queue])

    async with asyncio.TaskGroup() as workers:
        for _ in range(8):
            workers.create_task(worker())
    assert len(answers) == len(asked) > 0.9 * count
    return answers.count(101)


def fair(hub: HubProcess, sent: bytes) -> bool:
    """Not nothing, which is waited on; and daphne fails at a subprotocol with odd characters."""
    if not sent.strip(b"\r\n"):
        return False
    odd = re.search(rb"(?i)websocket-protocol:[^\r]*[\x80-\xff%]", sent)
    return hub.server == "uvicorn" or not odd


async def check_answer(hub: HubProcess, sent: bytes) -> int:
    """The status of the answer."""
    async with dialled(hub) as line:
        line.send(sent)
        try:
            status = status_of(await line.head())
        except AssertionError:
            raise AssertionError(f"no answer to {sent!r}") from None
        assert status == CUT or 100 <= status < 500, f"{status} for {sent!r}"
        if status == 101:
            assert any(key.encode() in pair for pair in pairs(sent) for key in good_keys(hub)), sent
        return status


def good_keys(hub: HubProcess) -> list[str]:
    """Keys that let somebody in."""
    return [
        key
        for name, key in hub.keys.items()
        if name not in ("revoked-key", "expired-key", "disabled")
    ]


def pairs(sent: bytes) -> Iterator[bytes]:
    """All that can be read as a name and a key."""
    for word in re.findall(rb"[A-Za-z0-9+/]{8,}={0,2}", sent):
        for end in range(4):
            with contextlib.suppress(binascii.Error):
                yield unquote_to_bytes(base64.b64decode(word + b"=" * end))


async def test_mutated_handshakes(hub: HubProcess) -> None:
    let_in = await check_mutated(hub, HANDSHAKES // 2, SEED)
    assert 0 < let_in < HANDSHAKES // 4, "most are refused, not all"
