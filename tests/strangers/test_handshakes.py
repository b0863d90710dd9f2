"""Every handshake of the corpus gets its status, and one that is let in is of use."""

import base64
import hashlib
import re

from tests.hub_process import HubProcess
from tests.strangers.corpus.handshakes import CUT, V1, Handshake, cases
from tests.strangers.line import Mark, dialled

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


async def check_all(hub: HubProcess) -> None:
    """Each has its status."""
    rows = cases(hub.keys)
    wrong = [fault for row in rows if (fault := await check(hub, row))]
    assert not wrong, "\n".join(wrong)


async def test_each_handshake(hub: HubProcess) -> None:
    assert len(cases(hub.keys)) >= 100
    await check_all(hub)
