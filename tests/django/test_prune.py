"""``manage.py prune``, on a history of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from hub.journal.sqlite import SqliteJournal
from tests.contracts.conftest import ROOT, history_file, migrated
from tests.contracts.test_journal import Source

__all__ = ["history_file", "migrated"]

DAY_MS = 86_400_000


def prune(path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "prune", *arguments]
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{path}", **env}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_it_deletes_what_is_older_than_the_retention(history_file: Path) -> None:
    journal, source = SqliteJournal(history_file), Source()
    today = time.time_ns() // 1_000_000
    for age in (40, 20, 10):
        source.now = today - age * DAY_MS
        journal.commit(source.done(f"t{age}"))
    source.now = today - 50 * DAY_MS
    journal.commit(source.init("open"))

    assert prune(history_file, TASKHUB_RETENTION_DAYS="0").stdout.startswith("Nothing")
    assert prune(history_file).stdout == "Deleted 1 tasks that ended more than 30 days ago.\n"
    assert "Deleted 1 tasks" in prune(history_file, "--days", "15", "--batch", "1").stdout
    assert [t for t in ("t40", "t20", "t10", "open") if journal.load(t)] == ["t10", "open"]
    journal.close()


def test_errors_name_the_next_step(tmp_path: Path) -> None:
    done = prune(tmp_path / "none.sqlite3")
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
    assert "--batch is at least 1" in prune(tmp_path / "none.sqlite3", "--batch", "0").stderr
