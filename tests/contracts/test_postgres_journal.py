"""What only the PostgreSQL driver has to show: several writers, and connections that are lost."""

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from hub.core.facts import Event
from hub.core.values import EventKind
from hub.journal import postgres
from hub.journal.port import JournalFailed
from hub.journal.postgres import PostgresJournal
from hub.lock import LockHeld, SessionLock
from tests.contracts.test_journal import Source
from tests.postgres import PostgresDatabase


def connections_of(database: PostgresDatabase, name: str = "taskhub") -> list[int]:
    """Server processes that serve a hub."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
    with psycopg.connect(database.url, autocommit=True) as connection:
        return [row[0] for row in connection.execute(query, (database.name, name))]


def cut(database: PostgresDatabase, name: str = "taskhub") -> None:
    """End all connections of hubs, as a restart of the server does."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        for pid in connections_of(database, name):
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_missing_server_names_the_setting_and_no_password() -> None:
    journal = PostgresJournal("postgresql://me:hush@127.0.0.1:1/hub")
    with pytest.raises(JournalFailed, match="DATABASE_URL") as failed:
        journal.open()
    assert "hush" not in f"{failed.value!r} {failed.value.__cause__!r}"
    journal.close()


def test_missing_tables_name_the_command(postgres_server: str) -> None:
    journal = PostgresJournal(postgres_server)
    with pytest.raises(JournalFailed, match=r"does not exist.*manage\.py migrate"):
        journal.open()
    journal.close()


def test_a_task_that_has_moved_on_is_left_out_alone(postgres_journal: PostgresJournal) -> None:
    source = Source()
    postgres_journal.commit(source.init("t"))
    first, second = source.report("t", "start"), source.report("t", "update", "1")
    assert postgres_journal.commit(second + source.init("new")) == frozenset({1})
    assert postgres_journal.load("new") is not None
    assert [e.seq for e in postgres_journal.events(1, 1, 9)] == [1]
    assert postgres_journal.commit(first) == frozenset()
    assert postgres_journal.commit(second) == frozenset()


def test_of_two_writers_one_settles(
    postgres_journal: PostgresJournal, postgres_database: PostgresDatabase
) -> None:
    other = PostgresJournal(postgres_database.url)
    source = Source()
    for number in range(30):
        postgres_journal.commit(source.init(f"t{number}"))
    by_a, by_b = Source(2), Source(3)
    for each in (by_a, by_b):
        for number in range(30):
            each.init(f"t{number}")
    refused: list[frozenset[int]] = []
    together = threading.Barrier(2)

    def settle(journal: PostgresJournal, each: Source, order: Sequence[int], by: str) -> None:
        facts = [f for n in order for f in each.report(f"t{n}", "success", '"x"', by=by)]
        together.wait(10)
        refused.append(journal.commit(facts))

    # In opposite orders: two batches must not wait for each other.
    threads = [
        threading.Thread(target=settle, args=(postgres_journal, by_a, range(30), "a")),
        threading.Thread(target=settle, args=(other, by_b, range(29, -1, -1), "b")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    other.close()
    assert len(refused) == 2
    assert not refused[0] & refused[1]
    assert refused[0] | refused[1] == frozenset(range(1, 31))
    for number in range(30):
        task = postgres_journal.load(f"t{number}")
        assert task is not None
        kinds = [e.kind for e in postgres_journal.events(task.key, 1, 99)]
        assert kinds.count(EventKind.SUCCESS) == 1


def test_a_lost_connection_is_made_anew(
    postgres_journal: PostgresJournal, postgres_database: PostgresDatabase
) -> None:
    source = Source()
    postgres_journal.commit(source.init("t"))
    cut(postgres_database)
    assert postgres_journal.commit(source.report("t", "start")) == frozenset()
    cut(postgres_database)
    assert postgres_journal.load("t") is not None
    assert len(connections_of(postgres_database)) == 1


def test_a_batch_whose_answer_was_lost_is_not_written_twice(
    postgres_journal: PostgresJournal,
    postgres_database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source()
    postgres_journal.commit(Source(2, last_key=100).init("taken"))
    commit, calls = postgres._commit, 0

    def lose_the_answer(connection: Any, rows: Any) -> frozenset[int]:
        nonlocal calls
        calls += 1
        refused = commit(connection, rows)
        if calls == 1:
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return refused

    monkeypatch.setattr(postgres, "_commit", lose_the_answer)
    facts = source.init("t") + source.report("t", "start") + source.init("taken")
    assert postgres_journal.commit(facts) == frozenset({2})
    assert calls == 1
    stored = [f for f in facts if isinstance(f, Event) and f.task == 1]
    assert postgres_journal.events(1, 1, 9) == stored


def test_a_second_hub_is_kept_away(postgres_database: PostgresDatabase) -> None:
    first, second = SessionLock(postgres_database.url), SessionLock(postgres_database.url)
    first.acquire()
    with pytest.raises(LockHeld, match="Another hub"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_lock_on_a_missing_server_tells_no_password() -> None:
    with pytest.raises(LockHeld, match="DATABASE_URL") as held:
        SessionLock("postgresql://me:hush@127.0.0.1:1/hub").acquire()
    assert "hush" not in repr(held.value)
