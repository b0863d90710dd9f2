"""Generated keys as text, and the verifier of chosen ones. No database."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from credentials import keys
from credentials.chosen_keys import ChosenKeyVerifier
from credentials.models import Key
from credentials.validators import validate_client_name, validate_pattern
from taskhub_site.environment import read_environment

CHOSEN = "correct-horse-battery"


def test_a_generated_key_has_the_documented_shape() -> None:
    key = keys.key_generate()

    shape = rf"thk_({key.public_id})_[A-Za-z0-9]{{49}}"
    assert re.fullmatch(shape, key.plaintext)
    assert re.fullmatch("[a-z2-9]{8}", key.public_id)
    assert keys.key_parse(key.plaintext) == key.public_id
    assert keys.is_generated(key.plaintext)
    assert len(keys.BASE62) ** keys.SECRET_LENGTH >= 2**256


def test_generated_keys_differ() -> None:
    made = [keys.key_generate() for _ in range(500)]

    assert len({key.plaintext for key in made}) == len({key.public_id for key in made}) == 500


def test_the_digest_recognises_its_key_alone() -> None:
    key, other = keys.key_generate(), keys.key_generate()

    assert keys.digest_matches(key.digest, key.plaintext)
    assert not keys.digest_matches(key.digest, other.plaintext)
    assert not keys.digest_matches("", key.plaintext)
    assert key.plaintext not in key.digest


def test_the_checksum_is_stable() -> None:
    # Stored nowhere but in the keys that are out there: another algorithm would refuse them all.
    assert keys.checksum("thk_abcdefgh_" + "0" * 43) == "2nUz9J"


def test_every_single_typing_mistake_is_noticed() -> None:
    key = keys.key_generate().plaintext

    for index, character in enumerate(key):
        assert keys.key_parse(key[:index] + key[index + 1 :]) is None
        replaced = "a" if character != "a" else "b"
        assert keys.key_parse(key[:index] + replaced + key[index + 1 :]) is None
        swapped = key[:index] + key[index + 1 : index + 2] + character + key[index + 2 :]
        assert keys.key_parse(swapped) is None or swapped == key


@pytest.mark.parametrize("extra", ["\n", " ", "x", "\0"])
def test_nothing_may_follow_a_key(extra: str) -> None:
    assert keys.key_parse(keys.key_generate().plaintext + extra) is None


@given(st.text(max_size=80))
def test_other_text_is_no_generated_key(text: str) -> None:
    assert keys.key_parse(text) is None
    assert keys.key_parse("thk_" + text) is None


def test_representations_keep_the_secret() -> None:
    key = keys.key_generate()
    row = Key(public_id=key.public_id, digest=key.digest)

    for text in (repr(key), repr(row), str(row)):
        assert key.public_id in text
        assert key.plaintext not in text
        assert key.digest not in text


class Compare:
    """Stands in for the slow hash: right when the key is CHOSEN, counted, failing on demand."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, encoded: str | None, presented: str) -> bool:
        self.calls += 1
        self.entered.set()
        assert self.go_on.wait(10)
        if self.fails:
            raise RuntimeError("no hasher")
        return encoded is not None and presented == CHOSEN


def test_a_right_key_is_hashed_once() -> None:
    compare = Compare()
    verifier = ChosenKeyVerifier(compare=compare)

    answers = [verifier.verify(name="a", encoded="h", presented=CHOSEN) for _ in range(5)]

    assert answers == [True] * 5
    assert compare.calls == 1


def test_a_right_key_presented_by_a_hundred_at_once_is_hashed_once() -> None:
    compare = Compare()
    compare.go_on.clear()
    verifier = ChosenKeyVerifier(compare=compare)
    arrived = threading.Barrier(101)

    def reconnect(_: int) -> bool:
        arrived.wait(10)
        return verifier.verify(name="a", encoded="h", presented=CHOSEN)

    with ThreadPoolExecutor(100) as pool:
        answers = pool.map(reconnect, range(100))
        arrived.wait(10)
        assert compare.entered.wait(10)
        compare.go_on.set()
        assert list(answers) == [True] * 100

    assert compare.calls == 1


@pytest.mark.parametrize("encoded", ["h", None])
def test_a_wrong_key_is_hashed_each_time(encoded: str | None) -> None:
    compare = Compare()
    verifier = ChosenKeyVerifier(compare=compare)

    answers = [verifier.verify(name="a", encoded=encoded, presented="wrong") for _ in range(3)]

    assert answers == [False] * 3
    assert compare.calls == 3


def test_what_is_remembered_is_bound_to_the_stored_hash() -> None:
    compare = Compare()
    verifier = ChosenKeyVerifier(compare=compare)
    verifier.verify(name="a", encoded="h", presented=CHOSEN)

    assert not verifier.verify(name="a", encoded=None, presented=CHOSEN)
    assert verifier.verify(name="a", encoded="h2", presented=CHOSEN)
    assert verifier.verify(name="b", encoded="h", presented=CHOSEN)
    assert compare.calls == 4


def test_no_more_is_remembered_than_the_capacity() -> None:
    compare = Compare()
    verifier = ChosenKeyVerifier(capacity=2, compare=compare)

    def hashed(encoded: str) -> bool:
        before = compare.calls
        verifier.verify(name="a", encoded=encoded, presented=CHOSEN)
        return compare.calls > before

    assert [hashed(encoded) for encoded in "121321"] == [True, True, False, True, True, True]


def test_a_failing_hash_fails_those_who_wait_and_is_tried_again() -> None:
    compare = Compare()
    compare.fails = True
    verifier = ChosenKeyVerifier(compare=compare)

    with pytest.raises(RuntimeError):
        verifier.verify(name="a", encoded="h", presented=CHOSEN)
    compare.fails = False
    assert verifier.verify(name="a", encoded="h", presented=CHOSEN)


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "email", "email/address", "email:send", "email/address:validate"),
        *("a.b-c_d:E.1", "9:9", "a" * 255),
    ],
)
def test_a_pattern_is_accepted(pattern: str) -> None:
    validate_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", " ", "a b", "a\n", "a\0", "ä", "a" * 256),
        *("**", "email:*", "email/*", ":send", "email:", "/email", "email/", "a//b", "a:b:c"),
        *("a:b/c", "-a", ".a", "_a", "a:-b", "a/.b"),
    ],
)
def test_a_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        validate_pattern(pattern)


def test_the_loose_grammar_takes_whatever_old_clients_say(settings: Settings) -> None:
    settings.TASKHUB = read_environment({"TASKHUB_ACTION_GRAMMAR": "any"})

    for pattern in ("send an email", "a:b:c", "ä", "a" * 255):
        validate_pattern(pattern)
    for pattern in ("", "a" * 256):
        with pytest.raises(ValidationError):
            validate_pattern(pattern)


@pytest.mark.parametrize("name", ["a b", "a\n", "a:b", "ä", "a/b", ""])
def test_a_client_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_client_name(name)
