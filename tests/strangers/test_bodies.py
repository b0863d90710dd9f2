"""A request whose body does not come is given up; what has become a WebSocket is not."""

import asyncio

import pytest

from tests.hub_process import HubProcess
from tests.strangers.conftest import Spoiled, assert_unharmed
from tests.strangers.line import Line, Mark, connected, dialled
from tests.strangers.test_handshakes import status_of
from tests.strangers.world import PROBE

#: Several times what a body may take on these hubs.
PATIENCE_S = 5.0
HEAD = b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def check_bodies(hub: HubProcess, head: bytes) -> None:
    """A body that comes byte by byte is too late, while a WebSocket lives on."""
    async with connected(hub, PROBE) as older, dialled(hub) as line:
        line.send(HEAD, head)
        trickling = asyncio.create_task(trickle(line))
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await line.head()
        except TimeoutError:
            raise AssertionError("it is waited for") from None
        finally:
            trickling.cancel()
        assert status_of(answer) == 408, answer
        assert not await line.reader.read()
        mark = Mark()
        older.send(mark.data)
        assert await mark.reached(older) == []
    assert_unharmed(hub)


async def trickle(line: Line) -> None:
    """A chunk of one byte, again and again."""
    while True:
        line.send(b"1\r\nx\r\n")
        await asyncio.sleep(0.05)


BODIES = [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]


async def test_slow_bodies(spoiled: Spoiled) -> None:
    hub = spoiled("bodies_have_a_moment")
    for head in BODIES:
        await check_bodies(hub, head)


async def test_slow_bodies_without_a_limit(spoiled: Spoiled) -> None:
    hub = spoiled("bodies_have_for_ever")
    with pytest.raises(AssertionError, match="waited for"):
        await check_bodies(hub, BODIES[0])
