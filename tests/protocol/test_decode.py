"""Frames in: every row of tests/vectors/frames.json, and what no table can hold."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.core.effects import Refuse
from hub.core.errors import ERROR_CLASS, Code, Rejection
from hub.core.inputs import Command, Get, Init, OperatorCancel, Report, Resume, Subscribe, Watch
from hub.core.values import EventKind, Token
from hub.protocol.decode import Rules, decode, text_of
from hub.protocol.fields import RESUMED_TASKS
from hub.protocol.frames import USED_FIELDS, Frame, depth

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text())
RULES = msgspec.convert(VECTORS["rules"], Rules)
LOOSE = msgspec.structs.replace(RULES, strict_actions=False)
ACCEPTED = [row for row in VECTORS["frames"] if "command" in row]
REFUSED = [row for row in VECTORS["frames"] if "error" in row]
#: where a value may be: a body, an unknown field, deep in one
PLACES = ('"payload":%s', '"other":%s', '"other":{"x":%s}')
T, E = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "0e37df36-f698-11e6-8dd4-cb9ced3df976"


def read(text: str, *, v1: bool = True, rules: Rules = RULES) -> Command | Refuse:
    return decode(text, connection="c1", v1=v1, rules=rules)


def refused(text: str, *, v1: bool = True, rules: Rules = RULES) -> Refuse:
    answer = read(text, v1=v1, rules=rules)
    assert isinstance(answer, Refuse)
    assert answer.to == "c1"
    assert answer.rejection.message.endswith(".")
    return answer


def code(text: str, *, v1: bool = True, rules: Rules = RULES) -> Code:
    return refused(text, v1=v1, rules=rules).rejection.code


def frame(**changes: Any) -> str:
    """A complete frame, an init unless told otherwise; a change to None takes the field away."""
    fields: dict[str, Any] = {"cmd": "pub", "event": "init", "eventId": E, "taskId": T}
    fields |= {"action": "email:send", "payload": 1, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def secret(kind: type, text: object) -> Token:
    assert kind is Token
    return Token(text)


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: row["name"])
def test_a_frame_becomes_its_command(row: dict[str, Any]) -> None:
    command = read(row["frame"], v1=row["version"] == "v1")
    assert not isinstance(command, Refuse), command
    expected = dict(row["command"])
    assert type(command).__name__ == expected.pop("type")
    expected |= {"connection": "c1", "request": row["frame"]}
    assert command == msgspec.convert(expected, type(command), dec_hook=secret)
    assert expected.keys() <= set(command.__struct_fields__)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["name"])
def test_a_frame_is_refused_with_its_code(row: dict[str, Any]) -> None:
    answer = refused(row["frame"], v1=row["version"] == "v1")
    known: dict[str, Any] = {"id": answer.command_id, "refusedInit": answer.refused_init}
    known |= {"taskId": answer.task_id, "eventId": answer.event_id}
    said = answer.rejection.code
    answered = {"class": ERROR_CLASS[said], "code": said} | {k: v for k, v in known.items() if v}
    assert answered == row["error"]
    assert answer.request == row["frame"]


def test_the_vectors_show_all_there_is() -> None:
    codes = {row["error"]["code"] for row in REFUSED}
    assert codes == set(list(Code)[: list(Code).index(Code.BAD_ACTION) + 1])
    commands = {row["command"]["type"] for row in ACCEPTED}
    by_frame = {cls for cls in Command.__subclasses__() if cls is not OperatorCancel}
    assert commands == {cls.__name__ for cls in by_frame}
    kinds = {row["command"].get("kind", "init") for row in ACCEPTED}
    assert kinds == {name[4:] for name in USED_FIELDS if name[:4] == "pub "} == set(EventKind)


# JSON (§7)


def test_a_lone_surrogate_in_the_text_itself_is_bad_json_and_is_not_sent_back() -> None:
    for text in ("\ud800", '{"cmd":"sub","action":"\udc00"}', '{"\udfff":1}'):
        assert code(text) is Code.BAD_JSON
        refused(text).request.encode()


@pytest.mark.parametrize("place", PLACES)
def test_json_is_strict_also_inside_bodies_and_unknown_fields(place: str) -> None:
    head = frame(payload=0)[:-1]
    for value in VECTORS["values"]["valid"]:
        assert isinstance(read(f"{head},{place % value}}}"), Init), value
    for value in VECTORS["values"]["invalid"]:
        assert code(f"{head},{place % value}}}") is Code.BAD_JSON, value


def test_depth() -> None:
    assert [depth(text) for text in ("1", '"[[["', r'"\"[["', '"[', "")] == [0] * 5
    assert [depth(text) for text in (r'["\\",[]]', '{"a":[{}],"b":[]}', "[" * 9)] == [2, 3, 9]


def test_nesting_is_counted_exactly() -> None:
    for opening, closing, fits in (("[", "]", 63), ('[{"a":', "}]", 31)):
        for times in (fits, fits + 1):
            value = opening * times + "0" + closing * times
            text = f'{frame(payload=0)[:-1]},"payload":{value}}}'
            assert isinstance(read(text), Init) is (times == fits)
    assert "64 levels" in refused(text).rejection.message
    assert isinstance(read(frame(payload=[[{}]] * 500)), Init)


def test_a_limit_beyond_what_the_parser_can_is_still_bad_json() -> None:
    text = '{"cmd":"pub","payload":' + "[" * 200_000 + "]" * 200_000 + "}"
    rules = msgspec.structs.replace(RULES, max_nesting=10**6)
    assert code(text, rules=rules) is Code.BAD_JSON


def test_what_is_no_object() -> None:
    assert code("\n\t [1]") is Code.BAD_COMMAND
    assert code("[1,,]") is Code.BAD_JSON
    assert code('{"cmd":1,"x":}') is Code.BAD_JSON
    assert isinstance(read('\r\n {"cmd":"sub","action":"a"} \n'), Subscribe)


def test_a_binary_frame_is_the_same_text_in_utf_8() -> None:
    assert text_of('{"cmd":"é😀"}'.encode()) == '{"cmd":"é😀"}'
    for data in (b"\xff", b'{"a":"\xed\xa0\x80"}', b"\xc0\xaf", b"\xf0\x9f\x98"):
        with pytest.raises(Rejection) as refusal:
            text_of(data)
        assert refusal.value.code is Code.BAD_JSON


# Fields


@pytest.mark.parametrize("name", ["taskId", "eventId"])
@pytest.mark.parametrize("v1", [True, False])
def test_ids(name: str, v1: bool) -> None:
    def with_id(value: object) -> str:
        return f"{frame(event='start', **{name: None})[:-1]},{json.dumps({name: value})[1:]}"

    for value in VECTORS["ids"]["valid"]:
        assert isinstance(read(with_id(value), v1=v1), Report)
    for value in VECTORS["ids"]["invalid"]:
        assert code(with_id(value), v1=v1) is Code.BAD_FIELD
    assert code(frame(event="start", **{name: None}), v1=v1) is Code.MISSING_FIELD


@pytest.mark.parametrize(
    ("field", "most"), [("startTimeout", 86_400_000), ("endTimeout", 2_592_000_000)]
)
def test_timeouts(field: str, most: int) -> None:
    for good in (1, most):
        assert isinstance(read(frame(**{field: good})), Init)
    wrong: list[object] = [0, -1, most + 1, 10**30, -(10**30), 1.0, 1e3, "5", True, []]
    for value in wrong:
        answer = refused(frame(**{field: value}))
        assert answer.rejection.code is Code.BAD_FIELD
        assert f'"{field}"' in answer.rejection.message
    assert str(most) in refused(frame(**{field: most + 1})).rejection.message


def test_a_command_id_is_any_short_string_and_told_with_every_refusal() -> None:
    for value in ("", "x" * 128, "é\u0000😀"):
        answer = read(frame(id=value))
        assert isinstance(answer, Init)
        assert answer.command_id == value
        assert refused(frame(id=value, payload=None)).command_id == value
        assert refused(frame(id=value, settle=1)).command_id == value
    assert refused(frame(id="x" * 129, settle=1)).command_id is None


def test_from_takes_any_seq_that_a_database_can_hold() -> None:
    for more in ({"cmd": "watch"}, {"cmd": "get", "what": "events"}):
        for value in (1, 2**53 - 1):
            answer = read(json.dumps({"taskId": T, "from": value, **more}))
            assert isinstance(answer, Watch | Get)
            assert answer.from_seq == value
        for wrong in (0, -1, 2**53, 10**40, 1.5, "1", None, True):
            text = json.dumps({"taskId": T, "from": wrong, **more})
            assert code(text) is Code.BAD_FIELD


def test_the_loose_grammar_takes_1_to_255_characters() -> None:
    for action in ("calculate", "two words", "é:\n", "x" * 255):
        assert isinstance(read(frame(action=action), rules=LOOSE, v1=False), Init)
        assert isinstance(read(frame(cmd="sub", action=action), rules=LOOSE), Subscribe)
    for action in ("", "x" * 256):
        for cmd in ("sub", "pub"):
            answer = refused(frame(cmd=cmd, action=action), rules=LOOSE)
            assert answer.rejection.code is Code.BAD_ACTION
            assert "255" in answer.rejection.message


# Unknown fields (§4.1)

#: one good value for each field, at the end of a frame of ill-typed and foreign ones
GOOD: dict[str, Any] = json.loads(
    frame(update=1, result=1, reason=1, id="7", expect="result", settle="any", claim=False)
) | {"startTimeout": 1, "endTimeout": 1, "group": True, "lazyPayload": 1, "from": 1, "what": "task"}
GOOD |= {"session": "s", "epoch": "e", "tasks": {"t": 1}}
ILL_TYPED = {name: {"not": ["this"]} for name in GOOD} | {"seq": 9, "by": "hub", "status": "ok"}
BODIES = {"payload", "update", "result", "reason"}


def sample(used: str) -> dict[str, Any]:
    """The fields of this command, each with a good value."""
    cmd, _, event = used.partition(" ")
    good = GOOD | {"cmd": cmd, "event": event}
    fields = {name: good[name] for name in ("cmd", *USED_FIELDS[used])}
    return {k: v for k, v in fields.items() if k != "action" or not cmd.endswith("watch")}


@pytest.mark.parametrize("used", USED_FIELDS)
def test_fields_a_command_does_not_use_are_ignored_whatever_their_type(used: str) -> None:
    wanted = sample(used)
    plain = read(json.dumps(wanted))
    stray = {k: v for k, v in ILL_TYPED.items() if k not in USED_FIELDS[used]}
    crowded = read(json.dumps(stray | wanted))
    assert not isinstance(plain, Refuse), plain
    assert not isinstance(crowded, Refuse), crowded
    assert msgspec.structs.replace(crowded, request=plain.request) == plain


@pytest.mark.parametrize("used", USED_FIELDS)
def test_a_used_field_of_the_wrong_type_is_named(used: str) -> None:
    for field in USED_FIELDS[used]:
        if field in BODIES:
            continue  # any JSON value
        answer = refused(json.dumps(sample(used) | {field: {"not": ["this"]}}))
        assert answer.rejection.code is Code.BAD_FIELD
        assert answer.rejection.message.startswith(f'"{field}" must be ')


# What a message shows


@pytest.mark.parametrize("field", ["action", "taskId", "eventId", "event"])
def test_a_command_of_v1_is_unknown_to_legacy_whatever_its_fields_are(field: str) -> None:
    for cmd in ("unsub", "cancel", "watch", "unwatch", "get", "resume"):
        assert code(json.dumps({"cmd": cmd, field: 7}), v1=False) == "bad-command"


def test_the_request_is_cut_at_1024_characters() -> None:
    text = frame(payload="é" * 5000)
    command = read(text)
    assert isinstance(command, Init)
    assert command.request == text[:1024]
    assert refused(text[:-1]).request == text[:1024]


SECRETS = ({"taskId": "my secret"}, {"event": "secret " * 9}, {"cmd": "<secret>"})
MORE_SECRETS = ({"action": "secret phrase"}, {"settle": "secret"}, {"payload": "secret", "id": 0})


@pytest.mark.parametrize("changes", SECRETS + MORE_SECRETS)
def test_messages_do_not_repeat_what_was_sent(changes: dict[str, Any]) -> None:
    for text in (frame(**changes), frame(**changes)[:-1], frame(**changes) + "!"):
        assert "secret" not in refused(text).rejection.message


def test_messages_show_a_short_plain_word() -> None:
    for changes, word in (({"event": "finish"}, "finish"), ({"cmd": "publish"}, "publish")):
        assert f'"{word}"' in refused(frame(**changes)).rejection.message


def test_a_resume_names_so_many_tasks() -> None:
    def resume(tasks: int) -> str:
        seen = {f"t{n}": n for n in range(tasks)}
        return json.dumps({"cmd": "resume", "session": "s", "epoch": "e", "tasks": seen})

    assert isinstance(read(resume(RESUMED_TASKS)), Resume)
    assert refused(resume(RESUMED_TASKS + 1)).rejection.code is Code.LIMIT


def test_a_session_is_shown_nowhere() -> None:
    command = read('{"cmd":"resume","session":"my secret","epoch":"e","tasks":{}}')
    assert isinstance(command, Resume)
    assert command.session == "my secret"
    assert "my secret" not in repr(command)


# Whatever may come

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner),
    max_leaves=9,
)
NAMES = st.sampled_from(["cmd", *Frame.__struct_encode_fields__])
WORDS = st.sampled_from(["sub", "unsub", "pub", "watch", "get", "init", "drop", "email:send", T])
FRAMES = st.dictionaries(NAMES, WORDS | VALUES).map(json.dumps)


@given(text=st.text() | FRAMES, v1=st.booleans(), strict=st.booleans())
@example(text='{"cmd":["a"]}', v1=True, strict=True)
@example(text="\udcff" * 2000, v1=False, strict=True)
def test_nothing_raises(text: str, v1: bool, strict: bool) -> None:
    answer = read(text, v1=v1, rules=RULES if strict else LOOSE)
    assert isinstance(answer, Command | Refuse)


@given(value=VALUES, indent=st.sampled_from([None, 0, 3]), plain=st.booleans(), v1=st.booleans())
def test_bodies_pass_as_received(value: object, indent: int | None, plain: bool, v1: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=plain)
    head = f'"cmd":"pub","eventId":"{E}","taskId":"{T}","action":"a:b"'
    init = read(f'{{"event":"init",{head},"payload": {body} }}', v1=v1)
    assert isinstance(init, Init)
    assert init.payload == body
    # "settle" is ill-typed and unused: the exact path must not touch the body either
    report = read(f'{{"event":"update","update":{body},{head},"settle":0}}', v1=v1)
    assert isinstance(report, Report)
    assert report.body == body
