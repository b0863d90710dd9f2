"""Hubs to be overloaded, each in a process of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub_process import EVERYTHING, HubProcess

#: Clients of the scenarios, each with as many connections as it likes.
NAMES = ("flood", "quiet", "many", "publisher", "reader", "sleeper", "crowd")
CLIENTS: dict[str, dict[str, Any]] = {
    **{name: {"max_connections": 3_000, **EVERYTHING} for name in NAMES},
    "pair": {"max_connections": 2, "pub": ["*"]},
}
NewHub = Callable[..., HubProcess]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    made = HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()
    made._provision({"create": CLIENTS})
    return made


@pytest.fixture
def new_hub(tmp_path: Path, prepared: HubProcess) -> Iterator[NewHub]:
    """Starts a hub, spoiled if wanted, with these settings."""
    made: list[HubProcess] = []

    def start(sabotage: str | None = None, **env: str) -> HubProcess:
        directory = tmp_path / f"hub{len(made)}"
        directory.mkdir()
        spoiled = f"tests.overload.sabotage:{sabotage}" if sabotage else None
        env = {"TASKHUB_MAX_EVENTS_PER_TASK": "1000000", **env}
        hub = HubProcess("uvicorn", directory, sabotage=spoiled, **env).copy_of(prepared)
        made.append(hub)
        return hub.start()

    try:
        yield start
    finally:
        for hub in made:
            hub.close()
    assert not [hub.troubles() for hub in made if hub.sabotage is None and hub.troubles()]
