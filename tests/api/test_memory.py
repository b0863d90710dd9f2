"""An export by pages takes no more memory the longer it is."""

import json
import sqlite3
import time
from pathlib import Path

from tests.api.conftest import Start
from tests.api.http import Api
from tests.hub_process import HubProcess

MIB = 1_048_576
#: In the suite; 100 and 1 were taken by hand.
TASKS, PAYLOAD = 48, MIB // 2


def fill(hub: HubProcess, tasks: int, payload: int) -> None:
    """Ended tasks of one publisher, straight into the rows: nothing else would be as fast."""
    now = int(time.time() * 1000)
    with sqlite3.connect(hub.directory / "taskhub.sqlite3") as database:
        database.execute("PRAGMA busy_timeout=20000")
        body = json.dumps("x" * (payload - 2))
        for key in range(1, tasks + 1):
            database.execute(
                "INSERT INTO hub_task (id, task_id, action, publisher, connection, state, outcome,"
                " seq, created_at, settled_at, ended_at, settled_seq, start_timeout, end_timeout,"
                " start_deadline, end_deadline, settle, expect, claim)"
                " VALUES (?, ?, 'export:me', 'web', 'c', 'end', 'success', 3, ?, ?, ?, 2,"
                " 100, 60000, ?, ?, 'any', 'result', 0)",
                (key, f"t{key}", now, now, now, now + 100, now + 60_000),
            )
            rows = [
                (1, "init", body, "init"),
                (2, "success", "1", "success"),
                (3, "end", None, "end"),
            ]
            for seq, kind, text, state in rows:
                database.execute(
                    "INSERT INTO hub_task_event (task, seq, kind, event_id, at, by, state, body,"
                    " participant) VALUES (?, ?, ?, ?, ?, 'web', ?, ?, 0)",
                    (key, seq, kind, f"e{key}-{seq}", now, state, text),
                )
    database.close()


def rss(hub: HubProcess) -> int:
    """Bytes of memory that the hub's process holds at its most."""
    assert hub.process is not None
    status = Path(f"/proc/{hub.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def export(web: Api) -> tuple[int, int]:
    """Walk all pages with payloads; how many tasks there were, and bytes of payloads."""
    tasks = size = 0
    for page in web.walk("tasks/", "tasks", include="payload", limit=200):
        tasks += len(page)
        size += sum(len(task["payload"]) + 2 for task in page)
    return tasks, size


def test_an_export_takes_no_more_memory_the_longer_it_is(start: Start) -> None:
    hub = start()
    web = Api.of(hub, "web")
    fill(hub, TASKS, PAYLOAD)
    assert web.get("tasks/", include="payload").status == 200
    before = rss(hub)
    assert export(web) == (TASKS, TASKS * PAYLOAD)
    grown = rss(hub) - before
    assert grown < 12 * MIB, f"{grown / MIB:.0f} MiB for {TASKS * PAYLOAD / MIB:.0f} MiB"
