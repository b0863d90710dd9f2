"""The commands of operators: one key on stdout, the rest on stderr, secrets nowhere else."""

import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command

from credentials import keys, selectors
from credentials.models import Client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fast_hasher")]


def run(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def works(name: str, key: str) -> bool:
    return selectors.authenticate(name=name, key=key) is not None


def test_createclient_prints_the_key_alone() -> None:
    out, err = run("createclient", "web", "--pub", "a", "--pub", "b:c", "--sub", "*", "--group")
    key = out.strip()
    assert out == f"{key}\n"
    assert keys.key_parse(key)
    assert key not in err
    assert works("web", key)
    found = selectors.authenticate(name="web", key=key)
    assert found is not None
    assert (found.pub, found.sub, found.watch, found.group) == (("a", "b:c"), ("*",), (), True)


def test_a_key_of_ones_own_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = run("createclient", "old", "--key", "sixteen letters!")
    assert out == ""
    assert "sixteen letters!" not in err
    assert works("old", "sixteen letters!")
    monkeypatch.setattr(sys, "stdin", io.StringIO("from standard input\n"))
    run("createclient", "older", "--key", "-")
    assert works("older", "from standard input")


@pytest.mark.parametrize(
    "words",
    [
        ("createclient", "web"),
        ("createclient", "hub"),
        ("createclient", "a b"),
        ("createclient", "x" * 65),
        ("createclient", "new", "--sub", "a:"),
        ("createclient", "new", "--sub", "weather:*"),
        ("createclient", "new", "--max-connections", "0"),
        ("createclient", "new", "--key", "too short"),
        ("rotatekey", "nobody"),
        ("revokekey", "nobody", "--all"),
        ("revokekey", "web", "nosuchid"),
    ],
    ids=" ".join,
)
def test_errors_are_sentences_and_leave_nothing(words: tuple[str, ...]) -> None:
    run("createclient", "web")
    with pytest.raises(CommandError) as error:
        run(*words)
    assert str(error.value).strip().endswith(".")
    assert [client.name for client in Client.objects.all()] == ["web"]


def test_rotate_then_revoke() -> None:
    old = run("createclient", "web")[0].strip()
    new, err = run("rotatekey", "web")
    new = new.strip()
    assert works("web", old)
    assert works("web", new)
    old_id = keys.key_parse(old)
    assert old_id is not None
    assert old_id in err
    run("revokekey", "web", old_id)
    assert not works("web", old)
    assert works("web", new)
    run("rotatekey", "web", "--expire-old-in", "0")
    assert not works("web", new)


def test_a_whole_key_is_not_taken_for_its_id() -> None:
    key = run("createclient", "web")[0].strip()
    with pytest.raises(CommandError) as error:
        run("revokekey", "web", key)
    assert key not in str(error.value)


def test_listclients_shows_no_secret() -> None:
    key = run("createclient", "web", "--pub", "a")[0].strip()
    table, listed = run("listclients")[0], run("listclients", "--json")[0]
    assert "web" in table
    assert json.loads(listed)
    for text in (table, listed):
        assert key not in text
        assert keys.digest(key) not in text
