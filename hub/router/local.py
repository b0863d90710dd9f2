"""Hands committed events to the connections of this process.

Each message is encoded at most once for each protocol version, whatever the number
of receivers, and never blocks: a connection that cannot take it is the connection's
own trouble (docs/protocol.md §2.6).
"""

from collections.abc import Sequence

from hub.core.connections import Watching
from hub.core.effects import Acknowledge, Deliver, Offer, Refuse, Resumed, Unchanged
from hub.core.facts import Event
from hub.core.presence import Presence
from hub.core.values import EventKind
from hub.protocol import encode
from hub.protocol.encode import event_v1
from hub.router.feed import Feed
from hub.router.port import Outgoing, Sink
from hub.router.presence import Roll
from hub.router.watches import Watches


class Encoded:
    """Events of one task in the forms that connections of different kinds get."""

    __slots__ = ("_lazy", "_legacy", "_v1", "events")

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self._legacy: Outgoing | None = None
        self._v1: Outgoing | None = None
        self._lazy: Outgoing | None = None

    def for_sink(self, sink: Sink) -> Outgoing:
        """The messages this connection gets."""
        if not sink.v1:
            if self._legacy is None:
                self._legacy = Outgoing(*map(encode.event_legacy, self.events))
            return self._legacy
        if sink.lazy_payload is not None and self._is_large(sink.lazy_payload):
            if self._lazy is None:
                self._lazy = Outgoing(*map(_without_payload, self.events))
            return self._lazy
        if self._v1 is None:
            self._v1 = Outgoing(*map(event_v1, self.events))
        return self._v1

    def _is_large(self, limit: int) -> bool:
        first = self.events[0]
        return first.kind is EventKind.INIT and encode.payload_size(first.body or "") > limit


def _without_payload(event: Event) -> str:
    return event_v1(event, size_only=event.kind is EventKind.INIT)


class LocalRouter:
    """The connections of this process, and what each of them is to hear."""

    def __init__(self, roll: Roll) -> None:
        self._sinks: dict[str, Sink] = {}
        #: connections without a socket, made for one command of this process (hub.inside)
        self._inside: set[str] = set()
        self._roll = roll
        #: connections that an event was handed to, added up over all events
        self.delivered = 0
        self.watches = Watches()
        self.feed = Feed()

    def add(self, sink: Sink, presence: Presence | None) -> None:
        """A connection takes messages from now on; nobody is to see one without presence."""
        self._sinks[sink.connection] = sink
        if presence is None:
            self._inside.add(sink.connection)
        else:
            self._roll.opened(presence)

    def remove(self, connection: str) -> Watching:
        """A connection is gone, with its watches; returns what it watched."""
        if self._sinks.pop(connection, None) is not None:
            if connection in self._inside:
                self._inside.discard(connection)
            else:
                self._roll.closed(connection)
        return self.watches.leave(connection)

    def open_by_protocol(self) -> dict[str, int]:
        """How many connections are open; any thread may ask."""
        sinks = list(self._sinks.values())
        v1 = sum(sink.v1 for sink in sinks)
        return {"taskhub.v1": max(0, v1 - len(self._inside)), "legacy": len(sinks) - v1}

    def sink(self, connection: str) -> Sink | None:
        """An open connection of this process."""
        return self._sinks.get(connection)

    def with_socket(self) -> dict[str, Sink]:
        """All open connections of clients, by id."""
        inside = self._inside
        return {name: sink for name, sink in self._sinks.items() if name not in inside}

    def deliver(self, effect: Deliver) -> None:
        """Events to their task's publisher, its participants, and those who watch (§4.4)."""
        if self.feed.observed:
            self.feed.tell(effect.action, effect.events)
        messages = Encoded(effect.events)
        self.delivered += len(effect.to) * len(effect.events)
        watching = self.watches.on_event(effect.events[0].task, effect.events[0].seq)
        sender, to = effect.sender, effect.to
        asked = sender if effect.command_id is not None or sender not in to else None
        sinks = self._sinks
        for connection in to:
            if connection == asked or (watching and connection in watching):
                continue  # it is told in words of its own, or by its watch in its own order
            sink = sinks.get(connection)
            if sink is not None:
                sink.send(messages.for_sink(sink))
        watchers = self.watches.on_action(effect.action)
        if asked is not None and not (watching and asked in watching):
            self._answer(asked, effect, messages, alone=asked not in to and asked not in watchers)
        told = list(watching or ())  # the last event ends the watches it was told by
        if told:
            self._tell_watchers(told, effect, messages)
        for connection in watchers:
            if connection != asked and connection not in to and connection not in told:
                self._send(connection, messages)

    def _answer(self, sender: str, effect: Deliver, messages: Encoded, *, alone: bool) -> None:
        """Tell the sender, with its ``id``: ``alone``, if the answer is all it is to hear."""
        sink = self._sinks.get(sender)
        if sink is None:
            return
        texts = _answered(effect, messages.for_sink(sink).texts)
        if alone:
            texts = texts[effect.answer : effect.answer + 1]
        sink.send(Outgoing(*texts))

    def _tell_watchers(self, watching: list[str], effect: Deliver, messages: Encoded) -> None:
        task = effect.events[0].task
        for connection in watching:
            watch = (self.watches.on_task(task) or {})[connection]
            sink = self._sinks.get(connection)
            if sink is None:
                continue
            texts = messages.for_sink(sink).texts
            if connection == effect.sender:
                texts = _answered(effect, texts)
            taken = [
                text
                for event, text in zip(effect.events, texts, strict=True)
                if watch.takes(event.seq)
            ]
            if taken:
                sink.send(Outgoing(*taken))
        if effect.events[-1].kind is EventKind.END:
            self.watches.end_task(task)

    def _send(self, connection: str, messages: Encoded) -> None:
        sink = self._sinks.get(connection)
        if sink is not None:
            sink.send(messages.for_sink(sink))

    def offer(self, effect: Offer) -> None:
        """A task's init to one more participant."""
        if self.feed.observed and effect.event.created is not None:
            # No event tells of a late participant, yet whoever looks at the task should see it.
            self.feed.tell(effect.event.created.action, (effect.event,))
        self.send_event(effect.to, effect.event)

    def send_event(self, connection: str, event: Event, command_id: str | None = None) -> None:
        """One stored event to one connection."""
        sink = self._sinks.get(connection)
        if sink is None:
            return
        outgoing = Encoded((event,)).for_sink(sink)
        if command_id is not None:
            outgoing = Outgoing(encode.with_id(outgoing.texts[0], command_id))
        sink.send(outgoing)

    def acknowledge(self, effect: Acknowledge) -> None:
        """An ok to one connection."""
        self.send(effect.to, encode.acknowledge(effect))

    def resumed(self, effect: Resumed) -> None:
        """Whether a lost connection is resumed (§6)."""
        sink = self._sinks.get(effect.to)
        if sink is not None:
            sink.lazy_payload = effect.lazy_payload if effect.previous else sink.lazy_payload
            self.send(effect.to, encode.resumed(effect))

    def unchanged(self, effect: Unchanged) -> None:
        """Nothing changed: said to v1, silence for legacy (§4.7)."""
        sink = self._sinks.get(effect.to)
        if sink is not None and sink.v1:
            sink.send(Outgoing(encode.unchanged(effect)))

    def refuse(self, effect: Refuse, fresh_id: str) -> None:
        """An error to one connection (§7)."""
        sink = self._sinks.get(effect.to)
        if sink is not None:
            sink.send(Outgoing(*encode.refusal(effect, v1=sink.v1, fresh_id=fresh_id)))

    def send(self, connection: str, text: str) -> None:
        """A message of its own to one connection."""
        sink = self._sinks.get(connection)
        if sink is not None:
            sink.send(Outgoing(text))


def _answered(effect: Deliver, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The messages as their sender gets them: the answer bears the ``id`` of its command."""
    if effect.command_id is None:
        return texts
    told = list(texts)
    told[effect.answer] = encode.with_id(told[effect.answer], effect.command_id)
    return tuple(told)
