"""The limits on strangers as they are by default, and a hub that takes no new tasks (§7)."""

from collections.abc import Iterator

import pytest

from tests.hub_process import SERVERS, HubProcess
from tests.raw_peer import basic
from tests.strangers.corpus import json_text
from tests.strangers.corpus.case import FAIL, Case
from tests.strangers.line import VERSIONS, connected, dialled, request, texts
from tests.strangers.test_frames import check, judge_closed
from tests.strangers.test_handshakes import status_of
from tests.strangers.world import PROBE

BAD_FRAMES = 20
WRONG_KEYS = 10


@pytest.fixture(scope="module", params=SERVERS)
def strict_hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess
) -> Iterator[HubProcess]:
    """A hub with its usual limits, on a disk that is always too full."""
    directory = tmp_path_factory.mktemp(request.param)
    made = HubProcess(request.param, directory, TASKHUB_MIN_FREE_DISK_BYTES=str(2**52))
    try:
        yield made.copy_of(prepared).start()
        assert "Traceback" not in made.log_since(0)
    finally:
        made.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_too_many_unreadable_frames(strict_hub: HubProcess, version: str) -> None:
    bad = [case for case in json_text.CASES if case.v1 == "bad-json"]
    other = [case for case in json_text.CASES if case.v1 == "bad-command"]
    for start in (0, 40, 80):
        some = bad[start : start + BAD_FRAMES]
        async with connected(strict_hub, PROBE, version) as line:
            # JSON that is no command does not count
            await check(
                line, [one for pair in zip(some, other, strict=False) for one in pair], version
            )
            line.send(texts([bad[start + BAD_FRAMES].frame]))
            await judge_closed(line, version, 1008, "bad-json")


async def test_too_many_wrong_keys(strict_hub: HubProcess) -> None:
    wrong, refused = (401, 429) if strict_hub.server == "uvicorn" else (403, 403)
    for number in range(WRONG_KEYS + 3):
        expected = wrong if number < WRONG_KEYS else refused
        assert await status(strict_hub, "web", strict_hub.keys["a"]) == expected
    assert await status(strict_hub, "web", strict_hub.keys["web"]) == refused, "of this address"
    assert await status(strict_hub, PROBE, strict_hub.keys[PROBE]) == 101, "of another name"


async def status(hub: HubProcess, name: str, key: str) -> int:
    """Of a handshake with these."""
    async with dialled(hub) as line:
        line.send(request({"Authorization": basic(name, key)}))
        return status_of(await line.head())


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_new_tasks_on_a_full_disk(strict_hub: HubProcess, version: str) -> None:
    init = '{"cmd":"pub","event":"init","eventId":"$E","taskId":"$T","action":"%s","payload":%s}'
    cases = [
        *(Case("", init % ("weather:x", n), "unavailable", "unavailable" + FAIL) for n in range(9)),
        Case("", init % ("other:x", 1), "forbidden", "forbidden" + FAIL),
        Case("", '{"cmd":"sub","action":"weather:x"}', "ok", "ok"),
    ]
    async with connected(strict_hub, PROBE, version) as line:
        await check(line, cases, version)
