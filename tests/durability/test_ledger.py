"""The comparison of what was told with what is stored: it finds each kind of damage."""

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.durability.kills import TIMINGS, kill_often
from tests.durability.ledger import DATABASE, Ledger, check
from tests.hub_process import HubProcess

#: What is done to the rows of a good run, and what has to be found.
DAMAGE = {
    "PRAGMA user_version = 0": None,
    "UPDATE hub_task SET task_id = 'other' WHERE id = 9": "was told of and is not stored",
    "DELETE FROM hub_task_event WHERE task = {told} AND seq = 2": "told and not stored",
    "UPDATE hub_task_event SET body = '[]' WHERE task = {told} AND kind = 'init'": "sent as",
    "UPDATE hub_task_event SET at = at + 1 WHERE task = {told} AND kind = 'end'": "told as",
    "DELETE FROM hub_task_event WHERE task = {told} AND seq = 1": "cannot be read",
    "UPDATE hub_task_event SET seq = 99 WHERE task = {told} AND kind = 'end'": "has events",
    "DELETE FROM hub_task_event WHERE task = {told} AND kind = 'end'": "has not ended",
    "UPDATE hub_task_event SET kind = 'start' WHERE task = {told} AND seq = 1": "went",
    "UPDATE hub_task SET ended_at = ended_at + 1 WHERE id = {told}": "and folds to",
    "UPDATE hub_task SET outcome = 'fail' WHERE id = {told}": "and folds to",
    "UPDATE hub_participation SET state = 'lost' WHERE task = {told}": "who was last",
    "UPDATE hub_participation SET state = 'dropped', body = NULL WHERE task = {told}": "ended by",
    "UPDATE hub_task_event SET event_id = 'x' WHERE task = {told} AND seq < 3": "more than once",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, prepared: HubProcess) -> tuple[Path, Ledger]:
    """A hub's database after a kill, and the ledger of its clients."""
    directory = tmp_path_factory.mktemp("run")
    hub = HubProcess("uvicorn", directory, **TIMINGS).copy_of(prepared)
    ledger = Ledger()
    try:
        asyncio.run(kill_often(hub, directory / "dead", seed="ledger", kills=1, ledger=ledger))
    finally:
        hub.close()
    return directory / DATABASE, ledger


@pytest.mark.parametrize(("sql", "found"), DAMAGE.items())
def test_damage_is_found(
    run: tuple[Path, Ledger], tmp_path: Path, sql: str, found: str | None
) -> None:
    path, ledger = run
    copy = Path(shutil.copy(path, tmp_path / DATABASE))
    with closing(sqlite3.connect(copy)) as database, database:
        query = "SELECT min(task) FROM hub_participation WHERE state = 'succeeded'"
        (told,) = database.execute(query).fetchone()
        database.execute(sql.format(told=told))
    if found is None:
        check(ledger, copy, ended=True)
        return
    with pytest.raises(AssertionError, match=re.escape(found)):
        check(ledger, copy, ended=True)
