"""What the package exports, and what its words on the wire are held to."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import taskhub
import taskhub.sync
import taskhub.testing
from taskhub._wire import message_decode

VECTORS = Path(__file__).parents[1] / "vectors"
EVENTS = json.loads((VECTORS / "events.json").read_text())
ANSWERS = json.loads((VECTORS / "answers.json").read_text())


def test_the_exported_names() -> None:
    assert taskhub.__all__ == sorted(taskhub.__all__)
    assert set(taskhub.__all__) == {
        "AuthenticationError", "Client", "ConfigurationError", "ConnectionFailed", "ConnectionLost",
        "Drop", "Event", "Job", "NoSubscriber", "Outcome", "Overflow", "PayloadTooLarge",
        "PermissionDenied", "ProtocolError", "QueueFull", "Refused", "Subscription", "Task",
        "TaskCancelled", "TaskFailed", "TaskHubError", "TaskTimeout", "Watch",
    }  # fmt: skip


def test_no_builtin_is_shadowed() -> None:
    assert not set(taskhub.__all__) & set(dir(__builtins__))


@pytest.mark.parametrize(
    "name", [*taskhub.__all__, *(f"sync.{n}" for n in taskhub.sync.__all__), "testing.Hub"]
)
def test_everything_public_is_described(name: str) -> None:
    thing: Any = taskhub
    for part in name.split("."):
        thing = getattr(thing, part)
    assert inspect.getdoc(thing)
    for member, value in vars(thing).items():
        if not member.startswith("_") and (
            inspect.isfunction(value) or isinstance(value, property)
        ):
            assert inspect.getdoc(value), f"{name}.{member}"
            function: Any = value.fget if isinstance(value, property) else value
            assert "return" in inspect.get_annotations(function), f"{name}.{member}"


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    drawn = inspect.getdoc(taskhub._errors) or ""
    errors = [getattr(taskhub, name) for name in taskhub.__all__]
    for error in errors:
        if isinstance(error, type) and issubclass(error, taskhub.TaskHubError):
            depth = len(error.__mro__) - len(taskhub.TaskHubError.__mro__)
            line = next(line for line in drawn.splitlines() if error.__name__ in line.split())
            assert line.index(error.__name__) == 4 * depth, line


def test_the_names_without_await_are_the_same() -> None:
    for name in ("Client", "Task", "Job", "Watch"):
        plain, awaited = getattr(taskhub.sync, name), getattr(taskhub, name)
        assert public(plain) <= public(awaited), name


def public(thing: type) -> set[str]:
    """What a class has, and what its instances are given."""
    given = inspect.getsource(thing.__init__)  # type: ignore[misc]
    attributes = set(re.findall(r"self\.([a-z]\w*)", given))
    return {name for name in dir(thing) if not name.startswith("_")} | attributes


@pytest.mark.parametrize("vector", EVENTS, ids=lambda vector: vector["name"])
def test_each_event_is_read_as_it_is_meant(vector: Any) -> None:
    said = json.loads(vector["v1"])
    event = message_decode(vector["v1"]).as_event(None)
    assert (event.kind, event.seq, event.by) == (said["event"], said["seq"], said["by"])
    assert (event.task_id, event.event_id) == (said["taskId"], said["eventId"])
    values = [said[name] for name in ("payload", "update", "result", "reason") if name in said]
    assert event.value == (values[0] if values else None)
    assert event.end_deadline == said.get("endDeadline")
    if "v1SizeOnly" in vector:
        small = message_decode(vector["v1SizeOnly"]).as_event(None)
        assert small.payload_size == json.loads(vector["v1SizeOnly"])["payloadSize"]


@pytest.mark.parametrize(
    "text",
    [
        *(vector["v1"] for vector in ANSWERS["answers"] if "v1" in vector),
        *(text for vector in ANSWERS["refusals"] for text in vector["v1"]),
        *(vector["v1"] for vector in ANSWERS["closings"]),
    ],
)
def test_each_answer_is_read_as_it_is_meant(text: str) -> None:
    said, message = json.loads(text), message_decode(text)
    assert message.answers == (said.get("id") or said.get("eventId"))
    if said["status"] == "error":
        refusal = message.as_refusal("a:b")
        assert (refusal.code, refusal.retry) == (said["code"], said["retry"])
        assert said["message"] in str(refusal)
    if said.get("type") == "welcome":
        assert (message.session, message.epoch, message.now) == ("s1", "e1", 1753000000000)
        assert message.limit("max_frame_bytes") == 1_048_576


def test_what_is_no_message() -> None:
    with pytest.raises(msgspec.DecodeError):
        message_decode("[]")
