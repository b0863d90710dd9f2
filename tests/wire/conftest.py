"""Hubs for the wire tests, and what they logged when one fails."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.hub_process import SERVERS, HubProcess
from tests.postgres import PostgresDatabase, postgres_database, postgres_server
from tests.wire.stage import Stage

__all__ = ["postgres_database", "postgres_server"]

_log_began = pytest.StashKey[int]()


#: A server and where its history is.
HUBS = (*SERVERS, "postgres")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture(scope="session")
def prepared_postgres(
    postgres_database: PostgresDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PostgresDatabase, HubProcess]]:
    """The same in PostgreSQL."""
    with postgres_database.copy(f"{postgres_database.name}_wire") as database:
        directory = tmp_path_factory.mktemp("prepared_postgres")
        yield database, HubProcess("uvicorn", directory, DATABASE_URL=database.url).prepare()


@contextmanager
def running(
    request: pytest.FixtureRequest, directory: Path, name: str, **env: str
) -> Iterator[HubProcess]:
    """A hub of the kind that the test asks for."""
    with ExitStack() as stack:
        if request.param == "postgres":
            database, first = request.getfixturevalue("prepared_postgres")
            url = stack.enter_context(database.copy(f"{database.name}_{name}")).url
            made = HubProcess("uvicorn", directory, DATABASE_URL=url, **env)
            made.keys = dict(first.keys)
        else:
            made = HubProcess(request.param, directory, **env)
            made.copy_of(request.getfixturevalue("prepared"))
        try:
            yield made.start()
        finally:
            made.close()
        assert not made.troubles()


@pytest.fixture(scope="session", params=HUBS)
def hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A hub that many tests share; each uses actions and ids of its own."""
    with running(request, tmp_path_factory.mktemp(request.param), "shared") as made:
        yield made


@pytest.fixture(params=HUBS)
def own_hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HubProcess]:
    """A hub for one test, which may kill it."""
    # Its clients have to come back after a restart, however slow the machine is at it.
    with running(request, tmp_path, "own", TASKHUB_RESUME_GRACE_MS="1500") as made:
        yield made


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
