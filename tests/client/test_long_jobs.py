"""Jobs that take longer than the grace of a lost connection, against a real hub."""

import asyncio
from functools import partial
from typing import Any

import pytest
import taskhub
from taskhub._backoff import Backoff

from tests.client.conftest import NewHub
from tests.client.cutting_proxy import cutting_proxy
from tests.hub_process import HubProcess

GRACE_S = 1.5


TIMINGS = {"TASKHUB_RESUME_GRACE_MS": str(int(GRACE_S * 1000)), "TASKHUB_END_TIMEOUT_MS": "60000"}


@pytest.fixture(autouse=True)
def soon_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients come back within the grace, however long the hub took to start."""
    monkeypatch.setattr("taskhub._line.Backoff", partial(Backoff, longest=GRACE_S / 5))


@pytest.mark.parametrize("restart", [False, True], ids=["connection cut", "hub killed"])
async def test_a_job_outlives_the_grace_of_its_connection(new_hub: NewHub, restart: bool) -> None:
    await outlives(new_hub(**TIMINGS), restart=restart)


async def test_a_hub_that_knows_no_grace_is_found_out(new_hub: NewHub) -> None:
    hub = new_hub(sabotage="tests.client.sabotage:know_no_grace", **TIMINGS)
    with pytest.raises(AssertionError, match="lost"):
        await outlives(hub, restart=False)


async def outlives(hub: HubProcess, *, restart: bool) -> None:
    """Lose the connection of a job at work, and finish it after the grace. Or AssertionError."""
    go, runs = asyncio.Event(), []
    async with cutting_proxy(hub.port) as proxy:
        service = taskhub.Client(proxy.url, name="a", key=hub.keys["a"])
        publisher = taskhub.Client(proxy.url, name="shop", key=hub.keys["shop"])
        observer = taskhub.Client(proxy.url, name="operator", key=hub.keys["operator"])

        @service.sub("long:job")
        async def work(job: taskhub.Job) -> Any:
            runs.append(job.task_id)
            await go.wait()
            return "worth the wait"

        async with service, publisher, observer:
            task = publisher.pub("long:job", settle="all")
            await task.started()
            if restart:
                await asyncio.to_thread(hub.kill)
                await asyncio.to_thread(hub.start)
            else:
                proxy.cut()
            # Until the grace is surely over: a task without a service, whose end is told later.
            waiting = publisher.pub("long:nobody", start_timeout=GRACE_S + 0.5)
            with pytest.raises(taskhub.NoSubscriber):
                await waiting
            stored = await observer.get(task.task_id)
            assert [one["state"] for one in stored["participants"]] == ["started"]
            go.set()
            assert await task == [{"by": "a", "result": "worth the wait"}]
            await task.ended()
    assert runs == [task.task_id]
