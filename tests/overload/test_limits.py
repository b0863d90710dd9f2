"""Each limit at its number and one further, on a hub of its own process (docs/protocol.md §7)."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from credentials.models import Client
from hub.core.limits import Limits
from tests.hub_process import ROOT, HubProcess
from tests.overload.limit_tools import SMALL, disk_has
from tests.overload.limits import LIMITS, OF_A_CLIENT, Check
from tests.overload.process import rows
from tests.wire.stage import Stage

OPEN = "SELECT publisher, task_id FROM hub_task WHERE ended_at IS NULL"
CHECKS: dict[str, Any] = {
    name: check for name, check in LIMITS.items() if not isinstance(check, str)
}


def _hub(sabotage: str, tmp: Any, prepared: HubProcess) -> Iterator[HubProcess]:
    env = {f"TASKHUB_{name.upper()}": str(value) for name, value in SMALL.items()}
    spoiled = f"tests.overload.sabotage:{sabotage}"
    hub = HubProcess("uvicorn", tmp.mktemp(sabotage), sabotage=spoiled, **env).copy_of(prepared)
    disk_has(hub, 1 << 40)
    try:
        yield hub.start()
    finally:
        hub.close()
    log = hub.log_since(0)
    assert "Traceback" not in log
    assert log.count(" ERROR ") == log.count(" ERROR hub.housekeeping"), "but for the full disk"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess) -> Iterator[HubProcess]:
    """A hub with small limits and a short minute."""
    yield from _hub("exact_limits", tmp_path_factory, prepared)


@pytest.fixture(scope="module", params=["one_more", "one_less"])
def off_by_one(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess
) -> Iterator[HubProcess]:
    """The same with all limits one off."""
    yield from _hub(request.param, tmp_path_factory, prepared)


async def run(check: Check, hub: HubProcess) -> None:
    """Run a check and leave no task open, however it ended."""
    try:
        async with AsyncExitStack() as stack:
            await check(Stage(hub, stack))
    finally:
        for name, task in rows(hub, OPEN):
            async with AsyncExitStack() as stack:
                await (await Stage(hub, stack).v1(name)).request("cancel", taskId=task)


@pytest.mark.parametrize("name", CHECKS)
async def test_limit(small: HubProcess, name: str) -> None:
    await run(CHECKS[name], small)


@pytest.mark.parametrize("name", CHECKS)
async def test_a_limit_that_is_one_off_is_found(
    off_by_one: HubProcess, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.overload.limits.NOTICE_S", 0.5)  # what never comes is waited for
    with pytest.raises(AssertionError):
        await run(CHECKS[name], off_by_one)


def test_every_limit_has_its_check() -> None:
    assert set(LIMITS) == {field.name for field in dataclasses.fields(Limits)}
    assert set(CHECKS) == set(SMALL)
    held = {"max_connections", "rate"}
    assert set(OF_A_CLIENT) == held <= {field.name for field in Client._meta.get_fields()}


@pytest.mark.parametrize(
    "test", [test for test in [*LIMITS.values(), *OF_A_CLIENT.values()] if isinstance(test, str)]
)
def test_a_test_that_is_named_is_there(test: str) -> None:
    path, _, function = test.partition("::")
    assert re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE)
