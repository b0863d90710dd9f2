"""The system's clock is set by an hour, either way, and no timer of the hub notices."""

import time
from collections.abc import Callable
from typing import Final

import pytest

from tests.durability.shifted_clock import HOUR_S, ShiftedHub
from tests.durability.soak import say
from tests.hub_process import HubProcess
from tests.peers import JSON, V1Peer

#: Seconds that a timer may be late.
LATE_S: Final = 1.0
GRACE_S: Final = 2.5
ENV: Final = {
    "TASKHUB_RESUME_GRACE_MS": str(int(GRACE_S * 1_000)),
    # Pings go to and fro while the clock jumps.
    "TASKHUB_PING_INTERVAL_MS": "500",
    "TASKHUB_PONG_TIMEOUT_MS": "5000",
}
#: taskId → seconds until its start or end deadline, and why it fails then.
TIMEOUTS: Final = {
    "idle-soon": (1.0, "no-subscriber"),
    "idle-later": (3.0, "no-subscriber"),
    "waiting": (2.0, "start-timeout"),
    "working-soon": (1.5, "end-timeout"),
    "working-later": (4.0, "end-timeout"),
}
NewHub = Callable[..., HubProcess]


class TimedPeer(V1Peer):
    """Knows when each task ended for it, and why it failed."""

    def __init__(self, url: str, name: str, key: str) -> None:
        super().__init__(url, name, key)
        self.ended_at: dict[str, float] = {}
        self.reasons: dict[str, str] = {}

    def _judge(self, message: JSON) -> None:
        super()._judge(message)
        if message.get("event") == "fail":
            self.reasons[message["taskId"]] = message["reason"]["code"]
        elif message.get("event") == "end":
            self.ended_at[message["taskId"]] = time.monotonic()


async def publish(web: V1Peer, task: str, seconds: float, why: str) -> float:
    """Publish a task that is to end so; when it has to, by this process's clock."""
    options = {"startTimeout": 60_000, "endTimeout": 60_000}
    options["endTimeout" if why == "end-timeout" else "startTimeout"] = int(seconds * 1_000)
    due = time.monotonic() + seconds
    action = "clock:idle" if why == "no-subscriber" else "clock:work"
    await web.event(task, "init", action=action, payload=None, **options)
    return due


async def check_jump(hub: ShiftedHub, seconds: int) -> None:
    """Tasks with all kinds of deadlines end in time while the clock jumps; others do not end."""
    hub.start()
    async with (
        TimedPeer(hub.url, "web", hub.keys["web"]) as web,
        V1Peer(hub.url, "a", hub.keys["a"]) as service,
        V1Peer(hub.url, "b", hub.keys["b"]) as lost,
    ):
        began = web.welcome["now"]
        await service.request("sub", action="clock:work")
        await lost.request("sub", action="clock:lost")
        due = {task: await publish(web, task, *how) for task, how in TIMEOUTS.items()}
        await publish(web, "goes-on", 60, "end-timeout")
        for task in ("working-soon", "working-later", "goes-on"):
            await service.event(task, "start")
            await service.task_until(task, "start")
        await web.event("left", "init", action="clock:lost", payload=None, startTimeout=60_000)
        await lost.task_until("left", "init")
        await lost.event("left", "start")
        await lost.task_until("left", "start")
        due["left"] = time.monotonic() + GRACE_S
        await lost.vanish()

        hub.jump(seconds)
        due["after"] = await publish(web, "after", 1.0, "no-subscriber")
        late = await _lateness(web, due)
        say(f"late by {', '.join(f'{task} {s:.3f}' for task, s in late.items())} s")
        wrong = {task: s for task, s in late.items() if not 0 <= s < LATE_S}
        assert not wrong, f"deadlines missed by {wrong} s"
        whys = {task: why for task, (_, why) in TIMEOUTS.items()}
        assert web.reasons == {**whys, "left": "service-lost", "after": "no-subscriber"}
        task = (await service.request("get", taskId="goes-on", what="task"))["task"]
        assert task["state"] == "start"
        times = [message["at"] for message in web.messages if "at" in message]
        assert times == sorted(times)
        assert times[0] >= began
        assert times[-1] < began + 60_000, "the stored times jump"


async def _lateness(web: TimedPeer, due: dict[str, float]) -> dict[str, float]:
    """Wait for the ends; by how much each came late (negative: early), in seconds."""
    while due.keys() - web.ended_at.keys() and time.monotonic() < max(due.values()) + LATE_S:
        left = max(due.values()) + LATE_S - time.monotonic()
        try:
            await web.next_message(timeout=max(left, 0.01))
        except AssertionError:
            web.check()
            break
    return {task: web.ended_at.get(task, float("inf")) - at for task, at in due.items()}


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("seconds", [HOUR_S, -HOUR_S], ids=["forward", "back"])
async def test_no_timer_notices_that_the_clock_is_set(new_hub: NewHub, seconds: int) -> None:
    hub = new_hub(ShiftedHub, **ENV)
    assert isinstance(hub, ShiftedHub)
    await check_jump(hub, seconds)
    assert not hub.troubles()


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("seconds", [HOUR_S, -HOUR_S], ids=["forward", "back"])
async def test_a_hub_by_the_wall_clock_is_seen(new_hub: NewHub, seconds: int) -> None:
    hub = new_hub(ShiftedHub, sabotage="tests.durability.sabotage:reads_the_wall_clock", **ENV)
    assert isinstance(hub, ShiftedHub)
    with pytest.raises(AssertionError, match="deadlines missed"):
        await check_jump(hub, seconds)


@pytest.mark.usefixtures("faketime")
async def test_a_restart_takes_the_new_time(new_hub: NewHub) -> None:
    hub = new_hub(ShiftedHub)
    assert isinstance(hub, ShiftedHub)
    hub.start()
    async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
        before = web.welcome["now"]
    hub.jump(HOUR_S)
    hub.restart()
    async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
        assert web.welcome["now"] - before >= HOUR_S * 1_000
