"""Hubs for the durability tests."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.durability.shifted_clock import LIBRARY
from tests.durability.trace import STRACE
from tests.hub_process import HubProcess

SMALL_DISK_MIB = 24


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with its clients, to begin with."""
    return HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()


@pytest.fixture
def new_hub(tmp_path: Path, prepared: HubProcess) -> Iterator[Callable[..., HubProcess]]:
    """Makes hubs, not yet started, each with a copy of that database."""
    made: list[HubProcess] = []

    def make(
        kind: type[HubProcess] = HubProcess, *, directory: Path | None = None, **options: str
    ) -> HubProcess:
        directory = directory or tmp_path / f"hub{len(made)}"
        directory.mkdir(exist_ok=True)
        made.append(kind("uvicorn", directory, **options).copy_of(prepared))
        return made[-1]

    yield make
    for hub in made:
        hub.close()


def need(what: object, how: str) -> None:
    """Skip a test that lacks something of the system; where all of it has to be there, fail."""
    if what:
        return
    if os.environ.get("TASKHUB_REQUIRE_SERVICES") == "1":
        pytest.fail(how)
    pytest.skip(how)


@pytest.fixture
def strace() -> None:
    """The tracer."""
    need(STRACE, "strace is not installed: apt-get install strace")
    tried = subprocess.run(["strace", "-f", "true"], capture_output=True, text=True, check=False)
    need(tried.returncode == 0, f"strace may not trace here: {tried.stderr}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room, mounted."""
    directory = tmp_path / "disk"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    need(done.returncode == 0, f"mounting a tmpfs needs root and mount(8): {done.stderr}")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture
def faketime() -> None:
    """The library that shifts a process's clock."""
    need(LIBRARY.exists(), f"{LIBRARY} is not there: apt-get install faketime")
