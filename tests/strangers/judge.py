"""What the hub said to a frame, held against docs/protocol.md §3, §4 and §7."""

from tests.raw_peer import JSON
from tests.strangers.corpus.case import FAIL
from tests.strangers.line import V1

#: §7, written down once more: code to class.
CLASSES = {
    "bad-json": "SyntaxError",
    "bad-command": "TypeError",
    "missing-field": "TypeError",
    "bad-field": "TypeError",
    "bad-event": "RangeError",
    "bad-action": "RangeError",
    "too-big": "RangeError",
    "limit": "RangeError",
    "forbidden": "PermissionError",
    "unknown-task": "StateError",
    "duplicate-task": "StateError",
    "event-conflict": "StateError",
    "task-ended": "StateError",
    "claimed": "StateError",
    "illegal-transition": "StateError",
    "unavailable": "HubError",
}
EVENTS = {"init", "start", "update", "drop", "success", "fail", "end"}
REQUEST_LENGTH = 1_024
#: Fields of an error: always, always on v1, and as far as they could be read.
ALWAYS = {"status", "error", "message", "request"}
ALWAYS_V1 = ALWAYS | {"code", "retry"}
READ = {"id", "taskId", "eventId"}


def text_of(frame: str | bytes) -> str | None:
    """What a frame says as text; None: it is binary, and not UTF-8."""
    try:
        return frame if isinstance(frame, str) else frame.decode()
    except UnicodeDecodeError:
        return None


def about(frame: str | bytes, said: list[JSON]) -> list[JSON]:
    """Without the events of tasks that the frame does not name."""
    text = text_of(frame) or ""
    return [m for m in said if "event" not in m or m["taskId"] in text]


def judge(frame: str | bytes, answer: str, said: list[JSON], version: str) -> None:
    """Whether what was ``said`` about this frame is this answer (``corpus.case``), and no more."""
    shown = f"{frame!r:.200} is answered {said!r:.600}, not {answer}"
    code, fail, _ = answer.partition(FAIL)
    if answer == "silence":
        assert not said, shown
    elif code in CLASSES:
        assert len(said) == 1 + bool(fail), shown
        assert said[0]["status"] == "error", shown
        assert error_code(frame, said[0], version) in (code, CLASSES[code]), shown
        if fail:
            judge_fail(said[1], code)
    elif answer == "ok":
        (acknowledged, *_) = [m for m in said if "event" not in m] or [{}]
        assert acknowledged.get("status") == "ok", shown
    else:
        assert answer in [m.get("event") for m in said], shown
    assert code in CLASSES or not any(m["status"] == "error" for m in said), shown


def error_code(frame: str | bytes, error: JSON, version: str) -> str:
    """The code of this error, or on legacy its class, once it is seen to be as §7 has it."""
    assert error.get("status") == "error", error
    text = text_of(frame)
    assert error["request"] == ("" if text is None else text[:REQUEST_LENGTH]), error
    assert error["message"], error
    name = str(error["error"])
    if version != V1:
        assert error.keys() == ALWAYS, error
        assert name in CLASSES.values()
        return name
    assert error.keys() - READ == ALWAYS_V1, error
    assert name == CLASSES[error["code"]]
    assert isinstance(error["retry"], bool)
    return str(error["code"])


def judge_fail(fail: JSON, code: str) -> None:
    """The fail that settles the promise of a legacy publisher whose init was refused (§7)."""
    assert fail.keys() == {"status", "event", "eventId", "taskId", "reason"}, fail
    assert (fail["status"], fail["event"]) == ("ok", "fail")
    assert fail["reason"]["code"] == code, fail
