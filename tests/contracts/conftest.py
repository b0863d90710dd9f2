"""Every driver of a port, made by one fixture, so that one suite holds them all to it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.journal.memory import MemoryJournal
from hub.journal.port import Journal
from hub.journal.postgres import PostgresJournal
from hub.journal.sqlite import SqliteJournal
from tests.postgres import PostgresDatabase, postgres_database, postgres_server

__all__ = ["postgres_database", "postgres_server"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file as ``manage.py migrate`` makes it."""
    directory = tmp_path_factory.mktemp("migrated")
    env = {**os.environ, "TASKHUB_DATA_DIR": str(directory)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=env, check=True)
    return directory / "taskhub.sqlite3"


@pytest.fixture
def history_file(migrated: Path, tmp_path: Path) -> Path:
    """A fresh copy of it."""
    return Path(shutil.copy(migrated, tmp_path / "history.sqlite3"))


@pytest.fixture
def sqlite_journal(history_file: Path) -> Iterator[SqliteJournal]:
    """The real driver, on a file of its own."""
    made = SqliteJournal(history_file)
    made.open()
    yield made
    made.close()


@pytest.fixture
def postgres_journal(postgres_database: PostgresDatabase) -> Iterator[PostgresJournal]:
    """The real driver, on a database of this run."""
    postgres_database.empty()
    made = PostgresJournal(postgres_database.url)
    made.open()
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def journal(request: pytest.FixtureRequest) -> Journal:
    """Each driver in turn."""
    makers: dict[str, Callable[[], Journal]] = {
        "memory": MemoryJournal,
        "sqlite": lambda: request.getfixturevalue("sqlite_journal"),
        "postgres": lambda: request.getfixturevalue("postgres_journal"),
    }
    return makers[request.param]()
