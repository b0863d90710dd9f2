"""Hubs for the durability tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub_process import HubProcess


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture
def new_hub(tmp_path: Path, prepared: HubProcess) -> Iterator[Callable[..., HubProcess]]:
    """Makes hubs, not yet started, each with a copy of that database."""
    made: list[HubProcess] = []

    def make(kind: type[HubProcess] = HubProcess, **options: str) -> HubProcess:
        directory = tmp_path / f"hub{len(made)}"
        directory.mkdir()
        made.append(kind("uvicorn", directory, **options).copy_of(prepared))
        return made[-1]

    yield make
    for hub in made:
        hub.close()
