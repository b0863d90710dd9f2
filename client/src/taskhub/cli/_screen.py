"""Data on stdout, the rest on stderr; for people or, with --json, a line of JSON each."""

import sys
from typing import Any, TextIO

from taskhub._errors import TaskFailed, TaskHubError
from taskhub._wire import Event
from taskhub.cli._text import event_fields, event_text, harmless, to_json


class Screen:
    """Where a command's words go."""

    def __init__(self, *, json: bool) -> None:
        self.json: bool = json

    def result(self, value: Any) -> None:
        """The data that was asked for: a text as it is, anything else as JSON."""
        if self.json or not isinstance(value, str):
            _write(sys.stdout, to_json(value))
        else:
            lines = value.split("\n")
            _write(sys.stdout, "\n".join(map(harmless, lines)) if sys.stdout.isatty() else value)

    def data(self, text: str, **fields: Any) -> None:
        """Data that looks different to people and to programs."""
        _write(sys.stdout, to_json(fields) if self.json else harmless(text))

    def seen(self, event: Event) -> None:
        """An event that is the data itself."""
        # The action is not known of a task that is older than a watch of its pattern.
        text = f"{event.task_id} {event.action or '?'} {event_text(event)}"
        self.data(text, **event_fields(event))

    def told(self, event: Event, text: str) -> None:
        """An event on the way to the data."""
        self.say(text, **event_fields(event))

    def say(self, text: str, **fields: Any) -> None:
        """A note; `fields` is what it says to a program."""
        said = to_json(fields or {"message": text}) if self.json else harmless(text)
        _write(sys.stderr, said)

    def error(self, error: TaskHubError) -> None:
        """The last word of a command that did not work."""
        fields = {"error": type(error).__name__, "code": error.code, "retry": error.retry}
        if isinstance(error, TaskFailed):
            fields["reason"] = error.reason
            fields["taskId"] = error.task_id
        self.say(f"taskhub: {error}", **fields, message=str(error))


def _write(stream: TextIO, line: str) -> None:
    # A line at a time, whole, also into a pipe: who reads it waits for it.
    stream.write(line.encode("utf-8", "replace").decode() + "\n")
    stream.flush()
