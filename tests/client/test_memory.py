"""What a client keeps: nothing of what has ended, and no more of what is open as time goes by."""

import asyncio
import gc
import logging
import tracemalloc
import weakref
from typing import Any

import pytest
import taskhub
from taskhub._session import Session
from taskhub._task import Task

from tests.client.fake_hub import FakeHub, client_of, heard, published, served

HANDLES = 1_000
ROUNDS = 20
#: Bytes that may be more after all rounds: a pointer for each handle and round would be 160 000.
SLACK = 32_768


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """pytest keeps what is logged, and what it is about."""
    for name in ("taskhub", "websockets", "asyncio"):
        caplog.set_level(logging.CRITICAL, name)


async def idle(hub: FakeHub, client: taskhub.Client) -> None:
    """What an idle client lives through: the hub looks after it, and its connection is lost."""
    assert hub._connection is not None
    await (await hub._connection.ping())
    await heard(hub, client)
    hub.cut()
    resume = await hub.expect(cmd="resume")
    assert len(resume["tasks"]) == HANDLES
    await hub.ok(resume, resumed=True)
    await heard(hub, client)


async def check_flat(hub: FakeHub) -> None:
    """Live through many such rounds with open handles. Raises AssertionError."""
    async with client_of(hub) as client:
        handles = [await published(hub, client) for _ in range(HANDLES)]
        waiting = [asyncio.create_task(handle.result()) for handle in handles]
        await idle(hub, client)
        tracemalloc.start()
        try:
            # What one round leaves may be let go by the next.
            await idle(hub, client)
            before = _allocated()
            for _ in range(ROUNDS):
                await idle(hub, client)
            grown = _allocated() - before
        finally:
            tracemalloc.stop()
        for one in waiting:
            one.cancel()
    assert grown < SLACK, f"{grown} bytes more after {ROUNDS} rounds"


def _allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait before it connects again."""
    monkeypatch.setattr("taskhub._backoff.Backoff.next", lambda _: 0.0)


async def test_idle_handles_are_flat(hub: FakeHub, at_once: None) -> None:
    await check_flat(hub)


async def test_a_client_that_keeps_something_of_each_handle_is_found_out(
    hub: FakeHub, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    restored = Session.restored

    def keeping(self: Session) -> None:
        kept.append(list(self.tasks))
        restored(self)

    monkeypatch.setattr(Session, "restored", keeping)
    with pytest.raises(AssertionError, match="bytes more"):
        await check_flat(hub)


async def check_ended(hub: FakeHub) -> None:
    """End handles in every way. Raises AssertionError if one of them is kept."""
    async with client_of(hub) as client:
        kept = [await published(hub, client) for _ in range(10)]
        ways = (_succeeded, _failed, _refused, _read_by_callbacks, _attached)
        refs = [weakref.ref(await end(hub, client)) for end in ways * 10]
        await heard(hub, client)
        gc.collect()
        left = [ref() for ref in refs if ref() is not None]
        assert not left, f"{len(left)} are kept: {left[:3]}"
        assert len(client._session.tasks) == len(kept)  # type: ignore[union-attr]
        assert len(client._session.inits) == len(kept)  # type: ignore[union-attr]
        assert len(client._session._outbox) == 0  # type: ignore[union-attr]


async def _settle(hub: FakeHub, task: taskhub.Task, event: str, **fields: Any) -> None:
    await hub.event(task.task_id, event, **fields)
    await hub.event(task.task_id, "end", by="hub")
    await task.ended()


async def _succeeded(hub: FakeHub, client: taskhub.Client) -> taskhub.Task:
    task = await published(hub, client)
    await _settle(hub, task, "success", result=1)
    assert await task == 1
    return task


async def _failed(hub: FakeHub, client: taskhub.Client) -> taskhub.Task:
    task = await published(hub, client)
    await _settle(hub, task, "fail", reason="no")
    with pytest.raises(taskhub.TaskFailed):
        await task
    return task


async def _refused(hub: FakeHub, client: taskhub.Client) -> taskhub.Task:
    task = client.pub("report:build")
    await hub.refuse(await hub.expect(event="init"), "forbidden")
    with pytest.raises(taskhub.Refused):
        await task
    return task


async def _read_by_callbacks(hub: FakeHub, client: taskhub.Client) -> taskhub.Task:
    task = await published(hub, client)
    told: list[str] = []
    task.on("*", lambda event: told.append(f"{event.kind} of {task!r}"))
    await hub.event(task.task_id, "update", update=1)
    await _settle(hub, task, "success", result=1)
    assert [event.kind async for event in task] == ["init", "update", "success", "end"]
    await heard(hub, client)  # callbacks are asyncio tasks
    assert len(told) == 4
    return task


async def _attached(hub: FakeHub, client: taskhub.Client) -> taskhub.Task:
    task = client.task(f"old{hub.handshakes}-{len(hub._seq)}")
    watch = await hub.expect(cmd="watch", taskId=task.task_id)
    await hub.event(task.task_id, "init", by="shop", action="a:b", payload=1)
    await _settle(hub, task, "success", result=1)
    await hub.ok(watch)
    return task


async def test_ended_handles_are_let_go(hub: FakeHub) -> None:
    await check_ended(hub)


async def test_a_client_that_keeps_ended_handles_is_found_out(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Task] = []
    monkeypatch.setattr(Task, "__repr__", lambda self: "<Task>")
    forget = Session._forget_task

    def keeping(self: Session, task_id: str) -> None:
        kept.extend(task for task in [self.tasks.get(task_id)] if task is not None)
        forget(self, task_id)

    monkeypatch.setattr(Session, "_forget_task", keeping)
    with pytest.raises(AssertionError, match="are kept"):
        await check_ended(hub)


async def test_jobs_that_are_over_are_let_go(hub: FakeHub) -> None:
    client, jobs = client_of(hub), []

    @client.sub("email:send")
    async def send(job: taskhub.Job) -> None:
        jobs.append(weakref.ref(job))
        if job.payload == 1:
            raise ValueError("no")
        if job.payload == 2:
            raise taskhub.Drop("not mine")

    async with served(hub, client):
        for number in range(30):
            task_id = f"t{number}"
            init = {"action": "email:send", "payload": number % 3, "endDeadline": 2_000_000_000_000}
            await hub.event(task_id, "init", by="shop", **init)
            await hub.echo(await hub.expect(event="start"))
            await hub.echo(await hub.expect(taskId=task_id))
            await hub.event(task_id, "end", by="hub")
        await heard(hub, client)
        gc.collect()
        assert len(jobs) == 30
        assert [job() for job in jobs if job() is not None] == []
        session = client._session
        assert session is not None
        assert (session.jobs, session._deadlines, len(session._outbox)) == ({}, {}, 0)
