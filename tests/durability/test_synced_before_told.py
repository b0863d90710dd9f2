"""Nobody is told of an event before the disk has it: seen in the system calls of a hub (§4.6)."""

from collections.abc import Callable

import pytest

from tests.durability.soak import say
from tests.durability.trace import TracedHub, told, told_too_early
from tests.hub_process import HubProcess
from tests.peers import V1Peer

ALONE, TOGETHER = 10, 30
NewHub = Callable[..., HubProcess]


async def publish(hub: HubProcess) -> set[str]:
    """Tasks one after another, then many at once, each to its end; the eventIds heard."""
    async with (
        V1Peer(hub.url, "web", hub.keys["web"]) as web,
        V1Peer(hub.url, "a", hub.keys["a"]) as service,
    ):
        await service.request("sub", action="traced")
        for number in range(ALONE):
            await begin(web, f"alone-{number}")
            await finish(service, f"alone-{number}")
            await web.task_until(f"alone-{number}")
        for number in range(TOGETHER):
            await begin(web, f"together-{number}")
        for number in range(TOGETHER):
            await finish(service, f"together-{number}")
        ended = 0
        while ended < TOGETHER:
            ended += (await web.next_message()).get("event") == "end"
        return {m["eventId"] for m in [*web.messages, *service.messages] if "event" in m}


async def begin(web: V1Peer, task_id: str) -> None:
    """Publish a task."""
    await web.event(task_id, "init", action="traced:do", payload=task_id)


async def finish(service: V1Peer, task_id: str) -> None:
    """Start a task once it is offered, and end it."""
    await service.task_until(task_id, "init")
    for event in ("start", "update", "success"):
        body = {"update": {"update": 1}, "success": {"result": 2}}.get(event, {})
        await service.event(task_id, event, **body)


async def check_synced_before_told(hub: TracedHub) -> None:
    """Run a small load under strace, and look at the trace."""
    heard = await publish(hub.start())
    assert hub.terminate() == 0
    calls = hub.calls()
    syncs = sum(call.syncs for call in calls)
    say(f"{len(calls)} calls, {syncs} syncs of the WAL, {len(heard)} events told")
    assert heard == told(calls), "the trace does not show all that was told"
    early = list(told_too_early(calls))
    assert not early, f"{len(early)} of {len(heard)} told too early: {early[:5]}"


@pytest.mark.usefixtures("strace")
async def test_no_peer_is_told_before_the_disk_has_it(new_hub: NewHub) -> None:
    hub = new_hub(TracedHub)
    assert isinstance(hub, TracedHub)
    await check_synced_before_told(hub)


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    "sabotage",
    ["tells_before_the_commit", "reports_commits_early", "does_not_sync"],
)
async def test_a_spoiled_hub_is_seen(new_hub: NewHub, sabotage: str) -> None:
    hub = new_hub(TracedHub, sabotage=f"tests.durability.sabotage:{sabotage}")
    assert isinstance(hub, TracedHub)
    with pytest.raises(AssertionError, match="told too early"):
        await check_synced_before_told(hub)
