"""Who wants to hear of which actions: one index for subscriptions and for watches."""

import msgspec

from hub.core.access import patterns_covering

#: How many actions' answers are kept; a change of any subscription empties them.
_CACHED_ACTIONS = 4_096


class Subscriber(msgspec.Struct, frozen=True, gc=False):
    """A connection that asked for an action."""

    connection: str
    #: takes turns with the other connections of its client (§5.6)
    group: bool


class Interest:
    """Patterns by connection, answered by action."""

    def __init__(self) -> None:
        self._patterns: dict[str, dict[str, bool]] = {}
        self._exact: dict[str, dict[str, bool]] = {}
        self._answers: dict[str, tuple[Subscriber, ...]] = {}

    def add(self, connection: str, pattern: str, *, exact: bool, group: bool = False) -> None:
        """Note that a connection wants what ``pattern`` covers, or just that one action."""
        index = self._exact if exact else self._patterns
        index.setdefault(pattern, {})[connection] = group
        self._answers.clear()

    def remove(self, connection: str, pattern: str, *, exact: bool) -> None:
        """Forget one pattern of a connection; unknown ones are ignored."""
        index = self._exact if exact else self._patterns
        connections = index.get(pattern)
        if connections is None or connections.pop(connection, None) is None:
            return
        if not connections:
            del index[pattern]
        self._answers.clear()

    def covering(self, action: str) -> tuple[Subscriber, ...]:
        """The connections that want this action, each once, in the order they asked.

        One that asked both alone and in a group is answered as alone.
        """
        answer = self._answers.get(action)
        if answer is None:
            answer = self._answer(action)
            if len(self._answers) >= _CACHED_ACTIONS:
                self._answers.clear()
            self._answers[action] = answer
        return answer

    def _answer(self, action: str) -> tuple[Subscriber, ...]:
        found: dict[str, bool] = dict(self._exact.get(action, ()))
        for pattern in patterns_covering(action):
            for connection, group in self._patterns.get(pattern, {}).items():
                found[connection] = group and found.get(connection, True)
        return tuple(Subscriber(connection, group) for connection, group in found.items())
