"""Hands committed events to the connections of this process.

Each message is encoded at most once for each protocol version, whatever the number
of receivers, and never blocks: a connection that cannot take it is the connection's
own trouble (docs/protocol.md §2.6).
"""

from collections.abc import Collection

from hub.core.effects import Acknowledge, Deliver, Offer, Refuse, Unchanged
from hub.core.facts import Event
from hub.core.presence import Presence
from hub.core.values import EventKind
from hub.protocol import encode
from hub.router.port import Outgoing, Sink
from hub.router.presence import Roll
from hub.router.watches import Watches


class Encoded:
    """One event in the forms that connections of different kinds get."""

    __slots__ = ("_lazy", "_legacy", "_v1", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._legacy: Outgoing | None = None
        self._v1: Outgoing | None = None
        self._lazy: Outgoing | None = None

    def for_sink(self, sink: Sink) -> Outgoing:
        """The message this connection gets."""
        if not sink.v1:
            if self._legacy is None:
                self._legacy = Outgoing(encode.event_legacy(self.event))
            return self._legacy
        if sink.lazy_payload is not None and self._is_large(sink.lazy_payload):
            if self._lazy is None:
                self._lazy = Outgoing(encode.event_v1(self.event, size_only=True))
            return self._lazy
        if self._v1 is None:
            self._v1 = Outgoing(encode.event_v1(self.event))
        return self._v1

    def _is_large(self, limit: int) -> bool:
        event = self.event
        return event.kind is EventKind.INIT and encode.payload_size(event.body or "") > limit


class LocalRouter:
    """The connections of this process, and what each of them is to hear."""

    def __init__(self, roll: Roll) -> None:
        self._sinks: dict[str, Sink] = {}
        self._roll = roll
        #: connections that an event was handed to, added up over all events
        self.delivered = 0
        self.watches = Watches()

    def add(self, sink: Sink, presence: Presence) -> None:
        """A connection takes messages from now on."""
        self._sinks[sink.connection] = sink
        self._roll.opened(presence)

    def remove(self, connection: str) -> None:
        """A connection is gone, with its watches."""
        if self._sinks.pop(connection, None) is not None:
            self._roll.closed(connection)
        self.watches.end_all(connection)

    def open_by_protocol(self) -> dict[str, int]:
        """How many connections are open; any thread may ask."""
        v1 = sum(sink.v1 for sink in list(self._sinks.values()))
        return {"taskhub.v1": v1, "legacy": len(self._sinks) - v1}

    def sink(self, connection: str) -> Sink | None:
        """An open connection of this process."""
        return self._sinks.get(connection)

    def deliver(self, effect: Deliver) -> None:
        """An event to its publisher, its participants, and those who watch (§4.4)."""
        event = effect.event
        message = Encoded(event)
        self.delivered += len(effect.to)
        watching = self.watches.on_task(event.task)
        for connection in effect.to:
            if watching and connection in watching:
                continue  # the watch tells it, in its own order
            sink = self._sinks.get(connection)
            if sink is None:
                continue
            if connection == effect.sender and effect.command_id is not None:
                text = encode.with_id(message.for_sink(sink).text, effect.command_id)
                sink.send(Outgoing(text))
            else:
                sink.send(message.for_sink(sink))
        if watching:
            self._tell_watchers(message, list(watching), effect)
        self._tell_pattern_watchers(message, effect, watching or ())

    def _tell_watchers(self, message: Encoded, watching: list[str], effect: Deliver) -> None:
        task = message.event.task
        for connection in watching:
            watch = (self.watches.on_task(task) or {})[connection]
            sink = self._sinks.get(connection)
            if sink is None or not watch.takes(message.event.seq):
                continue
            outgoing = message.for_sink(sink)
            if connection == effect.sender and effect.command_id is not None:
                outgoing = Outgoing(encode.with_id(outgoing.text, effect.command_id))
            sink.send(outgoing)
        if message.event.kind is EventKind.END:
            self.watches.end_task(task)

    def _tell_pattern_watchers(
        self, message: Encoded, effect: Deliver, watching: Collection[str]
    ) -> None:
        for connection in self.watches.on_action(effect.action):
            sink = self._sinks.get(connection)
            if sink is not None and connection not in effect.to and connection not in watching:
                sink.send(message.for_sink(sink))

    def offer(self, effect: Offer) -> None:
        """A task's init to one more participant."""
        self.send_event(effect.to, effect.event)

    def send_event(self, connection: str, event: Event, command_id: str | None = None) -> None:
        """One stored event to one connection."""
        sink = self._sinks.get(connection)
        if sink is None:
            return
        outgoing = Encoded(event).for_sink(sink)
        if command_id is not None:
            outgoing = Outgoing(encode.with_id(outgoing.text, command_id))
        sink.send(outgoing)

    def acknowledge(self, effect: Acknowledge) -> None:
        """An ok to one connection."""
        self.send(effect.to, encode.acknowledge(effect))

    def unchanged(self, effect: Unchanged) -> None:
        """Nothing changed: said to v1, silence for legacy (§4.7)."""
        sink = self._sinks.get(effect.to)
        if sink is not None and sink.v1:
            sink.send(Outgoing(encode.unchanged(effect)))

    def refuse(self, effect: Refuse, fresh_id: str) -> None:
        """An error to one connection (§7)."""
        sink = self._sinks.get(effect.to)
        if sink is not None:
            for text in encode.refusal(effect, v1=sink.v1, fresh_id=fresh_id):
                sink.send(Outgoing(text))

    def send(self, connection: str, text: str) -> None:
        """A message of its own to one connection."""
        sink = self._sinks.get(connection)
        if sink is not None:
            sink.send(Outgoing(text))
