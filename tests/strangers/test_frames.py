"""Every frame of the corpus gets the answer that docs/protocol.md defines, and no other."""

import re
from collections.abc import Iterator

import pytest

from tests.hub_process import HubProcess
from tests.strangers.conftest import assert_unharmed
from tests.strangers.corpus import actions, fields, json_text, states
from tests.strangers.corpus.case import Case
from tests.strangers.judge import CLASSES, about, judge
from tests.strangers.line import CLOSE, V1, VERSIONS, Line, Mark, connected, frame, texts
from tests.strangers.world import PROBE, World, filled
from tests.wire.stage import Stage

THEMES = {
    "json text": json_text.CASES,
    "fields": fields.CASES,
    "actions": actions.CASES,
    "states": states.CASES,
}
ALL = [case for cases in THEMES.values() for case in cases]
#: So many frames are on their way at a time.
AT_A_TIME = 40
_READS = re.compile(r'"cmd": ?"(get|watch|unwatch)"')


async def check(
    line: Line, cases: list[Case], version: str, names: dict[str, str] | None = None
) -> None:
    """Send each frame; what is said before the next one is answered has to be its answer."""
    for batch in _batches(cases):
        rows = [(case, filled(case.frame, names or {}), Mark()) for case in batch]
        line.send(*(texts([sent]) + mark.data for _, sent, mark in rows))
        for case, sent, mark in rows:
            said = about(sent, await mark.reached(line))
            judge(sent, case.v1 if version == V1 else case.legacy, said, version)


def _batches(cases: list[Case]) -> Iterator[list[Case]]:
    """A few at a time. A read begins one: its answer does not wait in the line of commits."""
    batch: list[Case] = []
    for case in cases:
        if batch and (len(batch) >= AT_A_TIME or _READS.search(str(case.frame))):
            yield batch
            batch = []
        batch.append(case)
    yield batch


def test_the_corpus_is_large_and_reaches_each_code() -> None:
    assert len(ALL) >= 300
    assert len({(case.name, case.frame) for case in ALL}) == len(ALL), "each row counts once"
    for answers in ({c.v1 for c in ALL}, {c.legacy.partition("+")[0] for c in ALL}):
        # too big closes the connection, and unavailable takes a broken disk: see below
        assert CLASSES.keys() - answers == {"too-big", "unavailable"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("theme", THEMES)
async def test_each_frame(stage: Stage, theme: str, version: str) -> None:
    hub = stage.hub
    async with connected(hub, PROBE, version) as line:
        names = await World(stage, line).build()
        await check(line, THEMES[theme], version, names)


@pytest.mark.parametrize("version", VERSIONS)
async def test_frames_of_n_and_of_n_plus_one_bytes(hub: HubProcess, version: str) -> None:
    limit = hub.limit("max_frame_bytes")
    for filler in ("x", "ä", "\U0001f600"):
        for binary in (False, True):
            async with connected(hub, PROBE, version) as line:
                whole = _of_size(limit, filler)
                await check(
                    line, [Case("n", whole.encode() if binary else whole, "ok", "ok")], version
                )
                more = _of_size(limit + 1, filler)
                line.send(texts([more.encode() if binary else more]))
                await judge_closed(line, version, 1009, "too-big")


def _of_size(size: int, filler: str) -> str:
    """A frame of so many bytes of UTF-8."""
    head, tail = '{"cmd":"sub","action":"weather:unheard","x":"', '"}'
    room = size - len(head) - len(tail)
    width = len(filler.encode())
    return head + filler * (room // width) + "y" * (room % width) + tail


async def judge_closed(line: Line, version: str, close_code: int, code: str) -> None:
    """The connection is closed with this code; v1 is told why before (§2.7)."""
    if version == V1:
        error = await line.json()
        assert error is not None
        assert (error["code"], error["error"]) == (code, CLASSES[code])
        assert (error["close"], error["request"]) == (close_code, "")
    message = await line.message()
    assert message is not None
    assert (message.opcode, message.close_code) == (CLOSE, close_code)
    line.send(frame(CLOSE, message.data))
    assert await line.message() is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cmd", ["sub", "watch"])
async def test_one_more_than_the_limit(hub: HubProcess, version: str, cmd: str) -> None:
    limit = hub.limit("max_subscriptions" if cmd == "sub" else "max_watches")
    known = "ok" if cmd == "sub" or version == V1 else "bad-command"
    over = "limit" if known == "ok" else "bad-command"
    text = '{"cmd":"%s","action":"weather:n%d"}'
    cases = [Case("", text % (cmd, n), known, known) for n in range(limit)]
    cases += [Case("", text % (cmd, n), over, over) for n in range(limit, limit + 3)]
    async with connected(hub, PROBE, version) as line:
        await check(line, cases, version)


async def test_a_refused_frame_leaves_no_other_frame_behind(stage: Stage) -> None:
    """What follows a refused frame in the same packet is answered as if it had come alone."""
    async with connected(stage.hub, PROBE) as line:
        refused = [c for c in json_text.CASES if c.v1 == "bad-json"][:100]
        fine = Case("between", '{"cmd":"sub","action":"weather:x"}', "ok", "ok")
        await check(line, [case for bad in refused for case in (bad, fine)], V1)
        assert_unharmed(stage.hub)
