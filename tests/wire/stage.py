"""A stage for the peers of one test, and their stories in words to compare."""

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import Any

from tests.hub_process import HubProcess
from tests.peers import JSON, TIMEOUT, LegacyPeer, Peer, V1Peer

#: Milliseconds: a start window for tests that are about something else, and one to wait for.
LONG = 30_000
SHORT = 400


class Stage:
    """Peers of one test on one hub, all left in good order at its end."""

    def __init__(self, hub: HubProcess, stack: AsyncExitStack) -> None:
        self.hub = hub
        self._stack = stack
        #: an action nobody else uses
        self.noun = f"test/{uuid.uuid4().hex}"
        self.action = f"{self.noun}:do"

    async def v1(self, name: str) -> V1Peer:
        """A v1 connection of this client."""
        return await self._stack.enter_async_context(
            V1Peer(self.hub.url, name, self.hub.keys[name])
        )

    async def legacy(self, name: str = "old", *, subprotocol: str | None = None) -> LegacyPeer:
        """A legacy connection of this client."""
        return await self._stack.enter_async_context(
            LegacyPeer(self.hub.url, name, self.hub.keys[name], subprotocol=subprotocol)
        )

    async def service(self, name: str, **options: Any) -> V1Peer:
        """A v1 connection that subscribes to this test's action."""
        peer = await self.v1(name)
        answer = await peer.request("sub", action=self.action, **options)
        assert answer["status"] == "ok"
        return peer

    async def legacy_service(self, **options: Any) -> LegacyPeer:
        """A legacy connection that subscribes to this test's action."""
        peer = await self.legacy(**options)
        answer = await peer.sub(self.action)
        assert answer["status"] == "ok"
        return peer

    async def publish(self, peer: V1Peer, payload: Any = None, **options: Any) -> str:
        """Publish a task of this test's action; its id, once the hub has told of it."""
        task = new_id()
        options = {"startTimeout": LONG, **options}
        await peer.event(task, "init", action=self.action, payload=payload, **options)
        await peer.task_until(task, "init")
        return task

    async def at_work(self, *names: str, **options: Any) -> tuple[V1Peer, str, list[V1Peer]]:
        """A task of web that services of these clients have started, one after the other."""
        web = await self.v1("web")
        services = [await self.service(name) for name in names]
        task = await self.publish(web, **options)
        for service in services:
            await service.task_until(task, "init")
            await service.event(task, "start")
            await web.task_until(task, "start")
        return web, task, services


def new_id() -> str:
    """An id nobody else uses."""
    return uuid.uuid4().hex


async def pub(peer: V1Peer, task: str, event: str, **fields: Any) -> JSON:
    """Send an event; what the hub answers to it."""
    fields = {"eventId": new_id(), **fields}
    return await peer.request("pub", taskId=task, event=event, **fields)


def heard(peer: V1Peer, task: str) -> list[JSON]:
    """All events of a task that this peer has been told of so far."""
    return [m for m in peer.messages if m.get("taskId") == task and m.get("event")]


async def until(peer: V1Peer, task: str, event: str = "end", count: int = 1) -> list[JSON]:
    """As ``heard``, once it has been told of this event, whatever else comes in between."""
    while sum(message["event"] == event for message in heard(peer, task)) < count:
        await peer.next_message()
    return heard(peer, task)


async def story(peer: V1Peer, task: str) -> list[str]:
    """All of a task as this peer heard it, to its end: each event and who says it."""
    return in_words(await until(peer, task))


def in_words(messages: list[JSON]) -> list[str]:
    """Event, by, and what tells it from others: the hub's code, or what a drop stands for."""
    lines = []
    for message in messages:
        reason = message.get("reason")
        code = reason.get("code") if isinstance(reason, dict) else None
        words = (message["event"], message["by"], code, message.get("outcome"))
        lines.append(" ".join(filter(None, words)))
    return lines


async def caught_up(peer: V1Peer) -> None:
    """Wait until all that the hub has sent to this peer so far is here."""
    await peer.request("get", taskId="nowhere", what="task")


async def summary(peer: V1Peer, task: str) -> JSON:
    """The task as ``get`` tells it."""
    answer = await peer.request("get", taskId=task, what="task")
    found: JSON = answer["task"]
    return found


async def states(peer: V1Peer, task: str) -> dict[str, str]:
    """client → state of its participant."""
    participants = (await summary(peer, task))["participants"]
    return {participant["client"]: participant["state"] for participant in participants}


async def until_state(peer: V1Peer, task: str, client: str, state: str) -> None:
    """Wait until the participant of this client is in this state."""
    async with asyncio.timeout(TIMEOUT):
        while (await states(peer, task)).get(client) != state:
            pass


def texts_of(peer: Peer) -> list[str]:
    """Every message this peer gets from now on, as it came."""
    texts: list[str] = []
    receive = peer._receive

    def keep(frame: str | bytes) -> None:
        texts.append(str(frame))
        receive(frame)

    vars(peer)["_receive"] = keep
    return texts
