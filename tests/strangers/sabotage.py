"""Hubs with one part spoiled: each has to fail the check that the real one passes."""

import itertools
import logging
import sqlite3
from typing import Any

from credentials import keys, selectors
from credentials.models import Key
from hub import pipeline
from hub.conf import hub_settings
from hub.core.access import PatternSet
from hub.core.effects import Refuse
from hub.core.errors import Code
from hub.core.inputs import Unsubscribe
from hub.gateway import silent_sockets
from hub.gateway.websocket import HubWebSocketProtocol
from hub.pipeline import Pipeline
from hub.protocol import frames
from hub.protocol.decode import decode

_answer = Pipeline._answer


def _spoil(owner: Any, name: str, worse: Any) -> None:
    setattr(owner, name, worse)


def arrays_raise() -> None:
    """What is no object raises."""

    def worse(text: str, **more: Any) -> Any:
        if text.startswith("["):
            raise ValueError(text)
        return decode(text, **more)

    _spoil(pipeline, "decode", worse)


def arrays_pass() -> None:
    """What is no object is taken for some command."""

    def worse(text: str, *, connection: str, **more: Any) -> Any:
        answer = decode(text, connection=connection, **more)
        if text.startswith("[") and getattr(answer, "rejection", None):
            return Unsubscribe(connection=connection, request=text, pattern="x")
        return answer

    _spoil(pipeline, "decode", worse)


def prefixes_match() -> None:
    """``email`` covers ``emailx:send``."""

    def covers(self: PatternSet, name: str) -> bool:
        return any(pattern == "*" or name.startswith(pattern) for pattern in self)

    _spoil(PatternSet, "covers", covers)


def no_nesting_limit() -> None:
    """Nothing is nested too deep."""
    _spoil(frames, "depth", lambda text: 0)


def revoked_keys_open() -> None:
    """A key is good for ever."""

    def find(name: str, key: str, now: object) -> Key | None:
        row = Key.objects.select_related("client").filter(public_id=keys.key_parse(key)).first()
        right = row is not None and keys.digest_matches(row.digest, key)
        return row if row is not None and right and row.client.name == name else None

    _spoil(selectors, "_find_generated", find)


def errors_close() -> None:
    """A refusal ends the connection."""

    def answer(self: Pipeline, refuse: Refuse, *others: Any) -> None:
        _answer(self, refuse, *others)
        sink = self.router.sink(refuse.to)
        if sink is not None and refuse.rejection.code is Code.BAD_FIELD:
            sink.close(1008)

    _spoil(Pipeline, "_answer", answer)


def some_refusals_get_lost() -> None:
    """A frame is refused and its sender hears nothing."""

    def answer(self: Pipeline, refuse: Refuse, *others: Any) -> None:
        if refuse.rejection.code is not Code.MISSING_FIELD:
            _answer(self, refuse, *others)

    _spoil(Pipeline, "_answer", answer)


def refused_tasks_are_stored() -> None:
    """A task that was refused is in the history all the same."""
    ids = itertools.count(-1, -1)

    def answer(self: Pipeline, refuse: Refuse, *others: Any) -> None:
        _answer(self, refuse, *others)
        if refuse.refused_init and refuse.rejection.code is Code.BAD_ACTION:
            _store(next(ids), f"{refuse.task_id}")

    _spoil(Pipeline, "_answer", answer)


def _store(key: int, task_id: str) -> None:
    row = {
        "id": key,
        "task_id": task_id,
        "action": "weather:x",
        "publisher": "probe",
        "connection": "c",
        "state": "end",
        "outcome": "fail",
        "seq": 1,
        "created_at": 1,
        "start_timeout": 1,
        "end_timeout": 1,
        "start_deadline": 1,
        "end_deadline": 1,
        "settle": "any",
        "expect": "result",
        "claim": False,
        "ended_at": 1,
    }
    with sqlite3.connect(hub_settings().database_path) as connection:
        connection.execute(
            f"INSERT OR IGNORE INTO hub_task ({', '.join(row)})"
            f" VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )
    connection.close()


def bad_text_is_logged() -> None:
    """As uvicorn has it: a traceback for text that is not UTF-8."""
    refuse = HubWebSocketProtocol.refuse_message

    def loudly(self: HubWebSocketProtocol, code: int) -> None:
        # called from the handler of the error
        logging.getLogger("uvicorn.error").exception("Invalid UTF-8 text.")  # noqa: LOG004
        refuse(self, code)

    _spoil(HubWebSocketProtocol, "refuse_message", loudly)


def pings_get_lost() -> None:
    """No pong."""
    _spoil(HubWebSocketProtocol, "handle_ping", lambda self: self.conn.data_to_send())


def bodies_have_a_moment() -> None:
    """Not worse, and sooner seen: a body may take a second."""
    _spoil(silent_sockets, "BODY_TIMEOUT_S", 1.0)


def bodies_have_for_ever() -> None:
    """As uvicorn has it."""
    _spoil(silent_sockets, "BODY_TIMEOUT_S", 1e9)
