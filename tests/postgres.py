"""A PostgreSQL database for tests: made, migrated, and dropped at the end of the run.

Import the fixtures where they are needed: ``postgres_server``, ``postgres_database``,
``on_postgres``. The server is looked for on localhost:5432 as user postgres without a password.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

HOST, PORT, USER = "localhost", 5432, "postgres"
_SERVER = f"postgresql://{USER}@{HOST}:{PORT}/postgres"
#: The tables of the hub, in an order in which they can be emptied.
HUB_TABLES = (
    *("hub_task_event", "hub_participation", "hub_task"),
    *("hub_again", "hub_rollup", "hub_connection", "hub_meta"),
)


@dataclass(frozen=True)
class PostgresDatabase:
    """One database of this test run."""

    name: str

    @property
    def url(self) -> str:
        """For psycopg, and for ``DATABASE_URL``."""
        return f"postgresql://{USER}@{HOST}:{PORT}/{self.name}"

    @contextmanager
    def copy(self, name: str) -> Iterator["PostgresDatabase"]:
        """Another one with the same rows, dropped at the end; nobody may use this one meanwhile."""
        made = PostgresDatabase(name)
        with psycopg.connect(_SERVER, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name} TEMPLATE {self.name}")
        try:
            yield made
        finally:
            with psycopg.connect(_SERVER, autocommit=True) as server:
                server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def empty(self) -> None:
        """Delete all rows of the hub."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"TRUNCATE {', '.join(HUB_TABLES)}")

    @contextmanager
    def as_default(self, blocker: DjangoDbBlocker) -> Iterator[None]:
        """Django's default database is this one, in this thread."""
        options = {"HOST": HOST, "PORT": PORT, "USER": USER, "NAME": self.name}
        engine = "django.db.backends.postgresql"
        made = ConnectionHandler({"default": {"ENGINE": engine, **options}})["default"]
        before = connections["default"]
        connections["default"] = made
        try:
            with blocker.unblock():
                yield
        finally:
            made.close()
            connections["default"] = before


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a server on which databases can be made; skips where there is none."""
    url = _SERVER
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        missing = (
            f"This test needs PostgreSQL on {HOST}:{PORT} with user {USER} and no password. "
            "Start it, for example: docker run -e POSTGRES_HOST_AUTH_METHOD=trust "
            f"-p {PORT}:5432 postgres:15"
        )
        if os.environ.get("TASKHUB_REQUIRE_SERVICES") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return url


@pytest.fixture(scope="session")
def postgres_database(
    postgres_server: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[PostgresDatabase]:
    """A database with the tables that the migrations make, in a locale unlike byte order."""
    database = PostgresDatabase(f"taskhub_test_{os.getpid()}")
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")
        server.execute(
            f"CREATE DATABASE {database.name} TEMPLATE template0 ENCODING 'UTF8' "
            "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
        )
        try:
            with database.as_default(django_db_blocker):
                call_command("migrate", verbosity=0)
            yield database
        finally:
            server.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")


@pytest.fixture
def on_postgres(
    postgres_database: PostgresDatabase, django_db_blocker: DjangoDbBlocker
) -> Iterator[PostgresDatabase]:
    """Django reads and writes there, and finds no rows of the hub at first."""
    postgres_database.empty()
    with postgres_database.as_default(django_db_blocker):
        yield postgres_database
