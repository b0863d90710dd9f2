"""What the log tells of inputs and refusals: whose they are, never what they say."""

from hub.core.books import Books
from hub.core.effects import Refuse, Resumed
from hub.core.errors import Code
from hub.core.inputs import Command, Decided
from hub.logs import logger

log = logger("hub.pipeline")

_FIELDS = ("connection", "task_id", "action", "operator")


class Accounts:
    """Names in the log what passes through the pipeline."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def about(self, item: Decided | Command) -> dict[str, str]:
        """What is known of an input, as fields of a line."""
        known = {name: value for name in _FIELDS if (value := getattr(item, name, None))}
        client = self._client(known.get("connection", ""))
        if client is not None:
            known["client"] = client
        return {"input": type(item).__name__, **known}

    def refused(self, refuse: Refuse) -> None:
        """Tell of a refusal."""
        fields = {
            "connection": refuse.to,
            "client": self._client(refuse.to),
            "task_id": refuse.task_id,
        }
        if refuse.rejection.code is Code.FORBIDDEN:
            log.info("command_forbidden", **fields)
        else:
            log.debug("command_refused", code=refuse.rejection.code, **fields)

    def resumed(self, effect: Resumed) -> None:
        """Tell whether a lost connection came back."""
        fields = {"connection": effect.to, "client": self._client(effect.to)}
        if effect.previous is None:
            log.info("nothing_resumed", **fields)
        else:
            tasks = len(effect.replays)
            log.info("connection_resumed", previous=effect.previous, tasks=tasks, **fields)

    def _client(self, connection: str) -> str | None:
        known = self._books.connections.get(connection)
        return None if known is None else known.access.client
