"""The journal on SQLite: one writer, one transaction and one sync for a batch.

Django's migrations make the tables; this driver opens the file itself, since the hot
path can afford no ORM. WAL lets readers read while the writer writes.
"""

import secrets
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import msgspec

from hub.core.facts import Event, Fact
from hub.core.presence import Presence
from hub.core.task import Task, restore
from hub.journal import sums
from hub.journal.port import JournalFailed
from hub.journal.restored import event_of, participant_of
from hub.journal.rows import Row, rows_of
from hub.journal.statements import for_rows, statements

_WRITE = statements("write.sql")
_READ = statements("read.sql")

BUSY_TIMEOUT_S = 20
#: Rows in one statement: powers of two, so that few texts fill the statement cache.
MAX_ROWS = 256
#: Pages in the WAL before it is folded into the database: 16 MiB.
CHECKPOINT_PAGES = 4_096


class SqliteJournal:
    """Part of ``Journal``. Connections are made for each thread that asks, and kept."""

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        self._path = path
        self._synchronous = synchronous
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []

    # Opening and closing

    def open(self) -> None:
        """Part of ``Journal``."""
        try:
            self._reading.execute(_READ["last_key"])
        except sqlite3.Error as error:
            raise JournalFailed(
                f"The history in {self._path} cannot be read ({error}). If its tables are missing, "
                "make them with: manage.py migrate; if its disk is full, make room."
            ) from error

    def close(self) -> None:
        """Part of ``Journal``."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        self._local = threading.local()

    @property
    def _writing(self) -> sqlite3.Connection:
        return self._connection("writing", self._connect_to_write)

    @property
    def _reading(self) -> sqlite3.Connection:
        return self._connection("reading", self._connect_to_read)

    def _connection(
        self, role: str, connect: Callable[[], sqlite3.Connection]
    ) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, role, None)
        if found is None:
            found = connect()
            setattr(self._local, role, found)
            with self._lock:
                self._connections.append(found)
        return found

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        connection.row_factory = sqlite3.Row
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Each thread has its own; only close() is called from another one.
        # Never made here: only the migrations make tables.
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, rolled back whatever goes wrong. Raises JournalFailed."""
        try:
            connection = self._writing
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise JournalFailed(f"cannot begin to write: {error}") from error
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back(connection)
            if isinstance(error, sqlite3.Error):
                raise JournalFailed(f"cannot write: {error}") from error
            raise

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # Closed, it lets go of its transaction; kept, it would fail every later batch.
            with self._lock:
                self._connections.remove(connection)
            del self._local.writing
            connection.close()

    # Writing

    def commit(self, facts: Sequence[Fact]) -> frozenset[int]:
        """Part of ``Journal``."""
        rows = rows_of(facts)
        with self._transaction() as connection:
            refused: frozenset[int] = frozenset()
            if _write(connection, "insert_tasks", rows.new_tasks) < len(rows.new_tasks):
                refused = _refused(connection, rows.new_tasks)
                rows.drop(refused)
            if _write(connection, "change_tasks", rows.changed_tasks) != len(rows.changed_tasks):
                raise JournalFailed("a task is not at the version it was decided at")
            _write(connection, "insert_events", rows.events)
            _write(connection, "insert_participants", rows.new_participants)
            changed = rows.changed_participants
            if _write(connection, "change_participants", changed) != len(changed):
                raise JournalFailed("a participant that changed is not stored")
            if _write(connection, "move_windows", rows.windows) != len(rows.windows):
                raise JournalFailed("a task whose start window moved is not stored")
        return refused

    def record_presence(
        self, opened: Sequence[Presence], closed: Sequence[str], lease_until: int
    ) -> None:
        """Part of ``Journal``."""
        rows: list[Row] = [
            (p.connection, p.client, p.address, p.protocol, p.agent, p.since, lease_until)
            for p in opened
        ]
        with self._transaction() as connection:
            _write(connection, "close_connections", [(connection_id,) for connection_id in closed])
            connection.execute(_READ["renew_leases"], (lease_until,))
            _write(connection, "open_connections", rows)

    def sweep_presence(self) -> None:
        """Part of ``Journal``."""
        with self._transaction() as connection:
            connection.execute(_READ["sweep_connections"])

    def prune(self, ended_before: int, limit: int) -> int:
        """Part of ``Journal``."""
        with self._transaction() as connection:
            found = connection.execute(_READ["ended_tasks"], (ended_before, limit)).fetchall()
            keys = _json_list(key for (key,) in found)
            for name in ("delete_again", "delete_events", "delete_participants", "delete_tasks"):
                connection.execute(_READ[name], (keys,))
            if len(found) < limit:
                connection.execute(_READ["delete_again_alone"], (ended_before,))
        return len(found)

    def tally(self, until: int, limit: int) -> sums.Tally:
        """Part of ``Journal``."""
        with self._snapshot():
            return sums.tally(self._reading.execute, until, limit)

    def add_sums(self, made: sums.Tally) -> bool:
        """Part of ``Journal``."""
        with self._transaction() as connection:
            return sums.add(connection.execute, made)

    def rewind_sums(self, to: int) -> None:
        """Part of ``Journal``."""
        with self._transaction() as connection:
            sums.rewind(connection.execute, to)

    def prune_sums(self, hours_before: int | None) -> bool:
        """Part of ``Journal``."""
        with self._transaction() as connection:
            return sums.prune(connection.execute, hours_before)

    def epoch(self) -> str:
        """Part of ``Journal``."""
        with self._transaction() as connection:
            connection.execute(_READ["make_epoch"], (secrets.token_hex(8),))
            (value,) = connection.execute(_READ["epoch"]).fetchone()
        return str(value)

    # Reading

    def last_key(self) -> int:
        """Part of ``Journal``."""
        return int(self._rows("last_key")[0][0])

    def load(self, task_id: str) -> Task | None:
        """Part of ``Journal``."""
        # One snapshot: a commit or a prune between the reads would tear the task.
        with self._snapshot():
            found = self._rows("task", task_id)
            if not found:
                return None
            task = found[0]
            events = self._rows("task_events", task["id"])
            participants = self._rows("task_participants", task["id"])
        return _task(task, events, participants)

    def load_open(self) -> list[Task]:
        """Part of ``Journal``."""
        with self._snapshot():
            tasks = self._rows("open_tasks")
            events = _by_task(self._rows("open_events"))
            participants = _by_task(self._rows("open_participants"))
        return [_task(task, events[task["id"]], participants[task["id"]]) for task in tasks]

    def events(self, task: int, from_seq: int, limit: int) -> list[Event]:
        """Part of ``Journal``."""
        page = self._rows("event_page", task, from_seq, limit)
        if not page:
            return []
        made = self._rows("task_by_key", task)[0] if page[0]["seq"] == 1 else None
        return [event_of(row, row["task_name"], made) for row in page]

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        try:
            self._reading.execute("BEGIN")
            yield
        except sqlite3.Error as error:
            raise JournalFailed(f"cannot read: {error}") from error
        finally:
            if self._reading.in_transaction:
                self._reading.execute("COMMIT")

    def _rows(self, name: str, *parameters: object) -> list[sqlite3.Row]:
        try:
            return self._reading.execute(_READ[name], parameters).fetchall()
        except sqlite3.Error as error:
            raise JournalFailed(f"cannot read: {error}") from error


def _write(connection: sqlite3.Connection, name: str, rows: Sequence[Row]) -> int:
    """Run a statement over all rows, in a few executions; how many rows it touched."""
    statement, touched, start = _WRITE[name], 0, 0
    while start < len(rows):
        size = min(MAX_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
        chunk = rows[start : start + size]
        text = for_rows(statement, len(chunk[0]), size)
        touched += connection.execute(text, tuple(chain.from_iterable(chunk))).rowcount
        start += size
    return touched


def _refused(connection: sqlite3.Connection, new_tasks: Sequence[Row]) -> frozenset[int]:
    keys = {int(str(row[0])) for row in new_tasks}
    stored = connection.execute(_READ["taken"], (_json_list(keys),)).fetchall()
    return frozenset(keys - {key for (key,) in stored})


def _json_list(keys: "Iterator[int] | set[int]") -> str:
    return msgspec.json.encode(list(keys)).decode()


def _by_task(rows: list[sqlite3.Row]) -> defaultdict[int, list[sqlite3.Row]]:
    grouped: defaultdict[int, list[sqlite3.Row]] = defaultdict(list)
    for row in rows:
        grouped[row["task"]].append(row)
    return grouped


def _task(task: sqlite3.Row, events: list[sqlite3.Row], participants: list[sqlite3.Row]) -> Task:
    return restore(
        [event_of(row, task["task_id"], task) for row in events],
        [participant_of(row) for row in participants],
        task["start_deadline"],
    )
