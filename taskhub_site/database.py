"""Django's settings of the one database, from what the environment says of it."""

from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from taskhub_site.environment import Environment, InvalidSetting

#: Connections that the pages and the API of one process may hold at a time.
MAX_POOLED = 8


def database_settings(environment: Environment) -> dict[str, Any]:
    """`DATABASES["default"]`. Raises InvalidSetting."""
    if environment.database_url is None:
        require_directory_of(environment.database_path)
        return _sqlite(environment)
    return _postgres(environment.database_url)


def _postgres(url: str) -> dict[str, Any]:
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # A thread of the ASGI server lives as long as its request: connections are lent.
            "pool": {"min_size": 0, "max_size": MAX_POOLED, "timeout": 10},
            "options": (
                "-c statement_timeout=20s -c lock_timeout=10s "
                "-c idle_in_transaction_session_timeout=20s"
            ),
            "application_name": "taskhub-site",
            "connect_timeout": 5,
            **parts,
        },
        "CONN_HEALTH_CHECKS": True,
    }


def _sqlite(environment: Environment) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": environment.database_path,
        # A connection kept by a thread of the ASGI server may be one nobody ever closes.
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # Writers queue at BEGIN. A transaction that starts by reading and writes later fails
            # at once when another wrote in between, whatever the timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                f"PRAGMA journal_mode=WAL; PRAGMA synchronous={environment.sqlite_synchronous}"
            ),
        },
        # A file, as in life: SQLite in memory knows no WAL, and other threads cannot open it.
        "TEST": {"NAME": environment.data_dir / "test.sqlite3"},
    }


def require_directory_of(database_path: Path) -> None:
    """Refuse a database whose directory is missing: SQLite only says "unable to open"."""
    if not database_path.parent.is_dir():
        raise InvalidSetting(
            f"DATABASE_URL puts the database into {database_path.parent}, which is not a "
            "directory. Create it or correct the path, which is always absolute."
        )
