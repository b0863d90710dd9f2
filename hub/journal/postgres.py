"""The journal on PostgreSQL: a batch is one statement, one round trip, one sync.

Django's migrations make the tables; this driver speaks to the server itself, on a connection
for each thread that asks. Other processes may write at the same time: what a batch decided upon
a task that has moved on meanwhile is left out as a whole, and named in the answer.
"""

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import psycopg
from psycopg.rows import DictRow, dict_row, tuple_row

from hub.core.facts import Event, Fact
from hub.core.presence import Presence
from hub.core.task import Task, restore
from hub.journal import arrays, sums
from hub.journal.port import JournalFailed
from hub.journal.restored import event_of, participant_of
from hub.journal.rows import Row, Rows, rows_of
from hub.journal.statements import statements

_SQL: dict[str, bytes] = {
    name: text.format(
        new_tasks=arrays.placeholders(arrays.NEW_TASKS),
        changed_tasks=arrays.placeholders(arrays.CHANGED_TASKS),
        windows=arrays.placeholders(arrays.WINDOWS),
        events=arrays.placeholders(arrays.EVENTS),
        new_participants=arrays.placeholders(arrays.NEW_PARTICIPANTS),
        changed_participants=arrays.placeholders(arrays.CHANGED_PARTICIPANTS),
        opened=arrays.placeholders(arrays.OPENED),
    ).encode()
    for name, text in statements("postgres.sql").items()
}

CONNECT_TIMEOUT_S = 5
#: Nothing the hub asks takes long; what does, waits for a lock or for a disk that is gone.
_OPTIONS = (
    "-c statement_timeout=20s -c lock_timeout=10s "
    "-c idle_in_transaction_session_timeout=20s -c client_min_messages=error"
)

#: SQLSTATE of a server that shuts down or ends a connection, and of connections that failed.
_FAREWELLS = ("57P", "08")

Connection = psycopg.Connection[DictRow]
T = TypeVar("T")


class PostgresJournal:
    """Part of ``Journal``. ``url`` may hold a password and appears in no message."""

    def __init__(self, url: str, *, synced: bool = True) -> None:
        self._url = url
        self._options = _OPTIONS if synced else f"{_OPTIONS} -c synchronous_commit=off"
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[Connection] = []

    # Opening and closing

    def open(self) -> None:
        """Part of ``Journal``."""
        try:
            self.last_key()
        except JournalFailed as failed:
            raise JournalFailed(
                f"The history in PostgreSQL cannot be read ({failed}). If the server is not there, "
                "start it or correct DATABASE_URL; if its tables are missing, make them with: "
                "manage.py migrate."
            ) from failed

    def close(self) -> None:
        """Part of ``Journal``."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        self._local = threading.local()

    def _connection(self) -> Connection:
        found: Connection | None = getattr(self._local, "connection", None)
        if found is None or found.closed:
            found = self._connect()
            self._local.connection = found
        return found

    def _connect(self) -> Connection:
        made = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            options=self._options,
            application_name="taskhub",
            row_factory=dict_row,
            # A server that went without a word is noticed, and the batch fails.
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
        made.prepare_threshold = 2
        with self._lock:
            self._connections = [one for one in self._connections if not one.closed] + [made]
        return made

    def _let_go(self) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            self._local.connection = None
            with suppress(psycopg.Error):
                connection.close()

    def _do(self, work: Callable[[Connection], T], *, what: str) -> T:
        """Do this, once more when the connection was lost. Raises JournalFailed.

        So whatever is done here can be done twice.
        """
        try:
            try:
                return work(self._connection())
            except psycopg.OperationalError as error:
                if not self._lost(error):
                    raise
                self._let_go()
                return work(self._connection())
        except psycopg.Error as error:
            if self._lost(error):
                self._let_go()
            raise JournalFailed(f"cannot {what}: {_said(error)}") from error

    def _lost(self, error: psycopg.Error) -> bool:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed or connection.broken:
            return True
        # The server has said farewell, and the driver has not read on to the end yet.
        return (error.sqlstate or "").startswith(_FAREWELLS)

    # Writing

    def commit(self, facts: Sequence[Fact]) -> frozenset[int]:
        """Part of ``Journal``."""
        rows = rows_of(facts)
        tried = False

        def write(connection: Connection) -> frozenset[int]:
            nonlocal tried
            if tried and (stored := _stored(connection, rows)):
                return frozenset(_keys(rows) - stored)
            tried = True
            return _commit(connection, rows)

        return self._do(write, what="write")

    def record_presence(
        self, opened: Sequence[Presence], closed: Sequence[str], lease_until: int
    ) -> None:
        """Part of ``Journal``."""
        rows: list[Row] = [
            (p.connection, p.client, p.address, p.protocol, p.agent, p.since) for p in opened
        ]
        names = [p.connection for p in opened]
        opening = arrays.columns(rows, arrays.OPENED)
        parameters = (list(closed), lease_until, names, lease_until, *opening)
        self._do(lambda c: c.execute(_SQL["record_presence"], parameters), what="write")

    def sweep_presence(self) -> None:
        """Part of ``Journal``."""
        self._do(lambda c: c.execute(_SQL["sweep_connections"]), what="write")

    def prune(self, ended_before: int, limit: int) -> int:
        """Part of ``Journal``."""

        def write(connection: Connection) -> int:
            deleted = connection.execute(_SQL["prune"], (ended_before, limit)).rowcount
            if deleted < limit:
                connection.execute(_SQL["delete_again_alone"], (ended_before,))
            return deleted

        return self._do(write, what="write")

    def tally(self, until: int, limit: int) -> sums.Tally:
        """Part of ``Journal``."""

        def read(connection: Connection) -> sums.Tally:
            with _snapshot(connection):
                return sums.tally(_run(connection), until, limit)

        return self._do(read, what="read")

    def add_sums(self, made: sums.Tally) -> bool:
        """Part of ``Journal``."""
        # Done twice, it finds that the sums have moved: then they hold this tally already.
        return self._in_transaction(lambda run: sums.add(run, made))

    def rewind_sums(self, to: int) -> None:
        """Part of ``Journal``."""
        self._in_transaction(lambda run: sums.rewind(run, to))

    def prune_sums(self, hours_before: int | None) -> bool:
        """Part of ``Journal``."""
        return self._in_transaction(lambda run: sums.prune(run, hours_before))

    def _in_transaction(self, work: Callable[[sums.Run], T]) -> T:
        def write(connection: Connection) -> T:
            with connection.transaction():
                return work(_run(connection))

        return self._do(write, what="write")

    def epoch(self) -> str:
        """Part of ``Journal``."""

        def read(connection: Connection) -> str:
            connection.execute(_SQL["make_epoch"], (secrets.token_hex(8),))
            return str(_rows(connection, "epoch")[0]["value"])

        return self._do(read, what="write")

    # Reading

    def last_key(self) -> int:
        """Part of ``Journal``."""
        return self._do(lambda c: int(_rows(c, "last_key")[0]["key"]), what="read")

    def load(self, task_id: str) -> Task | None:
        """Part of ``Journal``."""

        def read(connection: Connection) -> Task | None:
            # One snapshot: a commit or a prune between the reads would tear the task.
            with _snapshot(connection):
                found = _rows(connection, "task", task_id)
                if not found:
                    return None
                task = found[0]
                events = _rows(connection, "task_events", task["id"])
                participants = _rows(connection, "task_participants", task["id"])
            return _task(task, events, participants)

        return self._do(read, what="read")

    def load_open(self) -> list[Task]:
        """Part of ``Journal``."""

        def read(connection: Connection) -> list[Task]:
            with _snapshot(connection):
                tasks = _rows(connection, "open_tasks")
                events = _by_task(_rows(connection, "open_events"))
                participants = _by_task(_rows(connection, "open_participants"))
            return [_task(task, events[task["id"]], participants[task["id"]]) for task in tasks]

        return self._do(read, what="read")

    def events(self, task: int, from_seq: int, limit: int) -> list[Event]:
        """Part of ``Journal``."""

        def read(connection: Connection) -> list[Event]:
            page = _rows(connection, "event_page", task, from_seq, limit)
            if not page:
                return []
            init = page[0]["seq"] == 1
            made = _rows(connection, "task_by_key", task)[0] if init else None
            return [event_of(row, row["task_name"], made) for row in page]

        return self._do(read, what="read")


def _run(connection: Connection) -> sums.Run:
    """Executes the statements that all databases share, whose parameters are ``?``."""
    cursor = connection.cursor(row_factory=tuple_row)
    return lambda text, parameters: cursor.execute(text.replace("?", "%s").encode(), parameters)


def _rows(connection: Connection, name: str, *parameters: object) -> list[dict[str, Any]]:
    return connection.execute(_SQL[name], parameters).fetchall()


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # a connection that is lost has nothing open
            connection.execute("ROLLBACK")


def _commit(connection: Connection, rows: Rows) -> frozenset[int]:
    parameters = [
        *arrays.columns(rows.new_tasks, arrays.NEW_TASKS),
        *arrays.columns(rows.changed_tasks, arrays.CHANGED_TASKS),
        *arrays.columns(rows.windows, arrays.WINDOWS),
        *arrays.columns(rows.events, arrays.EVENTS),
        *arrays.columns(rows.new_participants, arrays.NEW_PARTICIPANTS),
        *arrays.columns(rows.changed_participants, arrays.CHANGED_PARTICIPANTS),
    ]
    return frozenset(row["id"] for row in connection.execute(_SQL["commit"], parameters))


def _stored(connection: Connection, rows: Rows) -> set[int]:
    """Tasks of a batch of which something is there; none: nothing of it was stored.

    A commit whose answer was lost with its connection may have been carried out.
    """
    # Column by column: task, seq, event id; task, number, connection.
    events = list(zip(*rows.events, strict=True))[:4] or [()] * 4
    joined = list(zip(*rows.new_participants, strict=True))[:4] or [()] * 4
    parameters = [
        list(column)
        for column in (*(events[i] for i in (0, 1, 3)), *(joined[i] for i in (0, 1, 3)))
    ]
    return {row["task"] for row in _rows(connection, "stored", *parameters)}


def _keys(rows: Rows) -> set[int]:
    return {cast("int", row[0]) for row in (*rows.events, *rows.new_participants)}


def _said(error: psycopg.Error) -> str:
    """What the server says, in its first line: the rest may quote rows."""
    said = error.diag.message_primary or type(error).__name__
    return said if error.sqlstate is None else f"{said} ({error.sqlstate})"


def _by_task(rows: list[dict[str, Any]]) -> defaultdict[int, list[dict[str, Any]]]:
    grouped: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["task"]].append(row)
    return grouped


def _task(
    task: dict[str, Any], events: list[dict[str, Any]], participants: list[dict[str, Any]]
) -> Task:
    return restore(
        [event_of(row, task["task_id"], task) for row in events],
        [participant_of(row) for row in participants],
        task["start_deadline"],
    )
