"""Each event once and in order, whatever the moment at which a connection is cut (§6)."""

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from hub import replays
from hub.core.effects import Resumed
from hub.core.limits import Limits
from hub.resuming import Missed, Resuming
from hub.router.port import Sink
from hub.router.watches import Watch
from tests.pipeline.conftest import EVERYTHING, LONG, RecordingSink, World, resume_frame, seqs

SEEDS = range(30)


def last_seen(messages: list[dict[str, Any]]) -> dict[str, int]:
    return {m["taskId"]: m["seq"] for m in messages if "seq" in m}


class Play:
    """One client loses its connection at any moment of any work, and comes back."""

    #: task → action; ``s`` serves a, publishes mine, watches the task seen and the pattern shown
    TASKS = {"a1": "a:x", "a2": "a:x", "mine": "mine:x", "seen": "seen:x", "shown": "shown:x"}

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.ids = itertools.count()
        self.publisher, self.other = world.connect("p"), world.connect("b")
        self.lost = world.connect("s.1", EVERYTHING)

    def send(self, sink: RecordingSink, **frame: Any) -> asyncio.Task[None]:
        pending = self.world.pipeline.receive(sink, json.dumps(frame))

        async def wait() -> None:
            if pending is not None:
                await pending

        return asyncio.ensure_future(wait())

    def publish(self, sink: RecordingSink, task_id: str, action: str) -> None:
        event = {"event": "init", "eventId": f"i-{task_id}", "action": action, "payload": 1}
        self.send(sink, cmd="pub", taskId=task_id, **event, **LONG)

    def report(self, sink: RecordingSink, task_id: str, event: str, **body: Any) -> None:
        event_id = f"e{next(self.ids)}"
        self.send(sink, cmd="pub", event=event, eventId=event_id, taskId=task_id, **body)

    async def work(self, steps: int) -> None:
        """The other service goes on, and new tasks come, while batches are stored."""
        for _ in range(steps):
            if self.chance.random() < 0.1:
                self.publish(
                    self.publisher, f"n{next(self.ids)}", self.chance.choice(["a:x", "shown:x"])
                )
            self.report(self.other, self.chance.choice(list(self.TASKS)), "update", update=0)
            for _ in range(self.chance.randrange(4)):
                await asyncio.sleep(0)

    async def run(self) -> None:
        world, chance = self.world, self.chance
        await world.send(self.other, cmd="sub", action="*")
        await world.send(self.lost, cmd="sub", action="a")
        await world.send(self.lost, cmd="watch", action="shown")
        for task_id, action in self.TASKS.items():
            self.publish(self.lost if task_id == "mine" else self.publisher, task_id, action)
        await world.settle()
        await world.send(self.lost, cmd="watch", taskId="seen")
        await world.report(self.lost, "a1", "start")
        await self.work(chance.randrange(12))
        heard_before = len(self.lost.messages)
        await self.work(chance.randrange(12))
        if chance.random() < 0.7:  # else the hub has not noticed
            world.pipeline.disconnect("s.1")
        await self.work(chance.randrange(12))
        received = self.lost.messages[: chance.randint(heard_before, len(self.lost.messages))]
        found = world.connect("s.2", EVERYTHING)
        world.journal.on_read = self.during_a_read
        answered = self.send(found, **resume_frame(self.lost, **last_seen(received)))
        await self.work(chance.randrange(12))
        await answered
        world.journal.on_read = None
        await self.work(chance.randrange(6))
        for task_id in list(world.engine.books.open):
            self.report(self.other, task_id, "success", result=1)
        await world.settle()
        for task_id in list(world.engine.books.open):
            await world.report(found, task_id, "drop")
        await world.settle()
        self.judge(received, found.messages)

    def during_a_read(self) -> None:
        """Something happens between the read of a page and its way back to the loop."""
        if self.chance.random() < 0.5:

            async def happen() -> None:
                self.report(self.other, self.chance.choice(list(self.TASKS)), "update", update=1)
                await self.world.pipeline.commit.drained()

            asyncio.run_coroutine_threadsafe(happen(), self.world.journal.loop).result(10)

    def judge(self, received: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
        """Each event of each task once and in order, as if there had been one connection."""
        assert found[0] == {"status": "ok", "message": "Resumed.", "resumed": True, "id": "r"}
        for task_id in last_seen(received + found):
            heard = seqs(received, task_id) + seqs(found, task_id)
            stored = self.world.journal.load(task_id)
            assert stored is not None
            whole = list(range(1, stored.seq + 1))
            if task_id in last_seen(received):
                assert heard == whole, task_id
            else:  # §3: a late participant hears the init and what follows; a watch what follows
                begin = heard[0] if heard[0] > 1 else (heard[1:] or [1])[0]
                assert heard in (whole[begin - 1 :], [1, *whole[begin - 1 :]]), task_id
        assert set(self.TASKS) <= set(last_seen(found)), "each of them has gone on"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a replay takes several reads."""
    monkeypatch.setattr(replays, "PAGE", 3)


async def play(seed: int) -> None:
    world = World(Limits())
    try:
        await Play(world, seed).run()
    finally:
        await world.pipeline.stop()


async def play_all() -> None:
    for seed in SEEDS:
        await play(seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_each_event_once_and_in_order_whatever_the_moment_of_the_cut(seed: int) -> None:
    await play(seed)


def _nothing_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "takes", lambda _self, _seq: True)


def _over_with_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "done_before", lambda self, _seq: not self.stays)


def _what_came_meanwhile_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def caught_up(self: Watch) -> bool:
        self._replaying = False
        return True

    monkeypatch.setattr(Watch, "caught_up", caught_up)


def _nothing_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resuming, "_begin", lambda _self, sink, _effect: Missed(sink))


def _all_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Resuming._begin

    def from_the_first(self: Resuming, sink: Sink, effect: Resumed) -> Missed:
        effect.replays.update(dict.fromkeys(effect.replays, 1))
        return begin(self, sink, effect)

    monkeypatch.setattr(Resuming, "_begin", from_the_first)


@pytest.mark.parametrize(
    "sabotage",
    [
        _nothing_held_back,
        _over_with_the_replay,
        _what_came_meanwhile_is_forgotten,
        _nothing_told_again,
        _all_told_again,
    ],
)
async def test_a_worse_hub_is_noticed(
    monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[pytest.MonkeyPatch], None]
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        await play_all()
