"""Logs: constant event names with fields, one line each, bounded in number (docs/observability.md).

``logger`` is how the hub gets one. The lines of Django and of the server come out of the same
handler. No payload, key, result or reason is ever a field.
"""

import json
import logging
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, Literal

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

Event = MutableMapping[str, Any]
LogFormat = Literal["auto", "console", "json"]

#: Longest text of one field, and of a traceback (its end is kept).
MAX_TEXT: Final = 1_000
MAX_TRACEBACK: Final = 8_000
MINUTE_S: Final = 60.0
#: Lines a minute with one event name; more are counted and told as ``lines_left_out``.
PER_MINUTE: Final = 60
#: A whole fleet comes back at once after a restart, and each line names a client. What people
#: did is kept, also of one who has cancelled a hundred tasks at once.
PER_MINUTE_OF: Final = {
    **dict.fromkeys(
        ("connection_opened", "connection_closed", "connection_resumed", "nothing_resumed"), 600
    ),
    "operator_action": 6_000,
}
LEFT_OUT: Final = "lines_left_out"


def logger(name: str) -> BoundLogger:
    """The logger of a module."""
    made: BoundLogger = structlog.stdlib.get_logger(name)
    return made


log = logger(__name__)


class Bounded(logging.Filter):
    """Lets through the first lines of each event name in a minute, and counts the others.

    No stranger can fill the disk, whatever it makes the hub or Django say. DEBUG is not bounded:
    an operator asked for it. Used by any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._until = clock() + MINUTE_S
        self._lines: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        #: left out of minutes that are over
        self._due: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Part of logging.Filter."""
        name = _name_of(record)
        if record.levelno < logging.INFO or name == LEFT_OUT:
            return True
        with self._lock:
            if self._clock() >= self._until:
                self._lines.clear()
                self._end_minute()
                self._until = self._clock() + MINUTE_S
            self._lines[name] += 1
            if self._lines[name] <= PER_MINUTE_OF.get(name, PER_MINUTE):
                return True
            self._left_out[name] += 1
            return False

    def _end_minute(self) -> None:
        self._due += self._left_out
        self._left_out.clear()

    def report(self, *, now: bool = False) -> None:
        """Tell how many lines were left out, once their minute is over or ``now``."""
        with self._lock:
            if now or self._clock() >= self._until:
                self._end_minute()
            left_out, self._due = self._due, Counter()
        for name, count in left_out.items():
            log.warning("lines_left_out", of=name, count=count)


def _name_of(record: logging.LogRecord) -> str:
    if isinstance(record.msg, dict):
        return str(record.msg.get("event"))
    return f"{record.name} {record.levelname}"  # another's: its text may hold anything


#: The one bound of this process.
bounded: Final = Bounded()


def _plain(_logger: Any, _method: str, event: Event) -> Event:
    """Every value short, and of a kind that JSON knows."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _end(value, MAX_TRACEBACK) if key == "exception" else _start(str(value))
        elif isinstance(value, float) and not math.isfinite(value):
            event[key] = str(value)
        elif not isinstance(value, bool | int | float | None):
            event[key] = _start(str(value))
    return event


def _start(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _end(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[-most:]}"


def escaped(text: str) -> str:
    """The text without characters that could move a cursor or begin a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _for_a_person(_logger: Any, _method: str, event: Event) -> Event:
    """The renderer quotes fields; the event and the lines of a traceback are made safe here."""
    event["event"] = escaped(str(event.get("event")))
    if "exception" in event:
        lines = event["exception"].splitlines()
        event["exception"] = "\n".join(f"  | {escaped(line)}" for line in lines)
    return event


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    # ASCII only: no line separator of Unicode, no terminal control. JSON itself lets DEL pass.
    return json.dumps(event).replace("\x7f", "\\u007f")


_SHARED: Final[list[Any]] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Plain: structlog's console would show the locals of each frame, payloads and keys with them.
    structlog.processors.format_exc_info,
]


def _formatter(log_format: LogFormat) -> logging.Formatter:
    terminal = sys.stderr.isatty()
    render: list[Any] = [_as_json]
    if log_format == "console" or (log_format == "auto" and terminal):
        render = [
            _for_a_person,
            structlog.dev.ConsoleRenderer(colors=terminal, repr_native_str=True),
        ]
    return ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[ProcessorFormatter.remove_processors_meta, _plain, *render],
    )


def logging_setup(log_format: LogFormat, level: str) -> Mapping[str, Any]:
    """Set structlog up; the value of Django's ``LOGGING``. ``auto``: JSON unless on a terminal."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Django's own handlers would be a second one, in a form of their own.
    through_root: dict[str, Any] = {"handlers": [], "propagate": True}
    # At DEBUG it prints every template lookup and SQL statement.
    quiet = "INFO" if level == "DEBUG" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": {"()": lambda: _formatter(log_format)}},
        "filters": {"bounded": {"()": lambda: bounded}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["bounded"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {**through_root, "level": quiet},
            "django.server": through_root,
            # It is answered by 400; the traceback that Django logs tells nothing, and anybody
            # could fill the log with them.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # What is said of the loop itself comes as ``loop_error`` (hub/supervision.py).
            "asyncio": {**through_root, "level": "WARNING"},
        },
    }
