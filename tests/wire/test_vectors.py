"""The golden vectors over the wire: what they say of functions is what clients hear."""

import json
import re
from pathlib import Path

import pytest

from hub.core import reasons
from hub.core.effects import Refuse
from hub.protocol import encode
from hub.protocol.decode import decode
from hub.protocol.frames import Rules
from tests.peers import JSON, Peer, V1Peer
from tests.wire.stage import Stage, heard, new_id, texts_of, until

VECTORS = Path(__file__).parents[1] / "vectors"
FRAMES = json.loads((VECTORS / "frames.json").read_text())
EVENTS = json.loads((VECTORS / "events.json").read_text())
RULES = Rules(**FRAMES["rules"])
VERSIONS = pytest.mark.parametrize("version", ["v1", "legacy"])

#: One connection may send so many unreadable frames a minute, less what a test sends beside them.
AT_A_TIME = 15


async def connect(stage: Stage, version: str) -> Peer:
    return await (stage.v1("old") if version == "v1" else stage.legacy())


# Frames that are refused


def refusals(version: str) -> list[tuple[str, list[JSON]]]:
    """Each frame that this version refuses, and what it hears."""
    found = []
    for row in FRAMES["frames"]:
        answer = decode(row["frame"], connection="c", v1=version == "v1", rules=RULES)
        if row["version"] == version and "error" in row:
            assert isinstance(answer, Refuse), row["name"]
        if isinstance(answer, Refuse):
            texts = encode.refusal(answer, v1=version == "v1", fresh_id="fresh")
            found.append((row["frame"], [json.loads(text) for text in texts]))
    return found


@VERSIONS
async def test_each_refusal(stage: Stage, version: str) -> None:
    rows = refusals(version)
    assert len(rows) > 30
    for start in range(0, len(rows), AT_A_TIME):
        peer = await connect(stage, version)
        for frame, expected in rows[start : start + AT_A_TIME]:
            await peer.send(frame)
            answers = [await peer.next_message() for _ in expected]
            for answer in answers[1:]:  # the fail of a refused init
                answer["eventId"] = "fresh"
            assert answers == expected
        await peer.send({"cmd": "sub", "action": stage.action})
        assert (await peer.next_message())["status"] == "ok", "it is still open"


@VERSIONS
async def test_each_error_of_the_vectors(stage: Stage, version: str) -> None:
    rows = [r for r in FRAMES["frames"] if r["version"] == version and "error" in r]
    for start in range(0, len(rows), AT_A_TIME):
        peer = await connect(stage, version)
        for row in rows[start : start + AT_A_TIME]:
            await peer.send(row["frame"])
            error = await peer.next_message()
            wanted = row["error"]
            assert error["error"] == wanted["class"], row["name"]
            if version == "v1":
                for name in ("code", "id", "taskId", "eventId"):
                    assert error.get(name) == wanted.get(name), row["name"]
            elif wanted.get("refusedInit"):
                fail = await peer.next_message()
                assert fail["taskId"] == wanted["taskId"], row["name"]
                assert (fail["event"], fail["reason"]["code"]) == ("fail", wanted["code"])


# Frames that are taken


@VERSIONS
async def test_each_frame_that_is_taken(stage: Stage, version: str) -> None:
    rows = [r for r in FRAMES["frames"] if r["version"] == version and "command" in r]
    assert len(rows) > 5
    for row in rows:
        peer, task, event_id = await connect(stage, version), new_id(), new_id()
        frame = row["frame"]
        for field_name, fresh in (("task_id", task), ("event_id", event_id)):
            frame = frame.replace(row["command"].get(field_name, "\0"), fresh)
        await peer.send(frame)
        barrier = f"weather:{new_id()}"
        await peer.send({"cmd": "sub", "action": barrier})
        answers = await peer.collect(
            lambda m, last=barrier: m.get("action") == last and "event" not in m  # type: ignore[misc]
        )
        said = [m for m in answers[:-1] if task in m.values() or m.get("event") is None]
        assert outcome(said) == expected_outcome(row["command"], version), row["name"]
        await peer.close()


def outcome(said: list[JSON]) -> str:
    """What was answered, in a word."""
    if not said:
        return "silence"
    (answer,) = said
    if answer["status"] == "error":
        return str(answer["error"])
    return str(answer.get("event", "ok"))


def expected_outcome(command: JSON, version: str) -> str:
    """No vector is about a task that is there."""
    match command["type"]:
        case "Init":
            return "init"
        case "Report" if command["kind"] == "end":
            return "ok" if version == "v1" else "silence"
        case "Report" | "Cancel" | "Get":
            return "StateError"
        case "Watch" if "task_id" in command:
            return "StateError"
        case _:
            return "ok"


# Events as they are told: (who, what) it takes; BODY stands for the body of the vector.

START = '"event":"start"'
DROP = '"event":"drop"'
FAIL = '"event":"fail","reason":BODY'
SUCCESS = '"event":"success","result":BODY'
RECIPES: dict[str, list[tuple[str, str]]] = {
    "init": [],
    "start": [("a", START)],
    "update": [("a", '"event":"update","update":BODY')],
    "success": [("a", SUCCESS)],
    "success of the hub without a result": [("a", DROP)],
    "fail": [("a", FAIL)],
    "drop": [("a", DROP)],
    "drop with a reason": [("a", DROP + ',"reason":BODY')],
    "a fail that did not settle": [("b", START), ("a", FAIL)],
    "a success that did not settle": [("b", START), ("b", SUCCESS), ("c", START), ("a", SUCCESS)],
    "lost": [("a", START), ("a", "vanish")],
    "end": [("a", SUCCESS)],
}
#: They take an init with options, or an action that the grammar does not allow.
OTHERS = {"init with options", "init of an action that needs escaping"}
ROWS = {row["name"]: row for row in EVENTS}


def test_each_row_is_tested_or_named() -> None:
    assert ROWS.keys() == RECIPES.keys() | OTHERS


@pytest.mark.parametrize("name", RECIPES)
async def test_each_event(stage: Stage, name: str) -> None:
    row, recipe = ROWS[name], RECIPES[name]
    event = row["event"]
    kind, body = event["kind"], event.get("body", "1")
    if name == "lost":
        body = reasons.SERVICE_LOST
    publisher, operator = await stage.legacy(), await stage.v1("operator")
    texts = {"legacy": texts_of(publisher), "v1": texts_of(operator)}
    await operator.request("watch", action=stage.noun)
    services = {client: await stage.service(client) for client in {"a"} | {c for c, _ in recipe}}
    task = new_id()
    init = f'"event":"init","action":"{stage.action}","payload":{body}'
    await publisher.send(publish(task, init))
    for client, step in recipe:
        await act(services[client], task, step.replace("BODY", body))
    await until(operator, task, kind)
    await publisher.events_until(task, kind)
    for version, told in texts.items():
        expected = row[version].replace(event.get("body", body), body)
        (*_, last) = [text for text in told if f'"event":"{kind}"' in text]
        assert bare(last) == bare(expected), version


async def act(service: V1Peer, task: str, step: str) -> None:
    """Take a step of a recipe; returns when the hub has told of it."""
    before = len(await until(service, task, "init"))
    if step == "vanish":
        await service.vanish()
        return
    await service.send(publish(task, step))
    while len(heard(service, task)) <= before:
        await service.next_message()


async def test_an_init_with_options(stage: Stage) -> None:
    row = ROWS["init with options"]
    web, old = await stage.v1("web"), await stage.legacy_service()
    texts = {"v1": texts_of(web), "legacy": texts_of(old)}
    created, task = row["event"]["created"], new_id()
    init = {
        "startTimeout": created["start_timeout"],
        "endTimeout": created["end_timeout"],
        **{name: created[name] for name in ("settle", "expect", "claim")},
    }
    await web.event(task, "init", action=stage.action, payload=None, **init)
    await until(web, task, "init")
    await old.events_until(task, "init")
    for version, told in texts.items():
        assert bare(told[0], TIMES) == bare(row[version], TIMES)


def publish(task: str, words: str) -> str:
    """A frame that says so of a task."""
    return f'{{"cmd":"pub","taskId":"{task}","eventId":"{new_id()}",{words}}}'


TIMES = ("at", "startDeadline", "endDeadline")
#: Those that the vectors and a task of a test may differ in.
NUMBERS = ("seq", "startTimeout", "endTimeout", *TIMES)


def bare(text: str, numbers: tuple[str, ...] = NUMBERS) -> str:
    """A message without what differs from task to task: ids, names, numbers."""
    text = re.sub(r'"(eventId|taskId|by|action)":"[^"]*"', r'"\1":""', text)
    return re.sub(rf'"({"|".join(numbers)})":\d+', r'"\1":0', text)
