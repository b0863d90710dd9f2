"""A person in front of a real hub, under both servers; and what a load balancer is told."""

import asyncio
import http.client
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from taskhub import Client

from tests.hub_process import SERVERS, HubProcess
from tests.peers import V1Peer
from tests.raw_peer import Peer
from tests.services.conftest import eventually
from tests.services.person import Person

PASSWORD = "a-long-password-of-ada"
LONG = {"startTimeout": 60_000, "endTimeout": 120_000}
Start = Callable[..., HubProcess]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    hub = HubProcess("uvicorn", tmp_path_factory.mktemp("prepared")).prepare()
    hub.superuser("ada", PASSWORD)
    return hub


@pytest.fixture
def start(prepared: HubProcess, tmp_path: Path) -> Iterator[Start]:
    """Starts hubs that end with the test."""
    started: list[HubProcess] = []

    def begin(server: str = "uvicorn", **env: str) -> HubProcess:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(HubProcess(server, directory, **env).copy_of(prepared))
        return started[-1].start()

    yield begin
    for hub in started:
        hub.close()


@pytest.fixture(params=SERVERS)
async def hub(request: pytest.FixtureRequest, start: Start) -> AsyncIterator[HubProcess]:
    one = start(request.param)
    yield one
    assert one.troubles() == ""


async def as_ada(hub: HubProcess) -> Person:
    return await asyncio.to_thread(Person, hub.port, "ada", PASSWORD)


def peer(hub: HubProcess, name: str) -> V1Peer:
    return V1Peer(hub.url, name, hub.keys[name])


def ask(
    hub: HubProcess, path: str, *, method: str = "GET", host: str = "10.0.0.1"
) -> tuple[int, str]:
    """Status and body, of a request that names this host."""
    line = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    try:
        line.request(method, path, headers={"Host": host})
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    finally:
        line.close()


async def publish(web: V1Peer, task_id: str) -> None:
    init = {"event": "init", "eventId": f"i-{task_id}", "action": "mail:send", "payload": 1}
    await web.send({"cmd": "pub", "taskId": task_id, **init, **LONG})
    await heard(web, task_id, "init")


async def heard(peer: Peer, task_id: str, event: str) -> dict[str, Any]:
    def is_it(message: dict[str, Any]) -> bool:
        return message.get("taskId") == task_id and message.get("event") == event

    return (await peer.collect(is_it))[-1]


def told(hub: HubProcess) -> list[dict[str, Any]]:
    """What the log says of operators."""
    lines = [json.loads(line) for line in hub.log_since(0).splitlines() if '"operator' in line]
    return [line for line in lines if line["event"] == "operator_action"]


async def test_a_person_cancels_publishes_again_and_disconnects(hub: HubProcess) -> None:
    async with peer(hub, "a") as service, peer(hub, "web") as web:
        await service.send({"cmd": "sub", "action": "mail"})
        await service.next_message()
        await publish(web, "t-1")
        await heard(service, "t-1", "init")
        ada = await as_ada(hub)
        page = await asyncio.to_thread(ada.act, "task", "cancel", "t-1")
        assert "Cancelled: t-1." in page
        fail = await heard(service, "t-1", "fail")
        assert fail["reason"]["message"] == "Cancelled by operator ada."
        page = await asyncio.to_thread(ada.act, "task", "publish_again", "t-1")
        (new,) = re.findall(r'Published again: t-1 as <a href="/tasks/([^/]+)/">', page)
        again = await heard(service, new, "init")
        assert (again["by"], again["payload"]) == ("web", 1)
        connection = service.welcome["connectionId"]
        await asyncio.to_thread(eventually, lambda: connection in ada.get(CONNECTIONS))
        page = await asyncio.to_thread(ada.act, "connection", "disconnect", connection)
        assert f"Disconnected: {connection} of a." in page
        why = (await service.collect(lambda message: message.get("status") == "error"))[-1]
        assert (why["code"], why["retry"], why["close"]) == ("unavailable", True, 4503)
        assert await service.closed() == 4503
    assert [(line["operator"], line["what"], line["outcome"]) for line in told(hub)] == [
        ("ada", "cancel", "done"),
        ("ada", "again", "done"),
        ("ada", "disconnect", "done"),
    ]
    assert told(hub)[1]["new_task_id"] == new
    assert told(hub)[2]["client"] == "a"


CONNECTIONS = "/admin/hub/connection/"


async def test_the_client_library_comes_back_and_says_who_it_is(start: Start) -> None:
    hub = start()
    done = asyncio.Event()
    async with Client(hub.url, name="a", key=hub.keys["a"]) as client:

        @client.sub("mail")
        async def send(job: Any) -> str:
            done.set()
            return "sent"

        serving = asyncio.create_task(client.serve())
        ada = await as_ada(hub)
        await asyncio.to_thread(eventually, lambda: "taskhub/" in ada.get(CONNECTIONS))
        connection = re.findall(r"connection/([0-9a-f]+)/change", ada.get(CONNECTIONS))[0]
        await asyncio.to_thread(ada.act, "connection", "disconnect", connection)
        async with peer(hub, "web") as web:
            await publish(web, "t-1")
            await heard(web, "t-1", "success")
        assert done.is_set()
        serving.cancel()
    assert "4503" in hub.log_since(0)


async def test_under_daphne_the_first_thing_that_is_done_starts_the_hub(start: Start) -> None:
    hub = start("daphne")
    async with peer(hub, "web") as web:
        await publish(web, "t-1")
    hub.restart()
    mark = hub.log_size()
    ada = await as_ada(hub)
    page = await asyncio.to_thread(ada.act, "task", "cancel", "t-1")
    assert "Cancelled: t-1." in page
    assert "hub_started" in hub.log_since(mark)


@pytest.mark.parametrize("server", SERVERS)
def test_health_is_told_to_anybody_by_any_name_without_tls(server: str, start: Start) -> None:
    hub = start(server, TASKHUB_HTTPS="1")
    assert ask(hub, "/healthz") == (200, '{"alive": true}')
    assert ask(hub, "/readyz") == (200, '{"ready": true, "reasons": []}')
    assert ask(hub, "/readyz", method="HEAD") == (200, "")
    assert ask(hub, "/admin/")[0] == 400, "Django knows the names of this hub"
    assert ask(hub, "/admin/", host="localhost")[0] == 301, "and leads to https"


def test_a_hub_that_takes_no_tasks_is_not_ready(start: Start) -> None:
    hub = start(TASKHUB_MIN_FREE_DISK_BYTES=str(2**50))
    eventually(lambda: ask(hub, "/readyz")[0] == 503)
    assert json.loads(ask(hub, "/readyz")[1])["reasons"] == [
        "The hub's disk is nearly full; new tasks are not taken for now."
    ]
    assert ask(hub, "/healthz")[0] == 200
