"""Values and events as text, and arguments as values."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from taskhub._wire import Event

#: Events that have a value (docs/protocol.md §4.1).
_WITH_VALUE: Final = frozenset({"init", "update", "drop", "success", "fail"})
#: Control characters but the tab: they would drive the terminal, or look like another line.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def to_json(value: Any) -> str:
    """A value as one line of JSON."""
    return msgspec.json.encode(value).decode()


def harmless(text: str) -> str:
    """The text as one line, without what a terminal would obey."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def value_read(text: str, *, of: str) -> Any:
    """A JSON argument as a value. Raises click.BadParameter."""
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise click.BadParameter(
            f"this is not JSON: {error}. A text needs its quotes: '\"text\"'.", param_hint=of
        ) from None


def payload_read(argument: str | None) -> Any:
    """JSON, @file or - for stdin; nothing is null. Raises click.BadParameter."""
    of = "PAYLOAD"
    if argument is None:
        return None
    try:
        if argument == "-":
            argument = sys.stdin.buffer.read().decode()
        elif argument.startswith("@"):
            argument = Path(argument[1:]).read_bytes().decode()
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"it cannot be read: {error}.", param_hint=of) from None
    return value_read(argument, of=of)


def result_read(output: bytes) -> Any:
    """What a program printed: JSON, or else text without its last newline; nothing is null."""
    if not output.strip():
        return None
    try:
        return msgspec.json.decode(output)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return output.decode("utf-8", "replace").removesuffix("\n")


def progress_text(value: Any) -> str:
    """An update in few words: `3/10 message` for the progress of a job, else JSON."""
    if not isinstance(value, dict) or not isinstance(value.get("done"), int | float):
        return harmless(to_json(value))
    total = value.get("total")
    words = [f"{value['done']:g}" + (f"/{total:g}" if isinstance(total, int | float) else "")]
    if isinstance(value.get("message"), str):
        words.append(value["message"])
    return harmless(" ".join(words))


def event_fields(event: Event) -> dict[str, Any]:
    """An event for programs: wire names, its value under `value`."""
    fields = {
        "event": event.kind,
        "taskId": event.task_id,
        "action": event.action,
        "seq": event.seq,
        "at": event.at,
        "by": event.by,
    }
    if event.kind in _WITH_VALUE:
        fields["value"] = event.value
    return {name: value for name, value in fields.items() if value is not None or name == "value"}


def event_text(event: Event) -> str:
    """An event for people, without its task: `update by a: 3/10`."""
    text = event.kind if event.kind == "end" else harmless(f"{event.kind} by {event.by}")
    if event.kind == "update":
        return f"{text}: {progress_text(event.value)}"
    return text if event.value is None else f"{text}: {to_json(event.value)}"
