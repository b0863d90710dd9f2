"""Events of tasks this connection need not take part in."""

from typing import Final

from taskhub._mailbox import Mailbox
from taskhub._patterns import covers
from taskhub._wire import Event

#: Events kept for a reader that is slower than the hub.
UNREAD_EVENTS: Final = 10_000


class Watch:
    """An async iterator over the events of the actions its pattern names, until `unwatch`.

    It is live: what happens while the connection is away is not told afterwards.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern: str = pattern
        self._events: Mailbox[Event] = Mailbox(
            bound=UNREAD_EVENTS, what=f"Events of the watch on {pattern}"
        )

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Event:
        return await self._events.next()

    def receive(self, event: Event) -> None:
        """From the read loop: an event of any task, for the first time."""
        # Only an init names the action. Of a task that is older than this connection the action
        # is not known; the hub would not have sent its event had no pattern covered it.
        if event.action is None or covers(self.pattern, event.action):
            self._events.put(event)

    def end(self, error: Exception | None = None) -> None:
        """Let the reader finish what has arrived, then stop it or raise."""
        self._events.end(error)
