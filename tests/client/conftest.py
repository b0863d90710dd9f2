"""A scripted hub for every test that asks for one, and real ones."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.client.fake_hub import FakeHub, fake_hub
from tests.hub_process import HubProcess

NewHub = Callable[..., HubProcess]


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with fake_hub() as hub:
        yield hub


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture
def new_hub(tmp_path: Path, prepared: HubProcess) -> Iterator[NewHub]:
    """Starts hubs, each with a copy of that database."""
    made: list[HubProcess] = []

    def make(*, sabotage: str | None = None, **env: str) -> HubProcess:
        directory = tmp_path / f"hub{len(made)}"
        directory.mkdir()
        made.append(HubProcess("uvicorn", directory, sabotage=sabotage, **env).copy_of(prepared))
        return made[-1].start()

    yield make
    for hub in made:
        hub.close()


@pytest.fixture(scope="session")
def real_hub(
    tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess
) -> Iterator[HubProcess]:
    """A hub that many tests share; each uses actions of its own."""
    made = HubProcess("uvicorn", tmp_path_factory.mktemp("real")).copy_of(prepared)
    try:
        yield made.start()
    finally:
        made.close()
    assert not made.troubles()
