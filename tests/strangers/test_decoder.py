"""The decoder by itself, against a second reading of the protocol, ten thousands of times."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.effects import Refuse
from hub.core.errors import Rejection
from hub.core.limits import Limits
from hub.protocol import decode
from hub.protocol.frames import Rules, text_of
from tests.strangers.judge import CLASSES
from tests.strangers.line import V1, VERSIONS
from tests.strangers.mutations import Mutator
from tests.strangers.oracle import defects
from tests.strangers.test_frames import ALL
from tests.strangers.world import NOWHERE, filled

LIMITS = Limits()
RULES = Rules(
    strict_actions=True,
    max_nesting=LIMITS.max_nesting,
    max_start_timeout=LIMITS.max_start_timeout_ms,
    max_end_timeout=LIMITS.max_end_timeout_ms,
)
FRAMES = int(os.environ.get("STRANGERS_DECODED", "50000"))


def read(frame: str | bytes, version: str) -> set[str]:
    """The code that the hub refuses a frame with; none: it is a command."""
    try:
        text = frame if isinstance(frame, str) else text_of(frame)
    except Rejection as rejection:
        return {rejection.code}
    answer = decode.decode(text, connection="c", v1=version == V1, rules=RULES)
    return {answer.rejection.code} if isinstance(answer, Refuse) else set()


def check(frame: str | bytes, version: str) -> None:
    """The hub refuses a frame for one of the reasons that there are, and only then."""
    found, possible = read(frame, version), defects(frame, version)
    shown = f"{version} {frame!r:.500}: {found or 'taken'}, and wrong is {possible or 'nothing'}"
    assert bool(found) == bool(possible), shown
    assert found <= possible, shown


def sendable(data: bytes) -> str | bytes:
    """Text where it can be text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


@pytest.mark.parametrize("version", VERSIONS)
def test_the_oracle_agrees_with_the_corpus(version: str) -> None:
    of_frames = {code for code in CLASSES if code.startswith(("bad-", "missing-"))}
    for case in ALL:
        frame = filled(case.frame, NOWHERE)
        answer = (case.v1 if version == V1 else case.legacy).partition("+")[0]
        found = defects(frame, version)
        if answer in of_frames:
            assert answer in found, case
        else:
            assert not found, case


@pytest.mark.parametrize("version", VERSIONS)
def test_mutated_frames(version: str) -> None:
    seeds = [one if isinstance(one, bytes) else one.encode() for one in corpus()]
    mutator = Mutator(seeds, seed=20_261_124)
    refused = 0
    for _ in range(FRAMES):
        frame = sendable(mutator.frame())
        check(frame, version)
        refused += bool(defects(frame, version))
    assert 0.3 < refused / FRAMES < 0.98, "most are refused, not all"


def corpus() -> list[str | bytes]:
    """Frames of the corpus that are not too long to be mutated well."""
    return [f for case in ALL if len(f := filled(case.frame, NOWHERE)) < 1_000]


WORDS = [
    "sub",
    "unsub",
    "pub",
    "cancel",
    "watch",
    "unwatch",
    "get",
    "init",
    "start",
    "update",
    "end",
]
NAMES = ["cmd", "event", "taskId", "eventId", "action", "payload", "update", "id", "what", "from"]
#: Also NaN, infinities and lone surrogates: Python writes them, and JSON has none of them.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=6),
    st.sampled_from([*WORDS, "weather:x", "weather", "*", "task", "t"]),
)
VALUES = st.recursive(
    SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=2)
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES)


@settings(max_examples=400, deadline=None)
@given(value=OBJECTS | VALUES, escaped=st.booleans(), version=st.sampled_from(VERSIONS))
def test_any_value(value: object, version: str, *, escaped: bool) -> None:
    check(json.dumps(value, ensure_ascii=escaped), version)


@settings(max_examples=400, deadline=None)
@given(text=st.text(st.characters(exclude_categories=())), version=st.sampled_from(VERSIONS))
def test_any_text(text: str, version: str) -> None:
    check(text, version)


@settings(max_examples=400, deadline=None)
@given(data=st.binary(), version=st.sampled_from(VERSIONS))
def test_any_bytes(data: bytes, version: str) -> None:
    check(data, version)
