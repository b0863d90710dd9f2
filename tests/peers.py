"""Raw peers for wire tests: they send what a test says and judge what the hub sends.

`LegacyPeer` is as unforgiving as the released taskhubjs 0.0.6 client, which throws, and so takes
its whole process down, at anything it does not know. `V1Peer` holds the hub to its promises of
order. What either finds wrong fails the test with the transcript: at the next call, or at the
latest when the peer is left.
"""

import json
from collections import Counter
from typing import Any, Final, Self
from uuid import uuid4

from tests.raw_peer import JSON, TIMEOUT, Peer, basic

__all__ = ["FIELDS", "JSON", "TIMEOUT", "LegacyPeer", "Peer", "V1Peer", "basic"]

#: The fields of each event beside status, event, eventId and taskId (docs/protocol.md §4.1).
FIELDS: Final = {
    "init": {"action", "payload"},
    "start": set[str](),
    "update": {"update"},
    "drop": set[str](),
    "success": {"result"},
    "fail": {"reason"},
    "end": set[str](),
}
_TASK_MESSAGE: Final = {"status", "event", "eventId", "taskId"}
_ERROR_MESSAGE: Final = {"status", "error", "message", "request"}
_OK_MESSAGE: Final = {"status", "message", "action"}


class LegacyPeer(Peer):
    """Behaves as the released client does. `subprotocol` is None, or "ws" where given."""

    def __init__(
        self,
        url: str,
        name: str,
        key: str,
        *,
        subprotocol: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        super().__init__(url, name, key, timeout=timeout)
        self.subprotocol = subprotocol
        self._event_ids: set[str] = set()

    async def sub(self, action: str) -> JSON:
        """Subscribe; returns the hub's answer, passing over tasks that arrive before it."""
        await self.send({"cmd": "sub", "action": action})
        return (
            await self.collect(
                lambda message: message.get("action") == action and "event" not in message
            )
        )[-1]

    async def pub(self, action: str, payload: Any = None, *, task_id: str | None = None) -> str:
        """Publish a task; returns its id at once, as the released client does."""
        task_id = task_id or str(uuid4())
        await self.event(task_id, "init", action=action, payload=payload)
        return task_id

    async def event(self, task_id: str, event: str, **fields: Any) -> str:
        """Send any event of a task, its publisher's own included; returns the eventId."""
        event_id = str(uuid4())
        command = {"cmd": "pub", "event": event, "eventId": event_id, "taskId": task_id}
        await self.send({**command, **fields})
        return event_id

    async def success(self, task_id: str, result: Any = None) -> None:
        """Finish with `success` and `end` back to back, which the released client always does."""
        await self.event(task_id, "success", result=result)
        await self.event(task_id, "end")

    async def fail(self, task_id: str, reason: Any = None) -> None:
        """Finish with `fail` and `end` back to back."""
        await self.event(task_id, "fail", reason=reason)
        await self.event(task_id, "end")

    async def events_until(self, task_id: str, event: str = "end") -> list[str]:
        """The names of one task's events up to this one; other messages are passed over."""
        seen = await self.collect(
            lambda message: message.get("taskId") == task_id and message.get("event") == event
        )
        return [message["event"] for message in seen if message.get("taskId") == task_id]

    def _judge(self, message: JSON) -> None:
        if message.get("status") == "error":
            if forged := {"taskId", "event", "eventId"} & message.keys():
                self._fault(f"an error with {sorted(forged)}: taken for a task message, throws")
            self._nothing_more(message, _ERROR_MESSAGE)
        elif "event" in message or "taskId" in message:
            self._judge_task_message(message)
        else:
            self._nothing_more(message, _OK_MESSAGE)

    def _judge_task_message(self, message: JSON) -> None:
        event = message.get("event")
        if event not in FIELDS:
            self._fault(f"unknown event {event!r}: throws")
            return
        wanted = _TASK_MESSAGE | FIELDS[event]
        if missing := wanted - message.keys():
            self._fault(f"{event} without {sorted(missing)}: throws")
        event_id = message.get("eventId", "")
        if event_id in self._event_ids:
            self._fault(f"eventId {event_id} a second time: throws")
        self._event_ids.add(event_id)
        self._nothing_more(message, wanted)

    def _nothing_more(self, message: JSON, allowed: set[str]) -> None:
        if more := message.keys() - allowed:
            self._fault(f"fields unknown to a legacy connection: {sorted(more)} (§4.3, §7)")


class V1Peer(Peer):
    """Speaks taskhub.v1; connecting takes the welcome, which is in `welcome` afterwards."""

    subprotocol = "taskhub.v1"

    def __init__(self, url: str, name: str, key: str, *, timeout: float = TIMEOUT) -> None:
        super().__init__(url, name, key, timeout=timeout)
        self.welcome: JSON = {}
        #: The last seq seen of each task.
        self.last_seq: dict[str, int] = {}
        self._event_ids: set[str] = set()
        self._sent_event_ids: set[str] = set()
        #: eventIds sent more than once: each may be answered by the original message (§4.7).
        self._repeats: Counter[str] = Counter()
        #: Tasks asked for again from a seq (§3 watch, §6), with the highest seq that may repeat.
        self._replays: dict[str, int] = {}
        self._replaying: set[str] = set()

    async def connect(self) -> Self:
        """Connect and take the welcome, which has to come first (§2.5)."""
        await super().connect()
        try:
            self.welcome = await self.next_message()
            if self.welcome.get("type") != "welcome":
                self.blame("The first message is not the welcome (§2.5).")
        except BaseException:
            await self.close()
            raise
        return self

    async def event(self, task_id: str, event: str, **fields: Any) -> str:
        """Send any event of a task; returns the eventId."""
        event_id = str(uuid4())
        command = {"cmd": "pub", "event": event, "eventId": event_id, "taskId": task_id}
        await self.send({**command, **fields})
        return event_id

    async def request(self, cmd: str, **fields: Any) -> JSON:
        """Send a command with an id of its own; the answer, other messages passed over."""
        command_id = str(uuid4())
        await self.send({"cmd": cmd, "id": command_id, **fields})
        return (await self.collect(lambda message: message.get("id") == command_id))[-1]

    async def task_until(self, task_id: str, event: str = "end") -> list[JSON]:
        """One task's messages up to this event; other messages are passed over."""
        seen = await self.collect(
            lambda message: message.get("taskId") == task_id and message.get("event") == event
        )
        return [one for one in seen if one.get("taskId") == task_id and "event" in one]

    def _sending(self, frame: JSON | str | bytes) -> None:
        try:
            command = frame if isinstance(frame, dict) else json.loads(frame)
        except ValueError:
            return
        if not isinstance(command, dict):
            return
        match command:
            case {"cmd": "watch", "taskId": str(task_id)}:
                self._expect_replay(task_id)
            case {"cmd": "resume", "tasks": dict(tasks)}:
                for task_id in tasks:
                    self._expect_replay(task_id)
            case {"cmd": "pub", "eventId": str(event_id)}:
                if event_id in self._sent_event_ids or event_id in self._event_ids:
                    self._repeats[event_id] += 1
                self._sent_event_ids.add(event_id)

    def _expect_replay(self, task_id: str) -> None:
        self._replays[task_id] = self.last_seq.get(task_id, 0)
        self._replaying.discard(task_id)

    def _judge(self, message: JSON) -> None:
        if message.get("status") == "error" or "event" not in message:
            return
        event, task_id, seq = message["event"], message.get("taskId"), message.get("seq")
        if event not in FIELDS:
            self._fault(f"unknown event {event!r}")
            return
        wanted = _TASK_MESSAGE | FIELDS[event] | {"seq", "at", "by"}
        if event == "init" and "payloadSize" in message:
            wanted = wanted - {"payload"}
        if missing := wanted - message.keys():
            self._fault(f"{event} without {sorted(missing)} (§4.3)")
        if isinstance(task_id, str) and isinstance(seq, int):
            self._judge_order(message["eventId"], task_id, seq)

    def _judge_order(self, event_id: str, task_id: str, seq: int) -> None:
        if event_id in self._event_ids and self._repeats[event_id] > 0:
            self._repeats[event_id] -= 1  # asked for by sending it again, so out of order
            return
        last = self.last_seq.get(task_id, 0)
        if task_id in self._replays and task_id not in self._replaying:
            if seq <= last:
                self._replaying.add(task_id)
            else:  # still live: the hub has not read the command yet
                self._replays[task_id] = seq
        replayed = task_id in self._replaying and seq <= self._replays[task_id]
        if event_id in self._event_ids and not replayed:
            self._fault(f"eventId {event_id} a second time (§4.4)")
        self._event_ids.add(event_id)
        # A watch begins wherever it was asked to, and a live one where the task just is; a late
        # participant is told of the init, and then of what happens from there on (§3 sub).
        begins = last <= 1 or (replayed and seq <= last)
        if not begins and seq != last + 1:
            self._fault(f"task {task_id}: seq {seq} after {last} (§4.8)")
        self.last_seq[task_id] = seq
