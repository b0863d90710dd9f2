"""One hub for each database: SQLite has one writer, and one process holds the tasks."""

import fcntl
import os
from pathlib import Path


class LockHeld(Exception):  # noqa: N818
    """Another hub uses this database; the message names its process."""


class ProcessLock:
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
