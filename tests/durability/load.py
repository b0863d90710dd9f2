"""Clients that keep a hub busy and outlive it: each returns, and sends again what was not answered.

What they do is drawn from a seeded generator; when it happens is the machine's.
"""

import asyncio
import random
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Final
from uuid import uuid4

from websockets.exceptions import WebSocketException

from tests.durability.ledger import Ledger
from tests.hub_process import HubProcess
from tests.peers import JSON, LegacyPeer, V1Peer

ACTION: Final = "load:work"
#: Nobody subscribes to it.
IDLE_ACTION: Final = "idle:work"
RETRY_S: Final = 0.02
#: How often a frame is sent twice at once, and a task goes where nobody is.
TWICE, IDLE = 0.05, 0.03
#: Answered commands that a client sends again on each connection.
REPEATS: Final = 3
#: What a service does with a task, and how often: the events it sends, in order.
WORK: Final = {
    ("start", "update", "success"): 50,
    ("success",): 20,
    ("start", "fail"): 8,
    ("drop",): 7,
    ("start", "update", "update", "success"): 10,
    (): 5,
}
BODIES: Final = {"update": "update", "success": "result", "fail": "reason"}
#: Seconds at work between two events, at most.
AT_WORK_S = 0.2


class HeardV1(V1Peer):
    """Writes into the ledger what it hears."""

    ledger: Ledger

    def __init__(self, url: str, name: str, key: str) -> None:
        super().__init__(url, name, key)
        #: eventIds that were sent on an earlier connection, and are not yet answered on this one
        self._again: set[str] = set()

    def _judge(self, message: JSON) -> None:
        super()._judge(message)
        self.ledger.hear(message)

    def again(self, event_id: str) -> None:
        """This event was sent on an earlier connection too."""
        self._again.add(event_id)

    def _judge_order(self, event_id: str, task_id: str, seq: int) -> None:
        if event_id not in self._again:
            super()._judge_order(event_id, task_id, seq)
            return
        # New, and then next in order; or stored by the hub before, and told out of order (§4.7).
        self._again.remove(event_id)
        self._event_ids.add(event_id)
        if self.last_seq.get(task_id) == seq - 1:
            self.last_seq[task_id] = seq


class HeardLegacy(LegacyPeer):
    """Writes into the ledger what it hears."""

    ledger: Ledger

    def _judge(self, message: JSON) -> None:
        super()._judge(message)
        self.ledger.hear(message)


class Party:
    """One client for as long as the test lasts, over as many connections as it takes."""

    peer_class: type[HeardV1 | HeardLegacy] = HeardV1

    def __init__(self, hub: HubProcess, name: str, ledger: Ledger, seed: str) -> None:
        self.hub, self.name, self.ledger = hub, name, ledger
        self.random = random.Random(f"{seed} {name}")
        #: eventId → command, in the order they were first sent
        self.unanswered: dict[str, JSON] = {}
        #: commands that were answered by their event
        self.answered: list[JSON] = []
        self.peer: HeardV1 | HeardLegacy | None = None
        self.may_connect = asyncio.Event()
        #: set while it has no connection
        self.gone = asyncio.Event()
        self.gone.set()
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled. Raises AssertionError when the hub breaks a promise."""
        while True:
            await self.may_connect.wait()
            peer = self.peer_class(self.hub.url, self.name, self.hub.keys[self.name])
            peer.ledger = self.ledger
            self.gone.clear()
            try:
                await self._converse(peer)
            except (OSError, WebSocketException, AssertionError):
                peer.check()  # else the connection is gone, or the hub
            finally:
                self.peer = None
                await peer.close()
                self.gone.set()
            await asyncio.sleep(RETRY_S)

    async def _converse(self, peer: HeardV1 | HeardLegacy) -> None:
        await peer.connect()
        self.peer = peer
        await self.greet()
        while True:
            message = await peer.next_message(timeout=3600)
            command = self.unanswered.pop(message.get("eventId", ""), None)
            if command is not None and "event" in message:
                self.answered.append(command)
            await self.hear(message)

    async def greet(self) -> None:
        """The first frames of a connection: what is not answered, and a little that is."""
        forgetful = self.random.sample(self.answered, min(REPEATS, len(self.answered)))
        for command in [*self.unanswered.values(), *forgetful]:
            if isinstance(self.peer, HeardV1):
                self.peer.again(command["eventId"])
            await self._send(command)

    async def hear(self, message: JSON) -> None:
        """One message of the hub."""

    async def event(self, task_id: str, event: str, **fields: object) -> None:
        """Send an event of a task, now or as soon as there is a hub."""
        event_id = f"{event}-{uuid4().hex}"
        command = {"cmd": "pub", "event": event, "eventId": event_id, "taskId": task_id, **fields}
        self.ledger.sent[event_id] = self.unanswered[event_id] = command
        for _ in range(2 if self.random.random() < TWICE else 1):
            await self._send(command)

    async def _send(self, command: JSON) -> None:
        if self.peer is not None:
            # Gone: it is sent again. At fault: the conversation says so.
            with suppress(WebSocketException, AssertionError):
                await self.peer.send(command)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside the conversation."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class Publisher(Party):
    """Keeps so many tasks in flight, and follows each to its end."""

    def __init__(self, hub: HubProcess, name: str, ledger: Ledger, seed: str, flight: int) -> None:
        super().__init__(hub, name, ledger, seed)
        self._flight = flight
        self.stopping = False
        #: taskId → the last seq heard; 0 before the init was told
        self.open: dict[str, int] = {}
        self.published = 0
        #: set once its first tasks are in flight
        self.busy = asyncio.Event()

    async def greet(self) -> None:
        await super().greet()
        for task_id, seq in self.open.items():
            if seq:
                await self._watch(task_id, seq + 1)
        await self._fill()

    async def hear(self, message: JSON) -> None:
        task_id = message.get("taskId", "")
        if task_id not in self.open or "event" not in message:
            return
        if message["event"] == "init" and self.open[task_id] == 0 and self.away(message):
            await self._watch(task_id, 2)
        self.open[task_id] = max(self.open[task_id], message["seq"])
        if message["event"] == "end":
            del self.open[task_id]
            await self._fill()

    def away(self, message: JSON) -> bool:
        """Whether this was stored before this connection began, so that it may have missed more."""
        assert isinstance(self.peer, HeardV1)
        return bool(message["at"] < self.peer.welcome["now"])

    async def _watch(self, task_id: str, from_seq: int) -> None:
        await self._send({"cmd": "watch", "taskId": task_id, "from": from_seq})

    async def _fill(self) -> None:
        while len(self.open) < self._flight and not self.stopping:
            task_id = f"t-{uuid4().hex}"
            self.open[task_id] = 0
            self.published += 1
            action = IDLE_ACTION if self.random.random() < IDLE else ACTION
            payload = {"n": self.published, "text": "é" * self.random.randrange(200)}
            await self.event(task_id, "init", action=action, payload=payload)
        self.busy.set()


class LegacyPublisher(Publisher):
    """As the released client: it follows its tasks as long as the connection lasts."""

    peer_class = HeardLegacy

    async def greet(self) -> None:
        await Party.greet(self)
        self.unanswered.clear()  # a repeat hears nothing (§4.7), so nothing tells what to repeat
        self.open.clear()
        await self._fill()

    async def hear(self, message: JSON) -> None:
        if message.get("event") == "end" and self.open.pop(message["taskId"], None) is not None:
            await self._fill()


class Service(Party):
    """Works on each task it is offered, now and then slowly."""

    async def greet(self) -> None:
        await self._send({"cmd": "sub", "action": ACTION})
        await super().greet()

    async def hear(self, message: JSON) -> None:
        if message.get("event") == "init":
            [events] = self.random.choices([*WORK], [*WORK.values()])
            self.spawn(self._work(message["taskId"], list(self._timed(events))))

    def _timed(self, events: tuple[str, ...]) -> Iterator[tuple[float, str]]:
        slow = self.random.random() < 0.5
        for event in events:
            yield (self.random.uniform(0, AT_WORK_S) if slow else 0), event

    async def _work(self, task_id: str, events: list[tuple[float, str]]) -> None:
        for pause, event in events:
            if pause:
                await asyncio.sleep(pause)
            fields = {BODIES[event]: {"said by": self.name}} if event in BODIES else {}
            await self.event(task_id, event, **fields)


class LegacyService(Service):
    """As the released client: a result and an end, back to back."""

    peer_class = HeardLegacy

    async def greet(self) -> None:
        await super().greet()
        self.unanswered.clear()  # as above

    async def _work(self, task_id: str, events: list[tuple[float, str]]) -> None:
        await self.event(task_id, "success", result=[self.name, len(events)])
        await self.event(task_id, "end")
