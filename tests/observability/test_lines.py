"""One line an event, whatever it holds; bounded in number; nothing of a task's contents."""

import io
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from hub.logs import MAX_TEXT, PER_MINUTE, Bounded, LogFormat, logger, logging_setup
from tests.hub_process import HubProcess
from tests.observability.conftest import Start
from tests.observability.http import get
from tests.peers import V1Peer
from tests.raw_peer import basic

FORMATS: list[LogFormat] = ["json", "console"]
#: Everything that ends a line or moves a cursor somewhere, and what UTF-8 cannot encode.
NASTY = "".join(
    map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0xFEFF, 0xD800])
)


@pytest.fixture(params=FORMATS)
def stream(request: pytest.FixtureRequest) -> Iterator[io.TextIOWrapper]:
    """A file that the hub's formatter writes to, as UTF-8."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    handler = logging.StreamHandler(file)
    formatter = logging_setup(request.param, "INFO")["formatters"]["structured"]["()"]()
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    yield file
    logging.getLogger().removeHandler(handler)


def text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def check_safe(text: str) -> list[str]:
    """No character but the ends of lines that a terminal or a parser would act on."""
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert all(line.isprintable() for line in lines), repr(text)
    return lines


def test_a_value_cannot_leave_its_line(stream: io.TextIOWrapper) -> None:
    log = logger("hub.test").bind(connection="c")
    log.warning("some_event", action=NASTY, nested={"a": [NASTY]}, error=ValueError(NASTY))
    logging.getLogger("django.request").warning("Not Found: %s", f"/{NASTY}")
    assert len(check_safe(text_of(stream))) == 2


def test_nor_can_the_message_of_an_error(
    stream: io.TextIOWrapper, request: pytest.FixtureRequest
) -> None:
    error = ValueError(f"{NASTY}\n2026-01-01T00:00:00Z [error    ] forged")
    logger("hub.test").error("some_event", exc_info=error)
    lines = check_safe(text_of(stream))
    if request.node.callspec.params["stream"] == "json":
        (record,) = map(json.loads, lines)
        assert "forged" in record["exception"]
    else:
        assert all(line.startswith("  | ") for line in lines[1:])


def test_the_check_of_lines_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_safe("a\x1b[31m\n")


def test_values_are_short_and_of_kinds_that_json_knows(stream: io.TextIOWrapper) -> None:
    logger("hub.test").warning("e", long="x" * 10**6, nan=float("nan"), n=1, none=None, ok=True)
    assert len(text_of(stream)) < MAX_TEXT + 300


def test_no_traceback_shows_what_variables_held(stream: io.TextIOWrapper) -> None:
    def fail() -> None:
        payload = "the secret".upper()
        raise ValueError(len(payload))

    try:
        fail()
    except ValueError:
        logger("hub.test").exception("e")
    assert "THE SECRET" not in text_of(stream)


# Against a real hub


def check_forged_request(hub: HubProcess) -> None:
    """A stranger's path is in the log, in one line."""
    path = "/none%0A%1B%5B31m%7B%22level%22:%22error%22%7D%E2%80%A8end"
    assert get(hub, path)[0] == 404
    assert hub.terminate() == 0
    told = [line for line in check_safe(hub.log_since(0)) if "/none" in line]
    assert len(told) == 1
    assert "end" in told[0]
    if hub._env["TASKHUB_LOG_FORMAT"] == "json":
        assert told[0].startswith("{"), told[0]
        assert json.loads(told[0])["level"] == "warning"


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_stranger_cannot_forge_a_line(start: Start, log_format: str) -> None:
    check_forged_request(start(TASKHUB_LOG_FORMAT=log_format))


def test_that_check_sees_plain_lines(start: Start) -> None:
    with pytest.raises(AssertionError):
        check_forged_request(start("plain_lines"))


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_all_that_a_hub_says_is_json_where_nobody_watches(start: Start, server: str) -> None:
    hub = start(server=server, TASKHUB_LOG_FORMAT="auto", TASKHUB_LOG_LEVEL="DEBUG")
    get(hub, "/none")
    get(hub, "/", Authorization="x")
    hub.terminate()
    records = [json.loads(line) for line in hub.log_since(0).splitlines()]
    assert records
    for record in records:
        assert {"event", "level", "logger", "timestamp"} <= set(record)


def check_bounded(hub: HubProcess, requests: int = 200) -> None:
    """A flood of strangers leaves a bounded number of lines, and their count."""
    for number in range(requests):
        assert get(hub, f"/none-{number}")[0] == 404
    assert hub.terminate() == 0
    records = [json.loads(line) for line in hub.log_since(0).splitlines()]
    told = sum("/none" in record["event"] for record in records)
    left = sum(r["count"] for r in records if r["event"] == "lines_left_out")
    # A minute may have ended meanwhile, and another one begun.
    assert PER_MINUTE <= told <= 2 * PER_MINUTE
    assert told + left == requests


def test_strangers_cannot_fill_the_disk(start: Start) -> None:
    check_bounded(start())


def test_that_check_sees_a_boundless_log(start: Start) -> None:
    with pytest.raises(AssertionError):
        check_bounded(start("boundless"))


async def check_discreet(hub: HubProcess) -> None:
    """Neither contents nor keys are in the log, not even at DEBUG and when the core breaks."""
    secret = "SECRET-OF-A-TASK"
    async with (
        V1Peer(hub.url, "web", hub.keys["web"]) as web,
        V1Peer(hub.url, "a", hub.keys["a"]) as service,
    ):
        await service.request("sub", action="mail:send")
        init = {"cmd": "pub", "event": "init", "eventId": "i1", "taskId": "t1"}
        await web.send({**init, "action": "mail:send", "payload": secret})
        await web.send({**init, "taskId": "t2", "action": "none", "payload": secret})
        await web.send(f'{{"{secret}"')
        await service.task_until("t1", "init")
        event = {"cmd": "pub", "taskId": "t1"}
        await service.send({**event, "event": "update", "eventId": "u1", "update": secret})
        await service.send({**event, "event": "fail", "eventId": "f1", "reason": secret})
        await service.send({**event, "event": "success", "eventId": "s1", "result": secret})
        await service.request("get", taskId="t1", what="task")
    assert get(hub, "/ws/", Authorization=basic("web", secret))[0] < 500
    hub.terminate()
    log = hub.log_since(0)
    assert "decision_failed" in log
    assert secret not in log
    assert not [name for name, value in hub.keys.items() if value in log]


async def test_contents_and_keys_stay_out_of_the_log(start: Start) -> None:
    await check_discreet(start("broken_core", TASKHUB_LOG_LEVEL="DEBUG"))


async def test_that_check_sees_a_talkative_log(start: Start) -> None:
    with pytest.raises(AssertionError, match="SECRET-OF-A-TASK"):
        await check_discreet(start("broken_and_talkative", TASKHUB_LOG_LEVEL="DEBUG"))


# The bound


def record(event: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("hub.test", level, "", 0, {"event": event}, None, None)


def test_the_bound_is_for_each_event_and_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    bound = Bounded(lambda: now)
    passed: Counter[str] = Counter()
    for minute in range(3):
        now = minute * 60.0
        for _ in range(1_000):
            for event in ("wrong_key", "connection_opened", "other"):
                passed[event] += bound.filter(record(event))
        passed["rare"] += bound.filter(record("rare"))
        passed["debug"] += bound.filter(record("wrong_key", logging.DEBUG))
    assert passed == {
        "wrong_key": 3 * PER_MINUTE,
        "other": 3 * PER_MINUTE,
        "connection_opened": 3 * 600,
        "rare": 3,
        "debug": 3,
    }
    for minutes, at in ((2, now), (1, now + 60.0)):  # the third is not over yet
        now = at
        bound.report()
        bound.report()
        left = {(r.msg["of"], r.msg["count"]) for r in caplog.records if isinstance(r.msg, dict)}
        assert left == {
            ("wrong_key", minutes * (1_000 - PER_MINUTE)),
            ("other", minutes * (1_000 - PER_MINUTE)),
            ("connection_opened", minutes * 400),
        }
        caplog.clear()


def test_a_terminal_gets_colours_and_a_file_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        formatter = logging_setup("auto", "INFO")["formatters"]["structured"]["()"]()
        line = formatter.format(logging.LogRecord("x", logging.INFO, "", 0, "hello", None, None))
        assert ("\x1b[" in line) is terminal
        assert line.startswith("{") is not terminal


def test_what_was_left_out_is_told_while_the_flood_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    bound = Bounded(lambda: now)
    passed = 0
    for tick in range(1_800):
        now = tick / 10
        passed += bound.filter(record("flood"))
        bound.report()
    bound.report(now=True)
    left = [line.msg for line in caplog.records if "lines_left_out" in str(line.msg)]
    assert len(left) == 3
    assert passed + sum(line["count"] for line in left if isinstance(line, dict)) == 1_800
