"""Programs without a socket publish, wait and cancel, by the rules of the wire."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hub import runtime as hub_runtime
from hub.core.access import access
from hub.core.errors import Code
from hub.selectors.again import again_as, again_of
from hub.services import NewTask, Operator, task_cancel, task_publish, task_publish_again
from tests.hub_process import ROOT, TIMINGS
from tests.services.conftest import HubHere, eventually, refused

WEB = access("web", pub=["mail"])
OTHER = access("other", pub=["mail"], watch=["mail"])
STRANGER = access("stranger", pub=["*"])
LONG: dict[str, Any] = {"start_timeout": 60_000, "end_timeout": 120_000}
MAIL = NewTask(action="mail:send", payload='{"to": 1.0}', **LONG)
KNOWN = NewTask(action="mail:send", payload="1", task_id="t-1", event_id="e-1", **LONG)


def test_a_task_is_published_and_its_end_waited_for(hub: HubHere) -> None:
    service = hub.service("mail", event="success", result={"sent": True})
    done = task_publish(access=WEB, task=MAIL, wait_s=9)
    assert (done.repeated, done.ended) == (False, True)
    init = service.hears(event="init")
    assert (init["taskId"], init["payload"], init["by"]) == (done.task_id, {"to": 1}, "web")


def test_without_waiting_it_is_stored_when_it_returns(hub: HubHere) -> None:
    done = task_publish(access=WEB, task=MAIL)
    assert not done.ended
    stored = hub.run(lambda: hub.runtime.inside.load(done.task_id))
    assert stored is not None
    assert (stored.publisher, stored.action, stored.init.body) == ("web", "mail:send", MAIL.payload)
    assert (stored.start_timeout, stored.end_timeout) == (60_000, 120_000)


def test_the_same_again_is_a_repeat_and_other_content_is_refused(hub: HubHere) -> None:
    assert not task_publish(access=WEB, task=KNOWN).repeated
    assert task_publish(access=WEB, task=KNOWN).repeated
    other = NewTask(action="mail:send", payload="2", task_id="t-1", event_id="e-1", **LONG)
    with refused(Code.EVENT_CONFLICT):
        task_publish(access=WEB, task=other)
    with refused(Code.DUPLICATE_TASK):
        task_publish(access=OTHER, task=KNOWN)
    task_cancel(task_id="t-1", by=WEB)
    done = task_publish(access=WEB, task=KNOWN, wait_s=5)
    assert (done.repeated, done.ended) == (True, True)


def test_what_may_not_be_published_is_refused(hub: HubHere) -> None:
    with refused(Code.FORBIDDEN):
        task_publish(access=access("web", pub=["sms"]), task=MAIL)
    with refused(Code.BAD_ACTION):
        task_publish(access=WEB, task=NewTask(action="mail"))
    with refused(Code.BAD_FIELD):
        task_publish(access=WEB, task=NewTask(action="mail:send", task_id="no blanks"))
    with refused(Code.BAD_JSON):
        task_publish(access=WEB, task=NewTask(action="mail:send", payload="{"))


def test_tasks_published_so_count_among_the_open_ones_of_the_client(hub: HubHere) -> None:
    most = hub.runtime.limits.max_open_tasks_per_client
    hub.runtime.pipeline.engine.books.open_by_client["web"] = most
    with refused(Code.LIMIT) as caught:
        task_publish(access=WEB, task=MAIL)
    assert caught.value.retry


def test_its_publisher_may_cancel_it_and_nobody_else(hub: HubHere) -> None:
    task_publish(access=WEB, task=KNOWN)
    with refused(Code.FORBIDDEN):
        task_cancel(task_id="t-1", by=OTHER)
    with refused(Code.UNKNOWN_TASK):
        task_cancel(task_id="t-1", by=STRANGER)
    with refused(Code.BAD_JSON):
        task_cancel(task_id="t-1", by=WEB, reason="not json")
    task_cancel(task_id="t-1", by=WEB, reason='"changed my mind"')
    with refused(Code.TASK_ENDED):
        task_cancel(task_id="t-1", by=WEB)


def test_a_client_publishes_again_in_its_own_name_what_it_may_see_and_publish(
    hub: HubHere,
) -> None:
    service = hub.service("mail")
    task_publish(access=WEB, task=KNOWN)
    with refused(Code.UNKNOWN_TASK):
        task_publish_again(task_id="t-1", by=STRANGER)
    with refused(Code.UNKNOWN_TASK):
        task_publish_again(task_id="t-2", by=OTHER)
    with refused(Code.FORBIDDEN):
        task_publish_again(task_id="t-1", by=access("viewer", watch=["*"]))
    assert again_as("t-1") == []
    new = task_publish_again(task_id="t-1", by=OTHER)
    init = service.hears(taskId=new, event="init")
    assert (init["by"], init["payload"], init["startTimeout"]) == ("other", 1, 60_000)
    (row,) = again_as("t-1")
    assert again_of(new) == row
    assert (row.task_id, row.of, row.by) == (new, "t-1", "other")


def test_what_was_refused_is_not_remembered_as_published_again(hub: HubHere) -> None:
    task_publish(access=WEB, task=KNOWN)
    hub.do(hub.runtime.pipeline.engine.refuse_new, "The disk is full.")
    with refused(Code.UNAVAILABLE):
        task_publish_again(task_id="t-1", by=Operator(name="ada"))
    assert again_as("t-1") == []


def test_who_waits_is_let_go_when_the_hub_stops(hub: HubHere) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(task_publish, access=WEB, task=KNOWN, wait_s=60)
        eventually(lambda: hub.runtime.inside._waiting)
        hub.run(hub.runtime.drain)
        done = waiting.result(5)
    assert (done.task_id, done.ended) == ("t-1", False)
    with refused(Code.UNAVAILABLE):
        task_publish(access=WEB, task=MAIL)


def test_on_the_loop_itself_it_would_wait_for_ever_and_says_so(hub: HubHere) -> None:
    async def on_the_loop() -> None:
        task_publish(access=WEB, task=MAIL)

    with pytest.raises(RuntimeError, match="by thread"):
        hub.run(on_the_loop)


def test_where_no_hub_runs_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_runtime._process, "current", None)
    with refused(Code.UNAVAILABLE) as caught:
        task_publish(access=WEB, task=MAIL)
    assert "manage.py runhub" in caught.value.message


def test_many_threads_publish_at_once(hub: HubHere) -> None:
    start = threading.Barrier(16)

    def publish(number: int) -> str:
        start.wait()
        return task_publish(access=WEB, task=MAIL).task_id

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(publish, range(16)))) == 16
    assert hub.runtime.pipeline.engine.books.connections == {}


def test_a_hub_is_killed_while_a_publish_waits_and_the_same_again_finds_it(tmp_path: Path) -> None:
    env = {**os.environ, **TIMINGS, "TASKHUB_DATA_DIR": str(tmp_path)}

    def publishing(*more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.services.publishing", *more]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)

    first = publishing("migrate")
    try:
        eventually(lambda: _stored(tmp_path / "taskhub.sqlite3"), timeout=20)
        first.send_signal(signal.SIGKILL)
        assert first.communicate(timeout=10)[0] == "", "it had no answer"
    finally:
        first.kill()
    again = publishing()
    assert again.communicate(timeout=20)[0].strip() == "repeated=True ended=True"


def _stored(file: Path) -> bool:
    if not file.exists():
        return False
    history = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        return bool(history.execute("SELECT 1 FROM hub_task WHERE task_id = 't-1'").fetchall())
    except sqlite3.OperationalError:  # the tables are being made
        return False
    finally:
        history.close()
