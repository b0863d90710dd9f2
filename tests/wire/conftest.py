"""Hubs for the wire tests, and what they logged when one fails."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.hub_process import SERVERS, HubProcess
from tests.wire.stage import Stage

_log_began = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture(scope="session", params=SERVERS)
def hub(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    prepared: HubProcess,
) -> Iterator[HubProcess]:
    """A hub that many tests share; each uses actions and ids of its own."""
    made = HubProcess(request.param, tmp_path_factory.mktemp(request.param)).copy_of(prepared)
    try:
        yield made.start()
    finally:
        made.close()
    assert not made.troubles()


@pytest.fixture(params=SERVERS)
def own_hub(
    request: pytest.FixtureRequest, tmp_path: Path, prepared: HubProcess
) -> Iterator[HubProcess]:
    """A hub for one test, which may kill it."""
    # Its clients have to come back after a restart, however slow the machine is at it.
    made = HubProcess(request.param, tmp_path, TASKHUB_RESUME_GRACE_MS="1500").copy_of(prepared)
    try:
        yield made.start()
    finally:
        made.close()
    assert not made.troubles()


@pytest.fixture
async def stage(hub: HubProcess) -> AsyncIterator[Stage]:
    """A stage on the shared hub."""
    async with AsyncExitStack() as stack:
        yield Stage(hub, stack)


@pytest.fixture
async def new_stage() -> AsyncIterator[Callable[[HubProcess], Stage]]:
    """Makes stages on a hub of the test's own."""
    async with AsyncExitStack() as stack:
        yield lambda hub: Stage(hub, stack)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Remember where the log of the test's hub was when it began."""
    if (hub := _hub_of(item)) is not None:
        item.stash[_log_began] = hub.log_size()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the hub has logged during a test that failed."""
    report = yield
    hub = _hub_of(item)
    if report.failed and hub is not None and _log_began in item.stash:
        report.sections.append((f"log of {hub.server}", hub.log_since(item.stash[_log_began])))
    return report


def _hub_of(item: pytest.Item) -> HubProcess | None:
    values = getattr(item, "funcargs", {})
    names = ("hub", "own_hub", "patient_hub")
    return next((values[name] for name in names if name in values), None)
