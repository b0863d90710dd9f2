"""What people and programs without a socket do enters the same pipeline (§5.4)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hub import inside as inside_module
from hub.core.access import access
from hub.core.errors import Code, Rejection
from hub.core.limits import Limits
from hub.inside import Inside
from hub.protocol import asking
from tests.pipeline.conftest import World

LONG = {"start_timeout": 100_000, "end_timeout": 1_000_000}
PUBLISHER = access("p", pub=["a"])


@pytest.fixture
def inside(world: World) -> Inside:
    return Inside(world.pipeline, Limits().max_frame_bytes)


def frame(task_id: str, payload: str = "1", **more: Any) -> str:
    options = {**LONG, **more}
    return asking.init(
        task_id=task_id, event_id=f"i-{task_id}", action="a:b", payload=payload, **options
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def refused(work: Coroutine[Any, Any, object]) -> Rejection:
    with pytest.raises(Rejection) as caught:
        await work
    return caught.value


async def test_an_operator_cancels_a_task_and_everyone_hears_who_did(
    world: World, inside: Inside
) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    await inside.operator_cancel("ada", "t", '"wrong customer"')
    for sink in (publisher, service):
        assert sink.events("t") == ["init", "fail", "end"]
        fail = sink.messages[-2]
        assert fail["by"] == "hub"
        assert fail["reason"] == {
            "code": "cancelled",
            "message": "Cancelled by operator ada.",
            "reason": "wrong customer",
        }
    assert (await refused(inside.operator_cancel("ada", "t", None))).code is Code.TASK_ENDED
    world.engine.books.recent.clear()  # as one that ended long ago
    assert (await refused(inside.operator_cancel("ada", "t", None))).code is Code.TASK_ENDED
    assert (await refused(inside.operator_cancel("ada", "x", None))).code is Code.UNKNOWN_TASK


async def test_a_cancel_is_answered_once_it_is_durable_and_not_before(
    world: World, inside: Inside
) -> None:
    await world.publish(world.connect("p"), "t", startTimeout=100_000)
    world.journal.hold = asyncio.Event()
    cancelling = asyncio.create_task(inside.operator_cancel("ada", "t", None))
    await until(lambda: not world.pipeline.commit.idle)
    assert not cancelling.done()
    world.journal.hold.set()
    await cancelling
    assert world.journal.load("t").ended_at is not None  # type: ignore[union-attr]


async def test_a_cancel_that_cannot_be_stored_is_refused_and_the_task_goes_on(
    world: World, inside: Inside
) -> None:
    await world.publish(world.connect("p"), "t", startTimeout=100_000)
    world.journal.fail_next = 1
    assert (await refused(inside.operator_cancel("ada", "t", None))).code is Code.UNAVAILABLE
    await world.settle()
    await inside.operator_cancel("ada", "t", None)


async def test_a_cancel_of_a_task_whose_id_turns_out_to_be_taken_is_answered_all_the_same(
    world: World, inside: Inside
) -> None:
    """The cancel is decided about an init that is refused later: it is decided again."""
    await inside.publish(access("q", pub=["a"]), frame("t"), task_id="t", may_repeat=False)
    await inside.operator_cancel("ada", "t", None)
    world.engine.books.recent.clear()
    world.engine.books.event_owner.clear()
    world.journal.hold = asyncio.Event()
    publishing = asyncio.create_task(
        refused(inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=False))
    )
    await until(lambda: "t" in world.engine.books.open)
    cancelling = asyncio.create_task(refused(inside.operator_cancel("ada", "t", None)))
    await asyncio.sleep(0)
    world.journal.hold.set()
    assert (await publishing).code is Code.DUPLICATE_TASK
    assert (await cancelling).code is Code.TASK_ENDED


async def test_nothing_is_decided_once_the_hub_drains(world: World, inside: Inside) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    await world.pipeline.freeze()
    await world.report(service, "t", "success", result=1)
    world.pipeline.disconnect("s")
    await world.advance(60_000)
    assert publisher.events("t") == ["init"]
    cancelling = asyncio.create_task(refused(inside.operator_cancel("ada", "t", None)))
    await asyncio.sleep(0)
    inside.close()
    async with asyncio.timeout(5):
        assert (await cancelling).code is Code.UNAVAILABLE
    assert (await refused(inside.operator_cancel("ada", "t", None))).code is Code.UNAVAILABLE


async def test_who_waits_for_an_end_is_let_go_when_the_hub_drains(
    world: World, inside: Inside
) -> None:
    waiting = asyncio.create_task(
        inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=False, wait_s=60)
    )
    await until(lambda: inside._waiting)
    inside.stop_waiting()
    assert await waiting == (False, False)
    assert inside._open == set()


@pytest.mark.parametrize("bound", ["MAX_WAITING", "MAX_WAITING_OF_CLIENT"])
async def test_a_bounded_number_waits_and_one_more_is_answered_at_once(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(inside_module, bound, 1)
    first = asyncio.create_task(
        inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=False, wait_s=60)
    )
    await until(lambda: inside._waiting)
    more = inside.publish(PUBLISHER, frame("t2"), task_id="t2", may_repeat=False, wait_s=60)
    assert await more == (False, False)
    await inside.operator_cancel("ada", "t", None)
    assert await first == (False, True)
    assert not inside._waiting


async def test_one_client_that_waits_keeps_no_other_from_waiting(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inside_module, "MAX_WAITING_OF_CLIENT", 1)
    other = access("other", pub=["*"])
    waiting = [
        asyncio.create_task(
            inside.publish(rights, frame(name), task_id=name, may_repeat=False, wait_s=60)
        )
        for name, rights in (("t", PUBLISHER), ("t2", other))
    ]
    await until(lambda: inside._waiting.total() == 2)
    for name in ("t", "t2"):
        await inside.operator_cancel("ada", name, None)
    assert await asyncio.gather(*waiting) == [(False, True)] * 2


async def test_it_leaves_nothing_behind_and_nobody_sees_it(world: World, inside: Inside) -> None:
    books, router = world.engine.books, world.pipeline.router
    service = world.connect("s")
    await world.send(service, cmd="sub", action="a")
    waiting = asyncio.create_task(
        inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=False, wait_s=60)
    )
    await until(lambda: inside._waiting)
    assert list(router.with_socket()) == ["s"]
    assert router.open_by_protocol() == {"taskhub.v1": 1, "legacy": 0}
    assert router._roll.connected == 1
    await world.report(service, "t", "success", result=1)
    assert await waiting == (False, True)
    assert list(books.connections) == ["s"]
    assert len(books.sessions) == 1
    assert list(router._sinks) == ["s"]
    assert router._inside == set()
    assert router._roll.take()[1] == []
    world.pipeline.disconnect("s")
    assert router._roll.connected == 0


async def test_a_repeat_changes_nothing_and_hears_the_end_wherever_the_first_one_listens(
    world: World, inside: Inside
) -> None:
    first = asyncio.create_task(
        inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=True, wait_s=60)
    )
    await until(lambda: inside._waiting)
    again = asyncio.create_task(
        inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=True, wait_s=60)
    )
    await until(lambda: inside._waiting.total() == 2)
    await inside.operator_cancel("ada", "t", None)
    assert await first == (False, True)
    assert await again == (True, True)
    after = inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=True, wait_s=60)
    assert await after == (True, True)


@pytest.mark.parametrize(
    ("payload", "more", "code"),
    [
        ("2", {}, Code.EVENT_CONFLICT),
        ("1", {"claim": True}, Code.EVENT_CONFLICT),
        ("1", {"start_timeout": 0}, Code.BAD_FIELD),
        ("1", {"start_timeout": 2**70}, Code.BAD_FIELD),
        ('1, "cmd": "cancel"', {}, Code.BAD_JSON),
        ("", {}, Code.BAD_JSON),
        ("\ud800", {}, Code.BAD_JSON),
        ("[" * 100 + "]" * 100, {}, Code.BAD_JSON),
        (f'"{"x" * Limits().max_frame_bytes}"', {}, Code.TOO_BIG),
    ],
)
async def test_what_the_wire_refuses_is_refused(
    world: World, inside: Inside, payload: str, more: dict[str, Any], code: Code
) -> None:
    await inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=True)

    async def publish() -> None:
        await inside.publish(
            PUBLISHER, frame("t", payload, **more), task_id="t", may_repeat=True, wait_s=1
        )

    assert (await refused(publish())).code is code
    assert inside._open == set()
    assert world.engine.books.connections == {}


async def test_a_client_does_what_its_rights_allow(world: World, inside: Inside) -> None:
    await inside.publish(PUBLISHER, frame("t"), task_id="t", may_repeat=False)
    other = access("q", pub=["b"], watch=["a"])
    stranger = access("z")
    publish = inside.publish(other, frame("t2"), task_id="t2", may_repeat=False)
    assert (await refused(publish)).code is Code.FORBIDDEN
    cancel = asking.cancel("t", None)
    assert (await refused(inside.cancel(other, cancel, task_id="t"))).code is Code.FORBIDDEN
    assert (await refused(inside.cancel(stranger, cancel, task_id="t"))).code is Code.UNKNOWN_TASK
    await inside.cancel(PUBLISHER, cancel, task_id="t")
    assert (await refused(inside.cancel(PUBLISHER, cancel, task_id="t"))).code is Code.TASK_ENDED
