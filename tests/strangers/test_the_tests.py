"""Each check fails for a hub that it is there to find."""

from contextlib import AsyncExitStack

import pytest

from tests.hub_process import HubProcess
from tests.strangers.conftest import Spoiled, assert_unharmed
from tests.strangers.corpus import rfc6455
from tests.strangers.line import V1, VERSIONS, connected
from tests.strangers.test_frames import THEMES, check
from tests.strangers.test_handshakes import check_all
from tests.strangers.test_mutated import check_crowd
from tests.strangers.test_rfc6455 import check_framing
from tests.strangers.world import PROBE, World
from tests.wire.stage import Stage


async def check_theme(hub: HubProcess, theme: str, version: str) -> None:
    """As ``test_each_frame``."""
    async with AsyncExitStack() as stack, connected(hub, PROBE, version) as line:
        names = await World(Stage(hub, stack), line).build()
        await check(line, THEMES[theme], version, names)


@pytest.mark.parametrize(
    ("sabotage", "theme", "says"),
    [
        ("arrays_raise", "json text", "closed|answered"),
        ("arrays_pass", "json text", "not bad-(json|command)"),
        ("no_nesting_limit", "json text", "not bad-json"),
        ("prefixes_match", "actions", "not forbidden"),
        ("errors_close", "fields", "closed"),
        ("some_refusals_get_lost", "fields", "answered .., not missing-field"),
    ],
)
async def test_frames(spoiled: Spoiled, sabotage: str, theme: str, says: str) -> None:
    hub = spoiled(sabotage)
    for version in VERSIONS:
        with pytest.raises(AssertionError, match=says):
            await check_theme(hub, theme, version)


@pytest.mark.parametrize(
    ("sabotage", "says"),
    [
        ("arrays_raise", "closed|answered|Traceback"),
        ("prefixes_match", "is answered"),
        ("some_refusals_get_lost", "is answered"),
        ("refused_tasks_are_stored", "stored and never told"),
    ],
)
async def test_mutated_frames(spoiled: Spoiled, sabotage: str, says: str) -> None:
    hub = spoiled(sabotage)
    async with AsyncExitStack() as stack:
        with pytest.RaisesGroup(pytest.RaisesExc(AssertionError, match=says), allow_unwrapped=True):
            await check_crowd(Stage(hub, stack), V1, 3_000)


async def test_handshakes(spoiled: Spoiled) -> None:
    with pytest.raises(AssertionError, match=r"a revoked key: .* not 401"):
        await check_all(spoiled("revoked_keys_open"), "authorization: a revoked key")


@pytest.mark.parametrize(
    ("sabotage", "case", "says"),
    [
        ("bad_text_is_logged", "text b'\\xff'", "Traceback"),
        ("pings_get_lost", "a ping", "opcode=10"),
    ],
)
async def test_framing(spoiled: Spoiled, sabotage: str, case: str, says: str) -> None:
    hub = spoiled(sabotage)
    (row,) = [one for one in rfc6455.CASES if one.name == case]
    with pytest.raises(AssertionError, match=says):
        await check_unharmed(hub, row)


async def check_unharmed(hub: HubProcess, row: rfc6455.Rfc) -> None:
    """As ``test_framing`` with what is checked after each test."""
    await check_framing(hub, row, V1)
    assert_unharmed(hub)
