"""Cursors lead back to their key, tell nothing of it, and cannot be made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.cursors import cursor_of, key_of
from hub.api.idempotency import ids_of
from hub.api.problems import Refused
from hub.core.access import access

KEYS = st.integers(1, 2**63 - 1)


@given(KEYS)
def test_a_cursor_leads_back_to_its_key(key: int) -> None:
    assert key_of(cursor_of(key)) == key


def test_cursors_of_neighbours_have_nothing_in_common() -> None:
    texts = [cursor_of(key) for key in range(1, 200)]
    assert len(set(texts)) == len(texts)
    assert texts != sorted(texts)
    assert len({text[:3] for text in texts}) > 150


@given(KEYS, st.integers(0, 19), st.sampled_from("Aa0-_b9"))
def test_a_changed_cursor_is_refused(key: int, place: int, letter: str) -> None:
    cursor = cursor_of(key)
    changed = cursor[:place] + letter + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(Refused):
            key_of(changed)


@given(st.text(max_size=40))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(Refused) as refused:
        key_of(text)
    assert refused.value.code == "bad-field"


def test_ids_of_a_key_differ_by_client_and_content_of_the_key() -> None:
    web, shop = access("web"), access("shop")
    found = [ids_of("k", web, None), ids_of("k", shop, None), ids_of("k2", web, None)]
    every = {text for ids in found for text in (ids.task_id, ids.event_id)}
    assert len(every) == 6
    assert ids_of("k", web, None) == found[0]
    assert ids_of("k", web, "t").task_id == "t"
    assert ids_of("k", web, "t").event_id == found[0].event_id
    assert ids_of(None, web, "t").event_id is None
