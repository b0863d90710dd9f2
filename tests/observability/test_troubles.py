"""What ``HubProcess.troubles`` takes for a trouble: each error, each traceback, what is no JSON."""

import json
from pathlib import Path

import pytest

from tests.hub_process import HubProcess
from tests.observability.conftest import Start
from tests.peers import V1Peer


def line(**fields: str) -> str:
    return json.dumps({"event": "e", "level": "info", "logger": "x", "timestamp": "t", **fields})


@pytest.mark.parametrize(
    "trouble",
    [
        line(level="error"),
        line(level="critical"),
        line(level="warning", exception="Traceback (most recent call last): …"),
        line(event="Exception inside application:\nTraceback (most recent call last):\n…"),
        "Traceback (most recent call last):",
        "Fatal Python error: Segmentation fault",
        "2026-01-01 00:00:00,000 ERROR hub.pipeline deciding failed",
        "[]",
        "1",
        "{}",
    ],
)
def test_it_is_a_trouble(tmp_path: Path, trouble: str) -> None:
    hub = HubProcess("uvicorn", tmp_path)
    hub.log.write_text(f"{line()}\n{trouble}\n{line(level='warning')}\n")
    assert hub.troubles() == trouble


def test_all_else_is_none(tmp_path: Path) -> None:
    hub = HubProcess("uvicorn", tmp_path)
    hub.log.write_text(
        f"{line()}\n{line(level='warning')}\n\n{line(level='debug', text='error')}\n"
    )
    assert hub.troubles() == ""


async def test_a_hub_that_breaks_inside_has_troubles_and_another_none(start: Start) -> None:
    for sabotage in (None, "broken_core"):
        hub = start(sabotage)
        async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
            event = {"cmd": "pub", "taskId": "t", "eventId": "i", "event": "init"}
            await web.send({**event, "action": "mail:send", "payload": 1})
            await web.task_until("t", "init")
            await web.send({**event, "event": "update", "eventId": "u", "update": 1})
            await web.collect(lambda message: message.get("eventId") == "u")
        hub.terminate()
        assert ("decision_failed" in hub.troubles()) is (sabotage is not None)
        assert bool(hub.troubles()) is (sabotage is not None), hub.troubles()
