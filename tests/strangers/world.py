"""Tasks in every state that a command can be refused in, around one connection of ``probe``."""

import re
from collections.abc import Mapping

from tests.peers import V1Peer
from tests.strangers.line import TEXT, Line, Mark, frame
from tests.wire.stage import LONG, Stage, caught_up, new_id, pub, until, until_state

PROBE = "probe"
#: What ``World.build`` makes, and for each task the eventId of its init (``$OPEN_INIT``).
TASKS = ("$OPEN", "$ENDED", "$SETTLED", "$FULL", "$OTHERS", "$CLAIMED", "$LATE")
#: Ids that are nowhere, for those who do not need more.
NOWHERE = {name + more: f"no-{name[1:]}" for name in TASKS for more in ("", "_INIT")}
_PLACE = re.compile(r"\$[A-Z_]+")


def filled(text: str | bytes, names: Mapping[str, str]) -> str | bytes:
    """A frame of the corpus with its ids in place; ``$E`` and ``$T`` are new ones."""
    if isinstance(text, bytes):
        return text
    fresh = {"$E": new_id(), "$T": new_id()}
    return _PLACE.sub(lambda m: fresh.get(m[0]) or names.get(m[0], m[0]), text)


class World:
    """``names`` says which task is which; the connection under test takes part in some."""

    def __init__(self, stage: Stage, line: Line) -> None:
        self._stage = stage
        self._line = line
        self._noun = f"weather/{new_id()}"
        self.names: dict[str, str] = {}

    async def build(self) -> dict[str, str]:
        """Bring every task to its state."""
        web, own, a, b = [await self._stage.v1(name) for name in ("web", PROBE, "a", "b")]
        await self._open(own, a)
        await self._ended(own, a)
        await self._settled(own, a, b)
        await self._full(own, a)
        self.names["$OTHERS"] = await self._publish(web, "other:x")
        await self._claimed(web, a)
        await self._late(web, a)
        for peer in (web, own, a, b):
            await caught_up(peer)
        return self.names

    async def _publish(self, peer: V1Peer, action: str, **options: object) -> str:
        task = new_id()
        options = {"startTimeout": LONG, "endTimeout": 300_000, **options}
        event = await peer.event(task, "init", action=action, payload={"n": 1}, **options)
        await until(peer, task, "init")
        self.names[f"${action.rpartition(':')[2].upper()}_INIT"] = event
        return task

    async def _at_work(self, publisher: V1Peer, verb: str, *services: V1Peer) -> str:
        action = f"{self._noun}:{verb}"
        for service in services:
            assert (await service.request("sub", action=action))["status"] == "ok"
        task = await self._publish(publisher, action)
        for service in services:
            await until(service, task, "init")
            assert (await pub(service, task, "start"))["event"] == "start"
        self.names[f"${verb.upper()}"] = task
        return task

    async def _open(self, own: V1Peer, a: V1Peer) -> None:
        await self._at_work(own, "open", a)

    async def _ended(self, own: V1Peer, a: V1Peer) -> None:
        task = await self._at_work(own, "ended", a)
        await a.event(task, "success", result=1)
        await until(own, task)

    async def _settled(self, own: V1Peer, a: V1Peer, b: V1Peer) -> None:
        task = await self._at_work(own, "settled", a, b)
        await a.event(task, "success", result=1)
        await until(own, task, "success")

    async def _full(self, own: V1Peer, a: V1Peer) -> None:
        task = await self._at_work(own, "full", a)
        # the publisher's own part begins with a start, which is an event too (D2)
        assert (await pub(own, task, "start"))["event"] == "start"
        for number in range(self._stage.hub.limit("max_events_per_task") - 3):
            assert (await pub(a, task, "update", update=number))["event"] == "update"

    async def _take_part(self, action: str) -> None:
        """The connection under test subscribes."""
        command = f'{{"cmd":"sub","action":"{action}"}}'.encode()
        mark = Mark()
        self._line.send(frame(TEXT, command), mark.data)
        (answer,) = [m for m in await mark.reached(self._line) if "event" not in m]
        assert answer["status"] == "ok", answer

    async def _claimed(self, web: V1Peer, a: V1Peer) -> None:
        action = f"{self._noun}:claimed"
        await a.request("sub", action=action)
        await self._take_part(action)
        task = await self._publish(web, action, claim=True)
        assert (await pub(a, task, "start"))["event"] == "start"
        self.names["$CLAIMED"] = task

    async def _late(self, web: V1Peer, a: V1Peer) -> None:
        action = f"{self._noun}:late"
        await a.request("sub", action=action)
        await self._take_part(action)
        task = await self._publish(web, action, startTimeout=300)
        assert (await pub(a, task, "start"))["event"] == "start"
        self.names["$LATE"] = task
        await until_state(web, task, PROBE, "timed out")
