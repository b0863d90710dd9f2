"""Hubs for strangers: without the limits that would end a test before it has begun."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hub_process import SERVERS, HubProcess
from tests.wire.stage import Stage

#: Clients beside the usual ones. ``probe`` may do all below two nouns, and nothing elsewhere.
PROBE = {kind: ["weather", "email"] for kind in ("sub", "pub", "watch")}
CLIENTS: dict[str, dict[str, Any]] = {
    "probe": PROBE,
    "revoked-key": PROBE,
    "expired-key": PROBE,
    "disabled": PROBE,
    "single": {**PROBE, "max_connections": 1},
}
Spoiled = Callable[[str], HubProcess]
MANY = "1000000"
ENVIRONMENT = {
    "TASKHUB_BAD_FRAMES_PER_MINUTE": MANY,
    "TASKHUB_WRONG_KEYS_PER_NAME": MANY,
    "TASKHUB_WRONG_KEYS_PER_ADDRESS": MANY,
    "TASKHUB_UNAUTHENTICATED_PER_ADDRESS": "10000",
    "TASKHUB_MAX_SUBSCRIPTIONS": "100",
    "TASKHUB_MAX_WATCHES": "100",
    "TASKHUB_START_TIMEOUT_MS": "300",
    # The database is looked at afterwards, and never after a crash: a sync a batch is not needed.
    "TASKHUB_SQLITE_SYNCHRONOUS": "NORMAL",
}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    made = HubProcess("uvicorn", tmp_path_factory.mktemp("strangers")).prepare()
    made._provision({"create": CLIENTS})
    made._provision({"revoke": ["revoked-key"], "expire": ["expired-key"], "disable": ["disabled"]})
    return made


def _hub(
    request: pytest.FixtureRequest, directories: pytest.TempPathFactory, prepared: HubProcess
) -> Iterator[HubProcess]:
    server = request.param
    made = HubProcess(server, directories.mktemp(server), **ENVIRONMENT).copy_of(prepared)
    try:
        yield made.start()
        assert_unharmed(made)
    finally:
        made.close()


@pytest.fixture(scope="session", params=SERVERS)
def hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess
) -> Iterator[HubProcess]:
    """A hub that all tests share; nothing they send may make it log an error."""
    yield from _hub(request, tmp_path_factory, prepared)


@pytest.fixture(scope="module", params=SERVERS)
def crowded_hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess
) -> Iterator[HubProcess]:
    """A hub of which nobody knows afterwards what tasks it holds."""
    yield from _hub(request, tmp_path_factory, prepared)


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test during which its hub has logged an error, or ended."""
    if "hub" not in request.fixturenames:
        yield
        return
    hub: HubProcess = request.getfixturevalue("hub")
    before = hub.log_size()
    yield
    assert_unharmed(hub, before)


def assert_unharmed(hub: HubProcess, log_before: int = 0) -> None:
    """The hub runs, and has logged nothing that no client may cause."""
    log = hub.log_since(log_before)
    lines = log.splitlines()
    bad = [n for n, line in enumerate(lines) if "Traceback" in line or " ERROR " in line]
    assert not bad, "\n".join(lines[max(0, bad[0] - 5) : bad[-1] + 60][:200])
    assert hub.process is not None
    assert hub.process.poll() is None, f"the hub has ended:\n{log}"


@pytest.fixture
async def stage(hub: HubProcess) -> AsyncIterator[Stage]:
    """A stage on the shared hub."""
    async with AsyncExitStack() as stack:
        yield Stage(hub, stack)


@pytest.fixture
def spoiled(tmp_path: Path, prepared: HubProcess) -> Iterator[Spoiled]:
    """Starts hubs with a part spoiled: ``spoiled("function")`` of tests/strangers/sabotage.py."""
    made: list[HubProcess] = []

    def start(function: str) -> HubProcess:
        sabotage = f"tests.strangers.sabotage:{function}"
        hub = HubProcess("uvicorn", tmp_path, sabotage=sabotage, **ENVIRONMENT)
        made.append(hub)
        return hub.copy_of(prepared).start()

    yield start
    for hub in made:
        hub.close()
