"""The codes and classes of docs/protocol.md §7."""

import pytest

from hub.core.errors import ERROR_CLASS, Code, HubError, HubFault, Rejection, TaskNotLoaded

TABLE = {
    "SyntaxError": "bad-json",
    "TypeError": "bad-command missing-field bad-field",
    "RangeError": "bad-event bad-action too-big limit",
    "PermissionError": "forbidden",
    "StateError": "unknown-task duplicate-task event-conflict task-ended claimed "
    "illegal-transition",
    "HubError": "unavailable",
}


def test_the_table_of_the_protocol() -> None:
    expected = {code: name for name, codes in TABLE.items() for code in codes.split()}
    assert {code.value: name for code, name in ERROR_CLASS.items()} == expected


def test_every_code_has_a_class() -> None:
    assert set(ERROR_CLASS) == set(Code)


def test_what_may_be_sent_again() -> None:
    assert Rejection(Code.UNAVAILABLE, "m").retry
    assert Rejection(Code.LIMIT, "m", retry=True).retry
    assert not Rejection(Code.LIMIT, "m").retry


@pytest.mark.parametrize(
    "error", [Rejection(Code.LIMIT, "m"), HubFault("m"), TaskNotLoaded("t1")], ids=repr
)
def test_one_base_for_all(error: Exception) -> None:
    assert isinstance(error, HubError)


def test_a_rejection_says_its_message() -> None:
    rejection = Rejection(Code.CLAIMED, "Another service has claimed this task.")
    assert rejection.code is Code.CLAIMED
    assert rejection.message == str(rejection) == "Another service has claimed this task."


def test_a_task_that_is_not_loaded_is_named() -> None:
    assert TaskNotLoaded("t1").task_id == "t1"
