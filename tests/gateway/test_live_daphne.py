"""The live socket of a whole hub under daphne, beside the sockets of clients."""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.hub_process import HubProcess
from tests.peers import V1Peer

TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with somebody who may look."""
    hub = HubProcess("daphne", tmp_path_factory.mktemp("daphne")).prepare()
    hub.sign_in(ada=["view_task"])
    try:
        yield hub.start()
    finally:
        hub.close()


def looking(hub: HubProcess, cookie: str) -> connect:
    return connect(
        f"{hub.url}live/?path=/tasks/&at=",
        additional_headers={"Cookie": f"sessionid={cookie}"},
        origin=Origin(f"http://127.0.0.1:{hub.port}"),
        proxy=None,
    )


async def heard(browser: ClientConnection, fragment: str) -> str:
    """The next batch that has this fragment."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            html: dict[str, str] = json.loads(await browser.recv())["html"]
            if fragment in html:
                return html[fragment]


async def test_a_page_is_kept_up_to_date_and_clients_have_their_sockets(hub: HubProcess) -> None:
    async with looking(hub, hub.keys["ada"]) as browser:
        assert "1 new" not in await heard(browser, "new-tasks")
        async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
            await web.event("t1", "init", action="a:b", payload=None)
            assert "1 new task" in await heard(browser, "new-tasks")
        await browser.send("nonsense")
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(TIMEOUT_S):
                while True:
                    await browser.recv()
        assert browser.close_code == 1008


async def test_a_refusal_is_403_there(hub: HubProcess) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with looking(hub, "made-up"):
            pass
    assert refused.value.response.status_code == 403
