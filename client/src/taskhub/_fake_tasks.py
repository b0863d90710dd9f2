"""The life of one task in the hub of `taskhub.testing` (docs/protocol.md §5), in memory."""

import time
from collections.abc import Callable
from typing import Any, Final

from taskhub._wire import new_id

HUB: Final = "hub"
#: event → the field with its value
_VALUES: Final = {"update": "update", "success": "result", "fail": "reason", "drop": "reason"}


class Rejected(Exception):  # noqa: N818 (an answer, not a fault)
    """A command that is refused, with the code of docs/protocol.md §7."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Part:
    """One participant."""

    def __init__(self, client: str, connection: str) -> None:
        self.client = client
        self.connection = connection
        #: offered, started, succeeded, failed, dropped, timed out or lost.
        self.state = "offered"
        self.value: Any = None

    @property
    def active(self) -> bool:
        """Whether it may still say something."""
        return self.state in {"offered", "started"}


class FakeTask:
    """One task; `tell` is called with each message, in order."""

    def __init__(self, init: dict[str, Any], publisher: str, tell: Callable[..., None]) -> None:
        self.id: str = init["taskId"]
        self.action: str = init["action"]
        self.payload: Any = init.get("payload")
        self.publisher = publisher
        self.settle = init.get("settle", "any")
        self.expect = init.get("expect", "result")
        self.claim = init.get("claim", False)
        self.parts: list[Part] = []
        self.events: list[dict[str, Any]] = []
        #: eventId → who sent what
        self.sent: dict[str, tuple[str, dict[str, Any]]] = {}
        self.outcome: dict[str, Any] | None = None
        self.window_open = True
        self.ended = False
        self._tell = tell

    def add(self, event: str, by: str, *, event_id: str | None = None, **fields: Any) -> None:
        """One more event."""
        message = {
            "status": "ok",
            "eventId": event_id or new_id(),
            "event": event,
            **fields,
            "taskId": self.id,
            "seq": len(self.events) + 1,
            "at": round(time.time() * 1000),
            "by": by,
        }
        self.events.append(message)
        if event in {"success", "fail"}:
            self.outcome = message
        if event == "end":
            self.ended = True
        self._tell(self, message)

    def report(self, part: Part, event: str, command: dict[str, Any]) -> bool:
        """What a participant says; False: nothing changed (§5.2, §5.3)."""
        if event == "end" or (event == "start" and part.state == "started"):
            if event == "end" and part.active:
                self._finish(part, "drop", {}, new_id())
                return True
            return False
        if not part.active:
            raise Rejected("illegal-transition", "This participant has said its last word.")
        self._begin(part, command["eventId"] if event == "start" else None)
        if event == "start":
            return True
        fields = {}
        if (field := _VALUES.get(event)) is not None and field in command:
            fields[field] = command[field]
        if event == "update":
            self.add("update", part.client, event_id=command["eventId"], **fields)
        else:
            self._finish(part, event, fields, command["eventId"])
        return True

    def _begin(self, part: Part, event_id: str | None) -> None:
        if part.state == "started":
            return
        others = [other for other in self.parts if other is not part]
        if self.claim and any(other.state != "offered" for other in others):
            raise Rejected("claimed", "Another one has claimed this task.")
        part.state = "started"
        self.add("start", part.client, event_id=event_id)
        if self.claim:
            for other in others:
                other.state = "dropped"

    def _finish(self, part: Part, event: str, fields: dict[str, Any], event_id: str) -> None:
        part.value = next(iter(fields.values()), None)
        others = [other for other in self.parts if other is not part]
        alone = not any(o.active or o.state in {"failed", "succeeded"} for o in others)
        part.state = {"success": "succeeded", "fail": "failed", "drop": "dropped"}[event]
        if event == "success":
            decides = self.settle != "all"
        else:
            decides = event == "fail" and (self.settle == "first" or alone)
        decides = decides and self.outcome is None
        if decides or event == "drop":
            self.add(event, part.client, event_id=event_id, **fields)
        else:
            self.add("drop", part.client, event_id=event_id, outcome=event, **fields)
        self.advance()

    def advance(self) -> None:
        """Settle and end, if it is time for that (§5.4)."""
        if self.ended:
            return
        failed = self.outcome is not None and self.outcome["event"] == "fail"
        waits = any(part.active for part in self.parts) or (self.window_open and not self.parts)
        if not failed and waits:
            return
        if self.outcome is None:
            self._conclude()
        self.add("end", HUB)

    def _conclude(self) -> None:
        states = {part.state for part in self.parts}
        results = [p for p in self.parts if p.state == "succeeded"]
        fails = [p for p in self.parts if p.state == "failed"]
        if not self.parts:
            self._fail("no-subscriber", "Nobody subscribes to the action.")
        elif results:
            found = [{"by": part.client, "result": part.value} for part in results]
            self.add("success", HUB, result=found)
        elif fails:
            self.add("fail", fails[0].client, reason=fails[0].value)
        elif "service-lost" in {p.value for p in self.parts if p.state == "lost"}:
            self._fail("service-lost", "The connection of the service was lost.")
        elif states == {"timed out"} and self.expect == "result":
            self._fail("start-timeout", "Nobody started in time.")
        else:
            self.add("success", HUB, result=None)

    def _fail(self, code: str, message: str, by: str = HUB, **more: Any) -> None:
        self.add("fail", by, reason={"code": code, "message": message, **more})

    def start_window_over(self) -> None:
        """Who has not started is too late."""
        self.window_open = False
        for part in self.parts:
            if part.state == "offered":
                part.state = "timed out"
        self.advance()

    def end_deadline_over(self) -> None:
        """It ends in any case."""
        if self.outcome is None and not self.ended:
            self._fail("end-timeout", "No outcome in time.")
        if not self.ended:
            self.add("end", HUB)

    def cancel(self, by: str, command: dict[str, Any]) -> None:
        """At the wish of its publisher."""
        if self.ended:
            raise Rejected("task-ended", "This task has ended.")
        if self.outcome is not None:
            raise Rejected("illegal-transition", "This task is settled.")
        more = {"reason": command["reason"]} if "reason" in command else {}
        self._fail("cancelled", f"Cancelled by {by}.", by, **more)
        self.advance()

    def lose(self, part: Part) -> None:
        """The grace of its connection is over."""
        if part.active and not self.ended:
            part.value = "service-lost" if part.state == "started" else None
            part.state = "lost"
            reason = {"code": "service-lost", "message": "The connection of the service was lost."}
            self.add("drop", HUB, reason=reason)
            self.advance()
