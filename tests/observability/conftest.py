"""Hubs for the tests of logs and figures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub_process import HubProcess

#: What a test starts a hub with: a sabotage or None, then settings.
Start = Callable[..., HubProcess]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess) -> Iterator[Start]:
    """Starts hubs that end with the test."""
    started: list[HubProcess] = []

    def begin(sabotage: str | None = None, server: str = "uvicorn", **env: str) -> HubProcess:
        directory: Path = tmp_path_factory.mktemp("hub")
        spoiled = f"tests.observability.sabotage:{sabotage}" if sabotage else None
        hub = HubProcess(server, directory, sabotage=spoiled, **env).copy_of(prepared)
        started.append(hub)
        return hub.start()

    yield begin
    for hub in started:
        hub.close()
