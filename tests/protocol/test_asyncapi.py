"""The AsyncAPI document says what the decoder takes and what the encoder makes, and no more."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft7Validator
from msgspec import UnsetType

from hub.core.effects import Acknowledge, Refuse, Resumed, Unchanged
from hub.core.errors import ERROR_CLASS, Code, Rejection
from hub.core.facts import Created, Event, Offered
from hub.core.inputs import Command
from hub.core.limits import Limits
from hub.core.task import fold
from hub.core.values import (
    BODY_FIELD,
    HUB,
    EventKind,
    Expect,
    ParticipantState,
    Settle,
    TaskState,
)
from hub.protocol import asyncapi, decode, encode, messages
from hub.protocol.commands import V1_COMMANDS, Type
from hub.protocol.fields import COMMAND_ID_LENGTH, LISTED_EVENTS, REFERENCE
from hub.protocol.frames import Frame, LegacyFrame, Rules
from hub.protocol.legacy import LEGACY_COMMANDS, LEGACY_EVENTS, LegacyAnswer, LegacyError
from hub.queries import MAX_LISTED
from hub.runtime import hub_version

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
FRAMES = json.loads((VECTORS / "frames.json").read_text())
EVENTS = json.loads((VECTORS / "events.json").read_text())
ANSWERS = json.loads((VECTORS / "answers.json").read_text())
RULES = Rules(**FRAMES["rules"])
DOCUMENT = asyncapi.document()
SCHEMAS = DOCUMENT["components"]["schemas"]
COMMANDS = {"v1": V1_COMMANDS, "legacy": LEGACY_COMMANDS}
MESSAGES: dict[str, tuple[Type, ...]] = {
    "v1": messages.V1_MESSAGES,
    "legacy": (*LEGACY_EVENTS, LegacyAnswer, LegacyError),
}
VERSIONS = pytest.mark.parametrize("version", ["v1", "legacy"])


def validator(name: str, document: dict[str, Any] = DOCUMENT) -> Draft7Validator:
    schema = {"$ref": REFERENCE + name, "components": document["components"]}
    return Draft7Validator(schema)


CHECKS = {name: validator(name) for name in DOCUMENT["components"]["messages"]}


def fitting(text: str, kinds: Any) -> list[str]:
    """The names of those types whose schema this text is valid against."""
    value = json.loads(text, parse_float=Decimal)
    return [kind.__name__ for kind in kinds if CHECKS[kind.__name__].is_valid(value)]


def commands(version: str) -> list[Type]:
    return list(COMMANDS[version].values())


# The document


def test_the_committed_document_is_what_the_code_makes() -> None:
    made = asyncapi.text(asyncapi.document(version=hub_version()))
    assert (ROOT / "docs" / "asyncapi.json").read_bytes() == made, (
        "the message types have changed: run `.venv/bin/python manage.py asyncapi`"
    )


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_each_reference_leads_somewhere_and_each_schema_is_used() -> None:
    used = references(DOCUMENT)
    for reference in used:
        target: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    assert {name for name in SCHEMAS if REFERENCE + name not in used} == set()


def test_each_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        Draft7Validator({**schema, "components": DOCUMENT["components"]})


def test_each_message_is_on_the_channel_and_in_an_operation() -> None:
    names = set(DOCUMENT["components"]["messages"])
    kinds = [kind for version in COMMANDS for kind in (*commands(version), *MESSAGES[version])]
    assert (
        names == {kind.__name__ for kind in kinds} == set(DOCUMENT["channels"]["hub"]["messages"])
    )
    said = references(DOCUMENT["operations"])
    assert {f"#/channels/hub/messages/{name}" for name in names} < said


def test_each_example_is_a_golden_vector_and_fits_its_schema() -> None:
    vectors = [json.loads(text) for text in texts_in([FRAMES["frames"], EVENTS, ANSWERS])]
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["examples"], name
        for example in message["examples"]:
            assert example["payload"] in vectors, name
            assert CHECKS[name].is_valid(example["payload"]), name


def texts_in(value: Any) -> list[str]:
    """Every string in the vectors that is a JSON object."""
    if isinstance(value, str):
        try:
            return [value] if isinstance(json.loads(value), dict) else []
        except ValueError:
            return []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in inner for text in texts_in(item)]


def test_close_codes_and_codes_are_those_of_the_hub() -> None:
    codes = DOCUMENT["channels"]["hub"]["x-close-codes"]
    shown = {str(row["close"]): json.loads(row["v1"]) for row in ANSWERS["closings"]}
    said = {code: (told["error"], told["code"]) for code, told in codes.items() if "code" in told}
    assert said == {code: (told["error"], told["code"]) for code, told in shown.items()}
    assert SCHEMAS["CloseCode"]["enum"] == sorted(encode.CLOSING) == sorted(map(int, shown))
    assert SCHEMAS["Code"]["enum"] == sorted(Code)
    assert LISTED_EVENTS == MAX_LISTED


# Commands


@VERSIONS
def test_the_document_has_the_commands_of_the_decoder(version: str) -> None:
    dialect = decode._V1 if version == "v1" else decode._LEGACY
    named = {name.partition(" ")[0] for name in COMMANDS[version]}
    answered = asyncapi.V1_ANSWERED_BY if version == "v1" else asyncapi.LEGACY_ANSWERED_BY
    assert named == set(dialect.commands) == set(answered)
    events = {name.partition(" ")[2] for name in COMMANDS[version]} - {""}
    assert events == set(EventKind)
    received = [
        operation["title"]
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "receive" and operation["tags"] == [{"name": version}]
    ]
    assert sorted(received) == sorted(named)


@pytest.mark.parametrize(("version", "reader"), [("v1", Frame), ("legacy", LegacyFrame)])
def test_the_commands_have_the_fields_that_frames_are_read_into(version: str, reader: Type) -> None:
    readable, used = read_types(reader), {"cmd"}
    for kind in commands(version):
        for name, hint in read_types(kind).items():
            used.add(name)
            assert hint == readable[name], name
    assert used == readable.keys()


def read_types(kind: Type) -> dict[str, Any]:
    """The type of each field by its name on the wire, as a reader has it: none has to be there."""
    hints = get_type_hints(kind)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    found = {wire: hints[name] for name, wire in names}
    return {wire: (str if is_word(hint) else hint) | UnsetType for wire, hint in found.items()}


def is_word(hint: Any) -> bool:
    return get_origin(hint) is Literal


ACCEPTED = [row for row in FRAMES["frames"] if "command" in row]
REFUSED = [row for row in FRAMES["frames"] if "error" in row]


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: row["name"])
def test_a_frame_that_is_taken_fits_one_command(row: dict[str, Any]) -> None:
    (name,) = fitting(row["frame"], commands(row["version"]))
    said = json.loads(row["frame"])
    key = f"pub {said['event']}" if said["cmd"] == "pub" else said["cmd"]
    assert name == COMMANDS[row["version"]][key].__name__


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["name"])
def test_a_frame_that_is_refused_fits_none(row: dict[str, Any]) -> None:
    if row["error"]["code"] == "bad-json":
        return
    assert fitting(row["frame"], commands(row["version"])) == []


def taken(text: str, *, v1: bool, rules: Rules = RULES) -> bool:
    return isinstance(decode.decode(text, connection="c", v1=v1, rules=rules), Command)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=9)
#: a float that is a whole number is an integer to JSON Schema, and none to the hub (§7)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
#: values at which something is decided
EDGES = st.sampled_from(
    [
        *(0, 1, -1, 2**53 - 1, 2**53, 86_400_000, 86_400_001, 2_592_000_000, 2_592_000_001),
        *("", "a", "*", "a:b", "a/b:c", "a:b\n", "a b", "x" * 64, "x" * 65, "é" * 128, "é" * 129),
        *("n:" + "v" * 253, "n:" + "v" * 254, "result", "first", "task", "init", True),
        *({"t": 0}, {"t": -1}, {"a b": 1}),
    ]
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of the document describes."""
    if "$ref" in schema:
        return values(SCHEMAS[schema["$ref"].removeprefix(REFERENCE)])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "propertyNames" in schema:
        names = st.from_regex(schema["propertyNames"]["pattern"][1:-1], fullmatch=True)
        return st.dictionaries(names, values(schema["additionalProperties"]), max_size=3)
    match schema.get("type"):
        case "string" if "pattern" in schema:
            found = st.from_regex(schema["pattern"][1:-1], fullmatch=True)
            return found.filter(lambda text: len(text) <= schema.get("maxLength", len(text)))
        case "string":
            return st.text(st.characters(codec="utf-8"), max_size=schema.get("maxLength"))
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
        case None:
            return VALUES
    raise AssertionError(schema)


@st.composite
def frames(draw: st.DrawFn, version: str) -> tuple[str, dict[str, Any]]:
    """A command of the document with any of its optional fields, and the name of its type."""
    name = draw(st.sampled_from(commands(version))).__name__
    schema = SCHEMAS[name]
    one_of = draw(st.sampled_from(schema.get("oneOf", [{"required": []}])))["required"]
    wanted = {*schema["required"], *one_of}
    others = {field for part in schema.get("oneOf", []) for field in part["required"]}
    may = sorted(schema["properties"].keys() - wanted - others)
    wanted |= set(draw(st.lists(st.sampled_from(may)))) if may else set()
    return name, {field: draw(values(schema["properties"][field])) for field in sorted(wanted)}


@VERSIONS
@given(data=st.data())
def test_whatever_the_document_describes_is_taken(version: str, data: st.DataObject) -> None:
    name, frame = data.draw(frames(version))
    text = json.dumps(frame)
    assert fitting(text, commands(version)) == [name]
    assert taken(text, v1=version == "v1"), frame


@VERSIONS
@given(data=st.data())
def test_the_document_takes_what_the_decoder_takes(version: str, data: st.DataObject) -> None:
    """A command with one field that is gone, or anything else: both say the same of it."""
    _, frame = data.draw(frames(version))
    field = data.draw(st.sampled_from([*frame, *Frame.__struct_encode_fields__]))
    if data.draw(st.booleans()):
        frame.pop(field, None)
    else:
        frame[field] = data.draw(VALUES | EDGES)
    text = json.dumps(frame)
    assert len(fitting(text, commands(version))) == taken(text, v1=version == "v1"), frame


def test_the_document_of_a_hub_follows_its_settings() -> None:
    loose = Rules(strict_actions=False, max_nesting=64, max_start_timeout=5, max_end_timeout=6)
    document = asyncapi.document(rules=loose, version="9.9")
    assert document["info"]["version"] == "9.9"
    check = validator("PubInit", document)
    base = {"cmd": "pub", "event": "init", "taskId": "t", "eventId": "e", "payload": 1}
    for action in ("two words", "é:\n", "x" * 255, "", "x" * 256, "a\0b"):
        frame = base | {"action": action}
        assert check.is_valid(frame) is taken(json.dumps(frame), v1=True, rules=loose)
    for timeouts in ({"startTimeout": 5}, {"startTimeout": 6}, {"endTimeout": 7}):
        frame = base | {"action": "a:b"} | timeouts
        assert check.is_valid(frame) is taken(json.dumps(frame), v1=True, rules=loose)


# Messages


def told(version: str) -> list[str]:
    """Every message of this version in the vectors."""
    rows = [*EVENTS, *ANSWERS["answers"], *ANSWERS["refusals"], *ANSWERS["closings"]]
    names = ("v1", "v1SizeOnly") if version == "v1" else ("legacy",)
    return [text for row in rows for name in names for text in texts_in(row.get(name))]


@VERSIONS
def test_each_message_of_the_vectors_fits_one_type_and_each_type_is_shown(version: str) -> None:
    shown = set()
    for text in told(version):
        (name,) = fitting(text, MESSAGES[version])
        shown.add(name)
    assert shown == {kind.__name__ for kind in MESSAGES[version]}


@VERSIONS
def test_a_message_with_another_field_or_one_less_fits_none(version: str) -> None:
    for text in told(version):
        said = json.loads(text)
        (name,) = fitting(text, MESSAGES[version])
        assert not CHECKS[name].is_valid(said | {"more": 1})
        for field in SCHEMAS[name]["required"]:
            assert not CHECKS[name].is_valid({k: v for k, v in said.items() if k != field}), field


@VERSIONS
def test_each_refusal_of_a_vector_fits_an_error(version: str) -> None:
    for row in REFUSED:
        answer = decode.decode(row["frame"], connection="c", v1=version == "v1", rules=RULES)
        if isinstance(answer, Refuse):
            error, *fail = encode.refusal(answer, v1=version == "v1", fresh_id="e9")
            assert fitting(error, MESSAGES[version]) == [
                "Error" if version == "v1" else "LegacyError"
            ]
            assert [fitting(text, MESSAGES[version]) for text in fail] == [
                ["LegacyFailEvent"]
            ] * len(fail)


IDS = values({"$ref": REFERENCE + "Id"})
COMMAND_IDS = st.none() | st.text(st.characters(codec="utf-8"), max_size=COMMAND_ID_LENGTH)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=255)
BODIES = VALUES.map(json.dumps)
TIMES = st.integers(0, 2**45)
TIMEOUTS = st.integers(1, 2_592_000_000)

CREATED = st.builds(
    Created,
    action=NAMES,
    connection=st.just("c1"),
    start_timeout=TIMEOUTS,
    end_timeout=TIMEOUTS,
    settle=st.sampled_from(Settle),
    expect=st.sampled_from(Expect),
    claim=st.booleans(),
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(EventKind))
    body = draw(BODIES) if kind in BODY_FIELD else None
    stands_for = None
    if kind is EventKind.DROP:
        body = draw(st.none() | BODIES)
        if body is not None:
            stands_for = draw(st.sampled_from([None, EventKind.FAIL, EventKind.SUCCESS]))
    return Event(
        task=1,
        task_id=draw(IDS),
        seq=draw(st.integers(1, 10**6)),
        kind=kind,
        event_id=draw(IDS),
        at=draw(TIMES),
        by=draw(st.just(HUB) | values(SCHEMAS["ClientName"])),
        state=TaskState.INIT,
        body=body,
        stands_for=stands_for,
        created=draw(CREATED) if kind is EventKind.INIT else None,
    )


@given(event=events(), lazy=st.booleans(), command_id=COMMAND_IDS)
def test_each_event_fits_one_type(event: Event, lazy: bool, command_id: str | None) -> None:
    wanted = event.kind.capitalize() + "Event"
    assert fitting(encode.event_legacy(event), MESSAGES["legacy"]) == [f"Legacy{wanted}"]
    text = encode.event_v1(event, size_only=lazy)
    if event.kind is EventKind.INIT and lazy:
        wanted = "LazyInitEvent"
    if event.stands_for is not None:
        wanted = "FailedDropEvent" if event.stands_for is EventKind.FAIL else "SucceededDropEvent"
    if command_id is not None:
        text = encode.with_id(text, command_id)
    assert fitting(text, MESSAGES["v1"]) == [wanted]
    listed = encode.answer_get("events", encode.event_list([event]), command_id)
    assert fitting(listed, MESSAGES["v1"]) == ["EventsAnswer"]


@given(name=NAMES, task_id=IDS, command_id=COMMAND_IDS, body=BODIES, done=st.booleans())
def test_each_answer_fits_one_type(
    name: str, task_id: str, command_id: str | None, body: str, done: bool
) -> None:
    done_with = Resumed(to="c", previous="p" if done else None, command_id=command_id)
    made = {
        "PatternAnswer": encode.acknowledge(
            Acknowledge(to="c", message="Yes.", action=name, command_id=command_id)
        ),
        "TaskAnswer": encode.ok("Yes.", command_id=command_id, taskId=task_id),
        "Unchanged": encode.unchanged(
            Unchanged(to="c", task_id=task_id, event_id="e", command_id=command_id)
        ),
        "Resumed": encode.resumed(done_with),
        "PayloadAnswer": encode.answer_get("payload", body, command_id),
        "ResultAnswer": encode.answer_get("result", body, command_id),
    }
    for wanted, text in made.items():
        assert fitting(text, MESSAGES["v1"]) == [wanted]


@given(created=CREATED, event=events(), states=st.lists(st.sampled_from(ParticipantState)))
def test_each_summary_fits(created: Created, event: Event, states: list[ParticipantState]) -> None:
    init = msgspec.structs.replace(
        event, kind=EventKind.INIT, seq=1, body="{}", stands_for=None, created=created
    )
    facts: list[Event | Offered] = [init]
    for number, state in enumerate(states, 1):
        offer = Offered(
            task=1, participant=number, client="a", connection="c", group=False, at=event.at
        )
        word = msgspec.structs.replace(
            event,
            kind=EventKind.SUCCESS if state is ParticipantState.SUCCEEDED else EventKind.DROP,
            state=TaskState.SUCCESS if state is ParticipantState.SUCCEEDED else TaskState.START,
            seq=number + 1,
            participant=number,
            participant_state=state,
            created=None,
        )
        facts += [offer, word]
    text = encode.answer_get("task", encode.task_summary(fold(facts)))
    assert fitting(text, MESSAGES["v1"]) == ["SummaryAnswer"]


@given(code=st.sampled_from(Code), message=TEXTS, command_id=COMMAND_IDS, task_id=st.none() | IDS)
def test_each_error_fits_its_type(
    code: Code, message: str, command_id: str | None, task_id: str | None
) -> None:
    refuse = Refuse(
        to="c", rejection=Rejection(code, message), command_id=command_id, task_id=task_id
    )
    (text,) = encode.refusal(refuse, v1=True, fresh_id="e")
    assert fitting(text, MESSAGES["v1"]) == ["Error"]
    wrong = next(other for other in ERROR_CLASS.values() if other != ERROR_CLASS[code])
    assert fitting(text.replace(ERROR_CLASS[code], wrong, 1), MESSAGES["v1"]) == []


def test_a_welcome_with_every_limit_fits() -> None:
    limits = {name: getattr(Limits(), name) for name in Limits.__slots__}
    text = encode.welcome(connection_id="c", session="s", epoch="e", hub="1", limits=limits, now=1)
    assert fitting(text, MESSAGES["v1"]) == ["Welcome"]
    assert msgspec.json.decode(text, type=messages.Welcome).now == 1
