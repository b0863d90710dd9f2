"""A hub on a loop of its own thread, on the database of the tests, as Django's threads see it."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.db import connection

from hub import runtime as hub_runtime
from hub.conf import hub_settings
from hub.core.access import Access, access
from hub.core.errors import Code, Rejection
from hub.core.presence import Presence
from hub.core.values import Token
from hub.journal.sqlite import SqliteJournal
from hub.router.port import Outgoing
from hub.runtime import Runtime

T = TypeVar("T")
TIMEOUT_S = 10.0


class Peer:
    """A client's connection on the hub's loop: remembers what it hears, and may work on it."""

    v1 = True

    def __init__(self, hub: "HubHere", name: str) -> None:
        self.hub = hub
        self.connection = f"{name}-connection"
        self.token = Token(f"session of {name}")
        self.lazy_payload: int | None = None
        self.frames = 0
        self.unsent = 0
        self.closed: int | None = None
        self.messages: list[dict[str, Any]] = []
        #: what it answers to each init: an event and its fields; None: nothing
        self.answer: dict[str, Any] | None = None
        self._heard = threading.Condition()

    def send(self, messages: Outgoing) -> None:
        """Part of ``Sink``."""
        for message in map(json.loads, messages.texts):
            with self._heard:
                self.messages.append(message)
                self._heard.notify_all()
            if message.get("event") == "init" and self.answer is not None:
                task_id = message["taskId"]
                self.say(cmd="pub", taskId=task_id, eventId=f"answer-{task_id}", **self.answer)

    def close(self, code: int) -> None:
        """Part of ``Sink``."""
        self.closed = code

    def bad_frame(self) -> None:
        """Part of ``Sink``."""

    async def room(self) -> None:
        """Part of ``Sink``."""

    def say(self, **frame: object) -> None:
        """Send a frame, on the hub's loop."""
        self.hub.loop.call_soon_threadsafe(
            self.hub.runtime.pipeline.receive, self, json.dumps(frame)
        )

    def hears(self, **fields: object) -> dict[str, Any]:
        """Wait for a message with these fields."""

        def found() -> dict[str, Any] | None:
            return next((m for m in self.messages if fields.items() <= m.items()), None)

        with self._heard:
            assert self._heard.wait_for(found, TIMEOUT_S), (fields, self.messages)
        message = found()
        assert message is not None
        return message


class HubHere:
    """The hub of this process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="hub of the test")
        self._thread.start()
        journal = SqliteJournal(Path(str(connection.settings_dict["NAME"])))
        self.runtime = Runtime(hub_settings(), journal)
        self.run(self.runtime.start)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do this on the hub's loop."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(TIMEOUT_S)

    def do(self, work: Callable[..., T], *args: Any, **more: Any) -> T:
        """Call this on the hub's loop."""

        async def called() -> T:
            return work(*args, **more)

        return self.run(called)

    def connect(self, name: str, rights: Access | None = None) -> Peer:
        """A connection of a client of this name, allowed everything unless told."""
        peer = Peer(self, name)
        presence = Presence(
            connection=peer.connection,
            client=name,
            address="192.0.2.1",
            protocol="taskhub.v1",
            since=self.runtime.clock(),
            agent="a peer/1",
        )
        everything = access(name, sub=["*"], pub=["*"], watch=["*"])
        self.do(self.runtime.pipeline.connect, peer, rights or everything, presence)
        return peer

    def service(self, action: str, **answer: Any) -> Peer:
        """A service of this action that answers each init with this event, or not at all."""
        peer = self.connect("service")
        peer.answer = answer or None
        peer.say(cmd="sub", action=action)
        peer.hears(action=action)
        return peer

    def stop(self) -> None:
        """Stop the hub, and its loop."""
        self.run(self.runtime.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


def eventually(condition: Callable[[], object], timeout: float = TIMEOUT_S) -> None:
    """Wait until this holds, in a thread of its own."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)


@contextmanager
def refused(code: Code) -> Iterator["pytest.ExceptionInfo[Rejection]"]:
    """What is done here is refused with this code."""
    with pytest.raises(Rejection) as caught:
        yield caught
    assert caught.value.code is code, caught.value


@pytest.fixture
def hub(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubHere]:
    here = HubHere()
    monkeypatch.setattr(hub_runtime._process, "current", here.runtime)
    yield here
    here.stop()
