"""The framing of RFC 6455 on both servers: kept, and broken in every way."""

import asyncio
import json
import random

import pytest

from tests.hub_process import HubProcess
from tests.raw_peer import JSON
from tests.strangers.corpus.rfc6455 import (
    BAD_JSON,
    CASES,
    COMMAND,
    ENDED,
    NOTHING,
    TAKEN,
    TOO_BIG,
    WAITS,
    Rfc,
    expected,
)
from tests.strangers.line import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    V1,
    VERSIONS,
    Line,
    Mark,
    Message,
    connected,
    frame,
)
from tests.strangers.mutations import Mutator
from tests.strangers.test_mutated import SEED
from tests.strangers.world import PROBE


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_framing(hub: HubProcess, case: Rfc, version: str) -> None:
    await check_framing(hub, case, version)


async def check_framing(hub: HubProcess, case: Rfc, version: str) -> None:
    """What comes of these bytes is what ``corpus.rfc6455`` says."""
    then = expected(case, hub.server)
    async with connected(hub, PROBE, version) as line:
        mark = Mark()
        line.send(*case.sent, mark.data if then in (TAKEN, NOTHING, BAD_JSON) else b"")
        for pong in case.pongs:
            assert await line.message() == pong
        if isinstance(then, int):
            closes = case.sent[0][0] & 0x0F == CLOSE
            await judge_close(
                line, then, told=version == V1 and case.then == TOO_BIG and not closes
            )
        elif then == WAITS:
            async with connected(hub, PROBE, version) as other:
                other.send(mark.data)
                assert await mark.reached(other) == []
        elif then == ENDED:
            assert all(m.opcode == CLOSE and not m.data for m in await line.until_end())
        else:
            said = [m for m in await mark.reached(line) if "event" not in m]
            judge_going_on(said, then)


async def judge_close(line: Line, code: int, *, told: bool) -> None:
    """The end, by a close frame with this code; it is the hub's own if ``told`` why (§2.7)."""
    *before, close = await line.until_end()
    assert (close.opcode, close.close_code) == (CLOSE, code)
    if told:
        (error,) = before
        assert b'"too-big"' in error.data
    else:
        assert all(b'"status":"ok"' in one.data for one in before), "of what came before"


def judge_going_on(said: list[JSON], then: str) -> None:
    """What is said to a message, if anything."""
    if then == BAD_JSON:
        assert [error["error"] for error in said] == ["SyntaxError"]
    else:
        assert [answer["status"] for answer in said] == ["ok"] * (then == TAKEN)


# What is more than bytes in one go


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_frame_byte_by_byte(hub: HubProcess, version: str) -> None:
    async with connected(hub, PROBE, version) as line:
        mark = Mark()
        for byte in frame(TEXT, COMMAND) + frame(PING, b"p") + mark.data:
            line.send(bytes([byte]))
            await line.writer.drain()
            await asyncio.sleep(0)
        said: list[JSON] = []
        pongs = 0
        while not (said and mark.is_answer(said[-1])):
            message = await line.message()
            assert message is not None
            pongs += message == Message(PONG, b"p")
            if message.opcode == TEXT and "event" not in (text := json.loads(message.data)):
                said.append(text)
        assert ([one["status"] for one in said], pongs) == (["ok", "error"], 1)


async def test_a_half_closed_connection_is_ended(hub: HubProcess) -> None:
    async with connected(hub, PROBE) as line:
        line.send(frame(TEXT, COMMAND))
        line.end()
        await line.until_end()


@pytest.mark.parametrize("kept", [1, 2, 5, 10, -1])
async def test_a_connection_that_ends_amid_a_frame(hub: HubProcess, kept: int) -> None:
    for reset in (True, False):
        async with connected(hub, PROBE) as line:
            line.send(frame(TEXT, COMMAND)[:kept])
            await line.writer.drain()
            if reset:
                line.vanish()
            else:
                line.end()
                await line.until_end()


# Mutated streams

#: Streams on each server and version, and what the hub may close one with.
STREAMS = 250
CODES = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}


@pytest.mark.parametrize("version", VERSIONS)
async def test_mutated_streams(hub: HubProcess, version: str) -> None:
    """Frames whose heads, masks and lengths are spoiled harm their own connection only."""
    whole = [one for case in CASES for one in case.sent if len(one) < 500]
    mutator, given = Mutator(whole, SEED), random.Random(SEED)
    async with connected(hub, PROBE, version) as other:
        for _ in range(STREAMS):
            async with connected(hub, PROBE, version) as line:
                for _ in range(given.randint(1, 8)):
                    line.send(mutator.stream(given.choice(whole)))
                line.end()
                for message in await line.until_end():
                    assert message.opcode in (TEXT, PONG, CLOSE)
                    if message.opcode == CLOSE:
                        assert message.close_code is None or message.close_code in CODES
            mark = Mark()
            other.send(mark.data)
            assert all("event" in one for one in await mark.reached(other))
