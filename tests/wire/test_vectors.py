"""The golden frames over the wire: each refusal as the vectors have it, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.core.errors import ERROR_CLASS, Code
from tests.raw_peer import Peer
from tests.wire.conftest import Stage

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text())
REFUSED = [row for row in VECTORS["frames"] if "error" in row]


async def answers(peer: Peer, count: int) -> list[dict[str, Any]]:
    return [await peer.next_message() for _ in range(count)]


@pytest.mark.parametrize("version", ["v1", "legacy"])
async def test_each_refusal(stage: Stage, version: str) -> None:
    rows = [row for row in REFUSED if row["version"] == version]
    assert len(rows) > 5
    for start in range(0, len(rows), 15):  # few unreadable ones a connection: they are counted
        peer: Peer = await (stage.v1("old") if version == "v1" else stage.legacy())
        for row in rows[start : start + 15]:
            await peer.send(row["frame"])
            error = await peer.next_message()
            code = row["error"]["code"]
            assert error["status"] == "error", row["name"]
            assert error["error"] == ERROR_CLASS[Code(code)], row["name"]
            assert error["request"] == row["frame"][:1024], row["name"]
            if version == "v1":
                assert error["code"] == code, row["name"]
            elif row["error"].get("refusedInit"):
                fail = await peer.next_message()
                assert (fail["event"], fail["reason"]["code"]) == ("fail", code)


async def test_unreadable_frames_close_at_last(stage: Stage) -> None:
    peer = await stage.v1("old")
    for _ in range(20):
        await peer.send("{")
        assert (await peer.next_message())["code"] == "bad-json"
    await peer.send("{")
    assert await peer.closed() == 1008


async def test_a_frame_over_the_limit_closes_with_1009(stage: Stage) -> None:
    limit = (await stage.v1("old")).welcome["limits"]["max_frame_bytes"]
    frame = json.dumps({"cmd": "get", "taskId": "t", "what": "task", "pad": ""})
    fits, too_big = await stage.v1("old"), await stage.v1("old")
    await fits.send(frame[:-2] + "x" * (limit - len(frame)) + '"}')
    assert (await fits.next_message())["code"] == "unknown-task"
    await too_big.send(frame[:-2] + "x" * (limit - len(frame) + 1) + '"}')
    assert await too_big.closed() == 1009
    assert too_big.messages[-1]["code"] == "too-big"
