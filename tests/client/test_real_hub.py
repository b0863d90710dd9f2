"""The clients against a hub that is a process of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import taskhub
import taskhub.sync

from tests.hub_process import HubProcess


def client_of(hub: HubProcess, name: str) -> taskhub.Client:
    return taskhub.Client(hub.url, name=name, key=hub.keys[name])


def sync_client_of(hub: HubProcess, name: str) -> taskhub.sync.Client:
    return taskhub.sync.Client(hub.url, name=name, key=hub.keys[name])


async def test_a_task_from_its_publisher_to_its_service_and_back(real_hub: HubProcess) -> None:
    service, publisher = client_of(real_hub, "a"), client_of(real_hub, "shop")

    @service.sub("real:work", lazy_payload=100)
    async def work(job: taskhub.Job) -> Any:
        payload = await job.get_payload()
        for done in range(3):
            await job.progress(done, 3)
        return len(payload)

    async with service, publisher:
        task = publisher.pub("real:work", "x" * 1000)
        assert await task == 1000
        assert [update["done"] async for update in task.updates()] == [0, 1, 2]
        await task.ended()
        assert task.outcomes["a"].state == "succeeded"
        assert (await publisher.get(task.task_id))["outcome"] == "success"
        events = await publisher.get(task.task_id, "events")
        assert [event.kind for event in events][-2:] == ["success", "end"]
    async with client_of(real_hub, "shop") as later:
        again = later.task(task.task_id)
        assert await again == 1000
        kinds = [event.kind async for event in again]
        assert kinds == ["init", "start", "update", "update", "update", "success", "end"]


async def test_cancelling_stops_the_handler(real_hub: HubProcess) -> None:
    service, publisher = client_of(real_hub, "a"), client_of(real_hub, "shop")
    cancelled = asyncio.Event()

    @service.sub("real:slow")
    async def slow(job: taskhub.Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert job.cancelled.is_set()
            cancelled.set()

    async with service, publisher:
        task = publisher.pub("real:slow")
        await task.started()
        await task.cancel("no longer wanted")
        with pytest.raises(taskhub.TaskCancelled) as caught:
            await task
        assert caught.value.reason["reason"] == "no longer wanted"
        await cancelled.wait()


async def test_what_the_hub_refuses(real_hub: HubProcess) -> None:
    async with client_of(real_hub, "shop") as shop, client_of(real_hub, "stranger") as stranger:
        with pytest.raises(taskhub.NoSubscriber):
            await shop.pub("real:nobody", start_timeout=0.05)
        with pytest.raises(taskhub.PermissionDenied) as caught:
            await stranger.do("real:work", default=1)
        assert caught.value.action == "real:work"
        with pytest.raises(taskhub.Refused, match="bad-action"):
            await shop.do("no action", default=1)
        with pytest.raises(taskhub.PayloadTooLarge):
            shop.pub("real:work", "x" * real_hub.limit("max_frame_bytes"))
        too_deep: Any = 1
        for _ in range(100):
            too_deep = [too_deep]
        with pytest.raises(taskhub.Refused, match="bad-json"):
            await shop.do("real:work", too_deep)
        with pytest.raises(taskhub.Refused, match="unknown-task"):
            await stranger.task("nowhere").accepted()
    wrong = taskhub.Client(real_hub.url, name="shop", key="wrong")
    with pytest.raises(taskhub.AuthenticationError) as refused:
        await wrong.__aenter__()
    assert refused.value.status == 401


@contextmanager
def serving(service: taskhub.sync.Client) -> Iterator[None]:
    """A service on a thread, until the block is left."""
    with service:
        thread = threading.Thread(target=service.serve)
        thread.start()
        try:
            yield
        finally:
            # It may not have begun to serve yet.
            while thread.is_alive():
                service.stop()
                thread.join(0.05)


def test_without_await(real_hub: HubProcess) -> None:
    service, threads, told = sync_client_of(real_hub, "b"), set[str](), list[str]()

    @service.sub("real:sync", concurrency=2)
    def work(job: taskhub.sync.Job) -> Any:
        threads.add(threading.current_thread().name)
        if job.payload == "drop":
            raise taskhub.Drop("not mine")
        if job.payload == "fail":
            raise ValueError("no")
        job.progress(1, 2)
        assert not job.cancelled.is_set()
        return job.get_payload()

    with sync_client_of(real_hub, "shop") as client, serving(service):
        assert client.do("real:sync", 7, start_timeout=5) == 7
        task = client.pub("real:sync", [1], start_timeout=5)
        assert task.result(timeout=10) == [1]
        assert list(task.updates()) == [{"done": 1, "total": 2}]
        assert [event.kind for event in task] == ["init", "start", "update", "success", "end"]
        task.on("end", lambda event: told.append(event.kind))
        assert task.ended().kind == "end"
        assert client.get(task.task_id, "result") == [1]
        assert client.task(task.task_id).result() == [1]
        assert client.do("real:sync", "drop", start_timeout=5) is None
        assert client.do("real:sync", "fail", start_timeout=5, default=0) == 0
        with pytest.raises(taskhub.TaskFailed, match="ValueError"):
            client.do("real:sync", "fail", start_timeout=5)
    assert told == ["end"]
    assert all(name.startswith("taskhub real:sync") for name in threads)
    assert not [thread for thread in threading.enumerate() if thread.name == "taskhub"]
    with pytest.raises(taskhub.ConnectionLost, match="inside `with`"):
        client.pub("real:sync")


def test_watching_without_await(real_hub: HubProcess) -> None:
    with (
        sync_client_of(real_hub, "operator") as operator,
        sync_client_of(real_hub, "shop") as shop,
    ):
        events = operator.watch("seen")
        shop.pub("seen:here", start_timeout=0.05).ended()
        assert [next(events).kind for _ in range(3)] == ["init", "fail", "end"]
        operator.unwatch("seen")
        assert list(events) == []


async def test_without_await_it_refuses_to_stop_a_loop(real_hub: HubProcess) -> None:
    client = sync_client_of(real_hub, "shop")
    for call in (client.__enter__, client.close, lambda: client.pub("a:b"), client.serve):
        with pytest.raises(RuntimeError, match=r"use taskhub\.Client"):
            call()
