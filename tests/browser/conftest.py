"""Chromium, a real hub, people who are signed in, and real traffic."""

import os
import shutil
import string
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.stage import Stage
from tests.hub_process import HubProcess

#: Who looks, and what they may do.
USERS = {
    "admin": ["*"],
    "operator": [
        *("view_task", "view_payload", "cancel_task", "publish_task"),
        *("view_connection", "disconnect_connection"),
    ],
    "reader": ["view_task"],
    # One test takes this away.
    "leaver": ["view_task"],
    "nobody": [],
}
SETTINGS = {
    "TASKHUB_START_TIMEOUT_MS": "5000",
    "TASKHUB_END_TIMEOUT_MS": "120000",
    "TASKHUB_RESUME_GRACE_MS": "60000",
    "TASKHUB_MAX_EVENTS_PER_TASK": "10000",
    # The same for all hubs, or a copied database would have sessions that nobody signed.
    "TASKHUB_SECRET_KEY": string.ascii_letters + string.digits,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for all of them: the browser belongs to the loop it was started in."""
    for item in items:
        if "tests/browser/" in item.path.as_posix() and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    if path is None:
        wanted = "These tests drive a browser: install Debian's package chromium."
        if os.environ.get("TASKHUB_REQUIRE_SERVICES") == "1":
            pytest.fail(wanted)
        pytest.skip(wanted)
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--js-flags=--expose-gc", "--enable-precise-memory-info"]
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """A database with clients and users, to begin with."""
    hub = HubProcess("uvicorn", tmp_path_factory.mktemp("browsed"), **SETTINGS).prepare()
    hub.sign_in(**USERS)
    return hub


def _troubles(hub: HubProcess) -> list[str]:
    """Django tells of each 403 with a traceback."""
    return [line for line in hub.troubles().splitlines() if "Permission denied" not in line]


@pytest.fixture(scope="session")
def shared_hub(
    prepared: HubProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A hub for all tests that do not end it."""
    hub = HubProcess("uvicorn", tmp_path_factory.mktemp("shared"), **SETTINGS).copy_of(prepared)
    try:
        yield hub.start()
    finally:
        hub.close()
    assert _troubles(hub) == []


@pytest.fixture
def own_hub(prepared: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub of a test's own, with the same people."""
    hub = HubProcess("uvicorn", tmp_path_factory.mktemp("own"), **SETTINGS).copy_of(prepared)
    try:
        yield hub.start()
    finally:
        hub.close()
    assert _troubles(hub) == []


@pytest_asyncio.fixture(loop_scope="session")
async def stage(shared_hub: HubProcess, chromium: Browser) -> AsyncIterator[Stage]:
    """The shared hub with a service at work, and a browser to look at it."""
    async with Stage(shared_hub, chromium) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def own_stage(own_hub: HubProcess, chromium: Browser) -> AsyncIterator[Stage]:
    """The same with a hub that the test may end."""
    async with Stage(own_hub, chromium) as stage:
        yield stage
