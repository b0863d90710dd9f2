"""What an operator reads of a hub's life: who came and went and why, and no line for a task."""

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.hub_process import HubProcess
from tests.observability.conftest import Start
from tests.peers import V1Peer


def told(hub: HubProcess) -> list[dict[str, Any]]:
    """The hub's own lines."""
    records = [json.loads(line) for line in hub.log_since(0).splitlines()]
    return [record for record in records if record["logger"].startswith("hub.")]


async def check_story(hub: HubProcess, tasks: int = 20) -> None:
    """Start, a stranger, two connections that work and end in two ways, and the stop."""
    with pytest.raises(InvalidStatus):
        await V1Peer(hub.url, "web", "wrong").connect()
    async with V1Peer(hub.url, "a", hub.keys["a"]) as stays:
        async with V1Peer(hub.url, "web", hub.keys["web"]) as leaves:
            await stays.request("sub", action="mail:send")
            init = {"cmd": "pub", "event": "init", "payload": 1, "action": "mail:send"}
            for number in range(tasks):
                await leaves.send({**init, "eventId": f"i{number}", "taskId": f"t{number}"})
                await stays.task_until(f"t{number}", "init")
                await stays.event(f"t{number}", "success", result=1)
                await leaves.task_until(f"t{number}")
            await leaves.request("sub", action="mail:send")  # which it may not
        assert hub.terminate() == 0
    story = told(hub)
    assert [record["event"] for record in story] == [
        *("hub_started", "hub_listening", "wrong_key", "connection_opened", "connection_opened"),
        *("command_forbidden", "connection_closed", "hub_draining"),
        *("connection_closed", "hub_stopped"),
    ]
    wrong, first, second, forbidden, left, drained, cut = story[2:9]
    assert (wrong["name"], wrong["address"]) == ("web", "127.0.0.1")
    assert (first["client"], second["client"], first["protocol"]) == ("a", "web", "taskhub.v1")
    assert forbidden["connection"] == second["connection"] == left["connection"]
    assert (left["code"], left["by"]) == (1000, "peer")
    assert (drained["connections"], drained["open_tasks"]) == (1, 0)
    assert (cut["client"], cut["code"], cut["by"]) == ("a", 1012, "hub")


async def test_the_story_of_a_hub(start: Start) -> None:
    await check_story(start())


async def test_that_check_sees_a_line_for_each_task(start: Start) -> None:
    with pytest.raises(AssertionError):
        await check_story(start("line_for_each_task"))
