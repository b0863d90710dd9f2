"""A scripted hub for every test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.client.fake_hub import FakeHub, fake_hub


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with fake_hub() as hub:
        yield hub
