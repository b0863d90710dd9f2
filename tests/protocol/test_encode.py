"""Messages out: every row of tests/vectors/{events,answers}.json, and what no table can hold."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.effects import Acknowledge, Refuse, Resumed, Unchanged
from hub.core.errors import ERROR_CLASS, Code, Rejection
from hub.core.facts import Created, Event, Fact, Offered
from hub.core.task import fold
from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState
from hub.protocol import encode

VECTORS = Path(__file__).parents[1] / "vectors"
EVENTS = json.loads((VECTORS / "events.json").read_text())
ANSWERS = json.loads((VECTORS / "answers.json").read_text())
AT = 1_753_000_000_000


def by_name(row: dict[str, Any]) -> str:
    return str(row["name"])


def event_of(row: dict[str, Any]) -> Event:
    return msgspec.convert(row["event"], Event)


def init(**changes: Any) -> Event:
    created: dict[str, Any] = {
        "action": "email:send",
        "connection": "c1",
        "start_timeout": 100,
        "end_timeout": 60_000,
        "settle": Settle.ANY,
        "expect": Expect.RESULT,
        "claim": False,
    }
    for name in created.keys() & changes.keys():
        created[name] = changes.pop(name)
    return happened(1, EventKind.INIT, TaskState.INIT, created=Created(**created), **changes)


def happened(seq: int, kind: EventKind, state: TaskState, **more: Any) -> Event:
    fields: dict[str, Any] = {"at": AT + seq, "by": "shop", "body": None} | more
    if kind is EventKind.INIT and fields["body"] is None:
        fields["body"] = "{}"
    return Event(
        task=1, task_id="t1", seq=seq, kind=kind, event_id=f"e{seq}", state=state, **fields
    )


# Events (§4.3)


@pytest.mark.parametrize("row", EVENTS, ids=by_name)
def test_an_event_is_told(row: dict[str, Any]) -> None:
    event = event_of(row)
    assert encode.event_legacy(event) == row["legacy"]
    assert encode.event_v1(event) == row["v1"]
    if event.kind is not EventKind.INIT:
        assert encode.event_v1(event, size_only=True) == row["v1"]
    elif "v1SizeOnly" in row:
        assert encode.event_v1(event, size_only=True) == row["v1SizeOnly"]


@pytest.mark.parametrize("row", EVENTS, ids=by_name)
def test_a_legacy_connection_hears_the_fields_of_taskhubjs_and_nothing_more(
    row: dict[str, Any],
) -> None:
    told = json.loads(row["legacy"])
    body = {"init": ["action", "payload"], "update": ["update"], "success": ["result"]}
    more = body.get(told["event"], ["reason"] if told["event"] == "fail" else [])
    assert list(told) == ["status", "eventId", "event", *more, "taskId"]


def test_the_vectors_show_every_kind_of_event() -> None:
    assert {row["event"]["kind"] for row in EVENTS} == set(EventKind)
    assert any("v1SizeOnly" in row for row in EVENTS)


@pytest.mark.parametrize("payload", ["1", '"é"', '"😀"', '"\\u00e9"'])
def test_the_size_of_a_payload_is_its_bytes_as_sent(payload: str) -> None:
    told = json.loads(encode.event_v1(init(body=payload), size_only=True))
    assert told["payloadSize"] == encode.payload_size(payload) == len(payload.encode())
    assert "payload" not in told


@pytest.mark.parametrize("kind", [EventKind.UPDATE, EventKind.SUCCESS, EventKind.FAIL])
def test_a_body_that_is_not_there_is_null(kind: EventKind) -> None:
    event = happened(2, kind, TaskState.START)
    field = {"update": "update", "success": "result", "fail": "reason"}[kind]
    for text in (encode.event_legacy(event), encode.event_v1(event)):
        assert json.loads(text)[field] is None


@given(action=st.text(st.characters(codec="utf-8"), min_size=1, max_size=255))
def test_any_action_comes_out_as_it_was(action: str) -> None:
    event = init(action=action)
    assert json.loads(encode.event_legacy(event))["action"] == action
    assert json.loads(encode.event_v1(event))["action"] == action


@given(body=st.recursive(st.integers() | st.text(st.characters(codec="utf-8")), st.lists))
def test_bodies_come_out_as_received(body: object) -> None:
    text = json.dumps(body, ensure_ascii=False, indent=1)
    told = encode.event_v1(happened(2, EventKind.SUCCESS, TaskState.SUCCESS, body=text))
    assert f'"result":{text},"taskId"' in told
    assert json.loads(told)["result"] == body


@given(command_id=st.text(st.characters(codec="utf-8"), max_size=128))
def test_an_id_is_added_to_any_message(command_id: str) -> None:
    for message in (EVENTS[0]["v1"], '{"status":"ok"}'):
        told = encode.with_id(message, command_id)
        assert told.startswith(message[:-1])
        assert json.loads(told) == {**json.loads(message), "id": command_id}


# Answers (§2.5, §3)


@pytest.mark.parametrize("row", ANSWERS["answers"], ids=by_name)
def test_an_answer(row: dict[str, Any]) -> None:
    arguments = row["arguments"]
    match row["call"]:
        case "acknowledge":
            told = encode.acknowledge(Acknowledge(**arguments))
        case "unchanged":
            told = encode.unchanged(Unchanged(**arguments))
        case "resumed":
            told = encode.resumed(Resumed(**arguments))
        case call:
            told = getattr(encode, call)(**arguments)
    assert told == row.get("v1", row.get("legacy"))


# Errors (§7)


@pytest.mark.parametrize("row", ANSWERS["refusals"], ids=by_name)
def test_a_refusal(row: dict[str, Any]) -> None:
    said = dict(row["refuse"])
    rejection = Rejection(Code(said.pop("code")), said.pop("message"))
    refuse = Refuse(to="c1", rejection=rejection, **said)
    assert encode.refusal(refuse, v1=False, fresh_id=row["freshId"]) == row["legacy"]
    assert encode.refusal(refuse, v1=True, fresh_id=row["freshId"]) == row["v1"]


def test_the_vectors_show_every_code() -> None:
    assert {row["refuse"]["code"] for row in ANSWERS["refusals"]} == set(Code)


@pytest.mark.parametrize("row", ANSWERS["refusals"], ids=by_name)
def test_the_old_client_never_takes_an_error_for_a_task_message(row: dict[str, Any]) -> None:
    error = json.loads(row["legacy"][0])
    assert list(error) == ["status", "error", "message", "request"]


@given(message=st.text(st.characters(codec="utf-8")), request=st.text(max_size=1024))
def test_any_words_are_encoded(message: str, request: str) -> None:
    request = request.encode(errors="replace").decode()  # as the decoder leaves it
    rejection = Rejection(Code.BAD_JSON, message)
    refuse = Refuse(to="c1", rejection=rejection, request=request, task_id="t1", refused_init=True)
    for v1 in (True, False):
        error, *fail = map(json.loads, encode.refusal(refuse, v1=v1, fresh_id="e9"))
        assert (error["message"], error["request"]) == (message, request)
        assert [told["reason"]["message"] for told in fail] == ([] if v1 else [message])


@pytest.mark.parametrize("row", ANSWERS["closings"], ids=lambda row: str(row["close"]))
def test_the_error_before_a_close(row: dict[str, Any]) -> None:
    told = encode.closing(row["close"])
    assert told == row["v1"]
    error = json.loads(told)
    assert error["error"] == ERROR_CLASS[error["code"]]
    assert error["retry"] is (error["code"] in ("unavailable", "limit"))


# Stored facts (§3 get)


def offered(number: int) -> Offered:
    return Offered(
        task=1, participant=number, client=f"mailer-{number}", connection="c", group=False, at=AT
    )


def word(
    seq: int, kind: EventKind, number: int, state: ParticipantState, body: str | None = None
) -> Event:
    """A participant's word in a task that goes on."""
    return happened(
        seq,
        kind,
        TaskState.START,
        by=f"mailer-{number}",
        participant=number,
        participant_state=state,
        body=body,
        stands_for=EventKind.FAIL if state is ParticipantState.FAILED else None,
    )


def test_the_summary_of_a_new_task() -> None:
    assert encode.task_summary(fold([init(action="a:b")])) == (
        '{"taskId":"t1","action":"a:b","publisher":"shop","state":"init","outcome":null,"seq":1,'
        f'"createdAt":{AT + 1},"startedAt":null,"settledAt":null,"endedAt":null,'
        f'"startDeadline":{AT + 101},"endDeadline":{AT + 60_001},"participants":[]}}'
    )


def test_the_summary_of_an_ended_task_keeps_each_participants_word() -> None:
    started, state = EventKind.START, ParticipantState
    facts: list[Fact] = [init(), *map(offered, (1, 2, 3, 4))]
    facts += [word(2, started, 1, state.STARTED), word(3, started, 2, state.STARTED)]
    facts.append(word(4, EventKind.DROP, 2, state.FAILED, '{"why" : 1}'))
    facts.append(word(5, started, 3, state.STARTED))
    facts.append(word(6, EventKind.DROP, 3, state.DROPPED))
    success = word(7, EventKind.SUCCESS, 1, state.SUCCEEDED, "1.50")
    facts.append(msgspec.structs.replace(success, state=TaskState.SUCCESS))
    facts.append(happened(8, EventKind.END, TaskState.END, by="hub"))
    text = encode.task_summary(fold(facts))
    told = json.loads(text)
    assert '"result":1.50' in text
    assert '"reason":{"why" : 1}' in text
    assert (told["state"], told["outcome"], told["seq"]) == ("end", "success", 8)
    times = (told["startedAt"], told["settledAt"], told["endedAt"])
    assert times == (AT + 2, AT + 7, AT + 8)
    assert told["participants"] == [
        {"client": "mailer-1", "state": "succeeded", "startedAt": AT + 2, "doneAt": AT + 7}
        | {"result": 1.5},
        {"client": "mailer-2", "state": "failed", "startedAt": AT + 3, "doneAt": AT + 4}
        | {"reason": {"why": 1}},
        {"client": "mailer-3", "state": "dropped", "startedAt": AT + 5, "doneAt": AT + 6},
        {"client": "mailer-4", "state": "offered", "startedAt": None, "doneAt": None},
    ]


def test_stored_events_are_a_list_of_v1_messages() -> None:
    assert encode.event_list([]) == "[]"
    told = encode.event_list(map(event_of, EVENTS))
    assert told == f"[{','.join(row['v1'] for row in EVENTS)}]"
    assert [told["seq"] for told in json.loads(told)] == [row["event"]["seq"] for row in EVENTS]
