"""The hub of `taskhub.testing` tells the same stories as a real one, word for word."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import taskhub
from taskhub.testing import Hub, taskhub_hub

from tests.hub_process import HubProcess

__all__ = ["taskhub_hub"]

Told = tuple[str, str, Any]
#: Seconds; long enough for a service to start, short enough to wait for.
WINDOW = 0.4


class Stage:
    """Clients of one hub, each connected until the test is over."""

    def __init__(self, make: Callable[[str], taskhub.Client], stack: AsyncExitStack) -> None:
        self._make = make
        self._stack = stack
        #: Opened by the test: what handlers wait for.
        self.gate = asyncio.Event()

    async def client(self, name: str) -> taskhub.Client:
        return await self._stack.enter_async_context(self._make(name))

    async def service(self, name: str, handler: Callable[..., Awaitable[Any]], **how: Any) -> None:
        client = self._make(name)
        client.sub(how.pop("action", "story:told"), **how)(handler)
        await self._stack.enter_async_context(client)


@pytest.fixture
def fake_hub() -> Iterator[Hub]:
    """The fake, though the server is here."""
    with Hub(fake=True) as hub:
        assert hub._core is None
        yield hub


@pytest.fixture(params=["fake", "core", "process"])
async def stage(request: pytest.FixtureRequest) -> Any:
    """A stage on either hub."""
    if request.param == "core":
        make = request.getfixturevalue("taskhub_hub").client
    elif request.param == "fake":
        make = request.getfixturevalue("fake_hub").client
    else:
        hub: HubProcess = request.getfixturevalue("real_hub")

        def make(name: str) -> taskhub.Client:
            return taskhub.Client(hub.url, name=name, key=hub.keys[name])

    async with AsyncExitStack() as stack:
        yield Stage(make, stack)


async def told(task: taskhub.Task) -> list[Told]:
    """Each event with its sender and its value, or the code of it."""
    async with asyncio.timeout(10):
        return [(event.kind, event.by, _short(event)) async for event in task]


def _short(event: taskhub.Event) -> Any:
    value = event.value
    if isinstance(value, dict) and "code" in value:
        value = value["code"]
    return value if event.outcome is None else (event.outcome, value)


async def returns(job: taskhub.Job) -> Any:
    return job.payload


async def raises(job: taskhub.Job) -> None:
    raise ValueError("no")


async def drops(job: taskhub.Job) -> None:
    raise taskhub.Drop("busy")


async def never_ends(job: taskhub.Job) -> None:
    await asyncio.Event().wait()


NO_RESULT: Told = ("success", "hub", None)
FAIL = {"type": "ValueError", "message": "no"}


@pytest.mark.parametrize(
    ("handler", "options", "story"),
    [
        (returns, {}, [("start", "a", None), ("success", "a", 7)]),
        (raises, {}, [("start", "a", None), ("fail", "a", FAIL)]),
        (drops, {}, [("start", "a", None), ("drop", "a", "busy"), ("success", "hub", None)]),
        (raises, {"settle": "first"}, [("start", "a", None), ("fail", "a", FAIL)]),
        (
            returns,
            {"settle": "all"},
            [
                ("start", "a", None),
                ("drop", "a", ("success", 7)),
                ("success", "hub", [{"by": "a", "result": 7}]),
            ],
        ),
        (
            raises,
            {"settle": "all"},
            [("start", "a", None), ("fail", "a", FAIL)],
        ),
        (drops, {"settle": "all"}, [("start", "a", None), ("drop", "a", "busy"), NO_RESULT]),
        (
            never_ends,
            {"end_timeout": WINDOW},
            [("start", "a", None), ("fail", "hub", "end-timeout")],
        ),
        (returns, {"claim": True}, [("start", "a", None), ("success", "a", 7)]),
    ],
)
async def test_one_service(
    stage: Stage, handler: Any, options: dict[str, Any], story: list[Told]
) -> None:
    await stage.service("a", handler)
    shop = await stage.client("shop")
    task = shop.pub("story:told", 7, **options)
    assert await told(task) == [("init", "shop", 7), *story, ("end", "hub", None)]


@pytest.mark.parametrize(
    ("served", "options", "story"),
    [
        (False, {}, [("fail", "hub", "no-subscriber")]),
        (True, {}, [("fail", "hub", "start-timeout")]),
        (True, {"expect": "delivery"}, [("success", "hub", None)]),
    ],
)
async def test_nobody_starts(
    stage: Stage, served: bool, options: dict[str, Any], story: list[Told]
) -> None:
    if served:
        await stage.service("a", never_ends, auto_start=False)
    shop = await stage.client("shop")
    task = shop.pub("story:told", 7, start_timeout=WINDOW, **options)
    assert await told(task) == [("init", "shop", 7), *story, ("end", "hub", None)]


@pytest.mark.parametrize(
    ("options", "story"),
    [
        ({}, [("drop", "a", ("fail", FAIL)), ("success", "b", 7)]),
        ({"settle": "first"}, [("fail", "a", FAIL)]),
        (
            {"settle": "all"},
            [
                ("drop", "a", ("fail", FAIL)),
                ("drop", "b", ("success", 7)),
                ("success", "hub", [{"by": "b", "result": 7}]),
            ],
        ),
    ],
)
async def test_one_fails_and_then_another_succeeds(
    stage: Stage, options: dict[str, Any], story: list[Told]
) -> None:
    async def later(job: taskhub.Job) -> Any:
        await stage.gate.wait()
        return job.payload

    async def first(job: taskhub.Job) -> Any:
        await both.wait()
        raise ValueError("no")

    both = asyncio.Event()
    await stage.service("a", first)
    await stage.service("b", later)
    shop = await stage.client("shop")
    task = shop.pub("story:told", 7, **options)
    starts = [event async for event in _first(task, 3)]
    assert {event.by for event in starts[1:]} == {"a", "b"}
    both.set()
    await anext(event async for event in task if event.by == "a" and event.kind != "start")
    stage.gate.set()
    assert (await told(task))[3:] == [*story, ("end", "hub", None)]


async def _first(task: taskhub.Task, count: int) -> Any:
    async for event in task:
        yield event
        count -= 1
        if not count:
            return


async def test_the_first_start_claims_it(stage: Stage) -> None:
    await stage.service("a", returns)
    await stage.service("b", returns)
    shop = await stage.client("shop")
    for _ in range(5):
        task = shop.pub("story:told", 7, claim=True)
        assert await task == 7
        await task.ended()
        assert [event.kind async for event in task].count("success") == 1
        assert len({one for one in task.outcomes.values() if one.state == "succeeded"}) == 1


async def test_a_group_shares_its_tasks(stage: Stage) -> None:
    runs: list[tuple[int, str]] = []

    async def one(job: taskhub.Job) -> None:
        runs.append((1, job.task_id))

    async def other(job: taskhub.Job) -> None:
        runs.append((2, job.task_id))

    await stage.service("team", one, group=True)
    await stage.service("team", other, group=True)
    shop = await stage.client("shop")
    tasks = [shop.pub("story:told", number) for number in range(20)]
    for task in tasks:
        await task.ended()
    assert sorted(task_id for _, task_id in runs) == sorted(task.task_id for task in tasks)
    assert {number for number, _ in runs} == {1, 2}


async def test_cancelling_watching_and_looking(stage: Stage) -> None:
    await stage.service("a", never_ends)
    shop, operator = await stage.client("shop"), await stage.client("operator")
    events = await operator.watch("story")
    task = shop.pub("story:told", {"large": "x" * 100})
    await task.started()
    await task.cancel("enough")
    with pytest.raises(taskhub.TaskCancelled) as caught:
        await task
    assert caught.value.reason["reason"] == "enough"
    story = [("init", "shop"), ("start", "a"), ("fail", "shop"), ("end", "hub")]
    assert [(event.kind, event.by) for event in [await anext(events) for _ in range(4)]] == story
    again = operator.task(task.task_id)
    await again.ended()
    assert [(event.kind, event.by) async for event in again] == story
    assert await shop.get(task.task_id, "payload") == {"large": "x" * 100}
    assert await shop.get(task.task_id, "result") is None
    assert (await shop.get(task.task_id))["outcome"] == "fail"
    assert len(await shop.get(task.task_id, "events")) == 4
    await shop.task(task.task_id).cancel()  # as it is


async def test_late_services_and_large_payloads(stage: Stage) -> None:
    async def fetch(job: taskhub.Job) -> Any:
        with pytest.raises(RuntimeError):
            _ = job.payload
        return await job.get_payload()

    shop = await stage.client("shop")
    task = shop.pub("story:told", "x" * 100, start_timeout=5)
    await task.accepted()
    await stage.service("a", fetch, lazy_payload=50)
    assert await task == "x" * 100


async def test_what_is_refused(stage: Stage) -> None:
    shop = await stage.client("shop")
    for action, code in {"none": "bad-action", "a:b c": "bad-action"}.items():
        with pytest.raises(taskhub.Refused) as caught:
            await shop.pub(action)
        assert caught.value.code == code
    with pytest.raises(taskhub.Refused, match="unknown-task"):
        await shop.get("nowhere")
    task = shop.pub("story:told", start_timeout=WINDOW)
    await task.ended()
    with pytest.raises(taskhub.Refused, match="task-ended"):
        await task.cancel()
    with pytest.raises(taskhub.Refused, match="duplicate-task"):
        await shop.pub("story:told", task_id=task.task_id)


async def test_a_bad_network(taskhub_hub: Hub) -> None:
    go, runs = asyncio.Event(), []

    async def work(job: taskhub.Job) -> Any:
        runs.append(job.task_id)
        await go.wait()
        return job.payload

    service = taskhub_hub.client("service")
    service.sub("story:told")(work)
    async with service, taskhub_hub.client("shop") as shop:
        task = shop.pub("story:told", 7)
        await task.started()
        taskhub_hub.cut()
        unsent = shop.pub("story:told", 8)
        go.set()
        assert (await task, await unsent) == (7, 8)
    assert runs == [task.task_id, unsent.task_id]


def test_without_await(taskhub_hub: Hub) -> None:
    with taskhub_hub.sync_client("shop") as shop:
        assert shop.do("nobody:here", default=0, start_timeout=0.05) == 0
