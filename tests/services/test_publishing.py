"""Programs without a socket publish, wait and cancel, by the rules of the wire."""

import pytest

from hub import services
from hub.core.access import access
from hub.core.errors import Code, Rejection
from hub.services import NewTask, task_cancel, task_publish
from tests.services.conftest import HubHere

WEB = access("web", pub=["mail"])
LONG = {"start_timeout": 60_000, "end_timeout": 120_000}


def test_a_task_is_published_and_its_end_waited_for(hub: HubHere) -> None:
    service = hub.service("mail", event="success", result={"sent": True})
    done = task_publish(access=WEB, task=NewTask(action="mail:send", payload='{"to": 1}'), wait_s=9)
    assert (done.repeated, done.ended) == (False, True)
    init = service.hears(event="init")
    assert (init["taskId"], init["payload"], init["by"]) == (done.task_id, {"to": 1}, "web")


def test_without_waiting_it_is_stored_when_it_returns(hub: HubHere) -> None:
    done = task_publish(access=WEB, task=NewTask(action="mail:send", **LONG))
    assert not done.ended
    stored = hub.run(lambda: hub.runtime.inside.load(done.task_id))
    assert stored is not None
    assert (stored.publisher, stored.action, stored.start_timeout) == ("web", "mail:send", 60_000)
