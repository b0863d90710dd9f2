"""One hub for each database: one process holds the open tasks."""

import fcntl
import os
from pathlib import Path
from typing import Protocol

import psycopg


class LockHeld(Exception):  # noqa: N818
    """Another hub uses this database; the message names its process."""


class Lock(Protocol):
    """Held by the one hub of a database; gone with its process."""

    def acquire(self) -> None:
        """Take the lock. Raises LockHeld."""

    def release(self) -> None:
        """Let go."""


class FileLock:
    """An advisory lock (flock) on a file beside the database.

    The system lets go of it when the process dies.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises LockHeld."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise LockHeld(
                f"Another hub (process {holder}) holds {self._path}. "
                "Stop it first, or give this one a TASKHUB_DATA_DIR of its own."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def release(self) -> None:
        """Let go; the file stays, since removing it would race with the next one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SessionLock:
    """An advisory lock in PostgreSQL, held by a connection of its own.

    The server lets go of it when the connection ends.
    """

    #: advisory locks are numbers, and belong to one database
    NUMBER = 0x7461736B687562

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def acquire(self) -> None:
        """Part of ``Lock``. Raises LockHeld, also when the server cannot be reached."""
        try:
            connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, application_name="taskhub-lock"
            )
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (self.NUMBER,)).fetchone()
        except psycopg.Error as error:
            raise LockHeld(
                f"PostgreSQL cannot be reached ({type(error).__name__}). Start it, or correct "
                "DATABASE_URL."
            ) from None
        if row is None or not row[0]:
            connection.close()
            raise LockHeld(
                "Another hub holds this PostgreSQL database. Stop it first, or give this one a "
                "DATABASE_URL of its own."
            )
        self._connection = connection

    def release(self) -> None:
        """Part of ``Lock``."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
