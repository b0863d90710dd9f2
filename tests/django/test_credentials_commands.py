"""The commands as an operator and a script see them: stdout, stderr, exit code."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from credentials import services
from credentials.models import Client, Key
from credentials.selectors import authenticate
from taskhub_site.environment import BASE_DIR

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hashes")]

CHOSEN = "correct-horse-battery"


class Ran(NamedTuple):
    out: str
    err: str


def _run(*arguments: str) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return Ran(out.getvalue(), err.getvalue())


def test_createclient_prints_the_key_alone() -> None:
    ran = _run(
        "createclient", "mailer", "--sub", "email", "--sub", "weather", "--pub", "*",
        "--watch", "email:send", "--max-connections", "3", "--group",
    )  # fmt: skip

    grants = authenticate(name="mailer", key=ran.out.removesuffix("\n"))
    assert grants is not None
    assert (grants.sub, grants.pub, grants.watch) == (("email", "weather"), ("*",), ("email:send",))
    assert (grants.max_connections, grants.group) == (3, True)
    assert "mailer" in ran.err
    assert ran.out.strip() not in ran.err


def test_createclient_with_a_chosen_key_prints_nothing() -> None:
    ran = _run("createclient", "mailer", "--key", CHOSEN, "--sub", "email")

    assert ran.out == ""
    assert CHOSEN not in ran.err
    assert authenticate(name="mailer", key=CHOSEN)


def test_createclient_reads_the_chosen_key_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CHOSEN}\r\nmore\n"))

    assert _run("createclient", "mailer", "--key", "-").out == ""
    assert authenticate(name="mailer", key=CHOSEN)


def test_createclient_says_when_the_client_may_do_nothing() -> None:
    assert "permissions" in _run("createclient", "mailer").err
    assert "permissions" not in _run("createclient", "other", "--pub", "*").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mailer"], "already exists.*rotatekey mailer"),
        (["ma iler"], "client name is made of"),
        (["a" * 65], "64"),
        (["new", "--sub", "a:b:c"], "'a:b:c' is not a pattern"),
        (["new", "--key", "short"], "16 to 256"),
        (["new", "--key", ""], "16 to 256"),
        (["new", "--max-connections", "0"], "greater than or equal to 1"),
    ],
)
def test_createclient_refuses_with_a_sentence(arguments: list[str], words: str) -> None:
    _run("createclient", "mailer")

    with pytest.raises(CommandError, match=words):
        _run("createclient", *arguments)
    assert list(Client.objects.values_list("name", flat=True)) == ["mailer"]


def _two_keys() -> tuple[Key, str]:
    """A client's key in the clear, beside a second one."""
    client, plaintext = services.client_create(name="mailer")
    first = client.keys.get()
    services.key_generate(client=client)
    return first, plaintext


def test_rotatekey_keeps_the_old_keys_and_says_so() -> None:
    first, plaintext = _two_keys()

    ran = _run("rotatekey", "mailer")

    assert authenticate(name="mailer", key=ran.out.removesuffix("\n"))
    assert authenticate(name="mailer", key=plaintext)
    assert "Still good" in ran.err
    assert first.public_id in ran.err
    assert "revokekey mailer" in ran.err
    assert "Still good" not in _run("rotatekey", "mailer", "--keep-old").err


def test_rotatekey_ends_the_old_keys_in_a_while() -> None:
    first, plaintext = _two_keys()
    before = timezone.now()

    ran = _run("rotatekey", "mailer", "--expire-old-in", "3600")

    first.refresh_from_db()
    assert first.expires_at is not None
    lifetime = first.expires_at - before
    assert timedelta(hours=1) <= lifetime < timedelta(hours=1, minutes=1)
    assert authenticate(name="mailer", key=plaintext)
    assert authenticate(name="mailer", key=plaintext, now=first.expires_at) is None
    assert authenticate(name="mailer", key=ran.out.strip(), now=first.expires_at)


def test_rotatekey_ends_the_old_keys_at_once() -> None:
    _, plaintext = _two_keys()

    ran = _run("rotatekey", "mailer", "--expire-old-in", "0")

    assert authenticate(name="mailer", key=plaintext) is None
    assert authenticate(name="mailer", key=ran.out.strip())


def test_rotatekey_warns_of_a_disabled_client() -> None:
    first, _ = _two_keys()
    services.client_disable(client=first.client)

    assert "disabled" in _run("rotatekey", "mailer").err


@pytest.mark.parametrize("seconds", ["-1", "999999999999"])
def test_rotatekey_refuses_an_impossible_time(seconds: str) -> None:
    _two_keys()
    with pytest.raises(CommandError, match="--expire-old-in takes"):
        _run("rotatekey", "mailer", "--expire-old-in", seconds)
    assert Key.objects.count() == 2


def test_revokekey_revokes_one_key() -> None:
    first, plaintext = _two_keys()

    ran = _run("revokekey", "mailer", first.public_id)

    assert ran.out == ""
    assert "no live key" not in ran.err
    assert authenticate(name="mailer", key=plaintext) is None
    assert [key.state(timezone.now()) for key in Key.objects.all()] == ["live", "revoked"]
    assert "already" in _run("revokekey", "mailer", first.public_id).err


def test_revokekey_revokes_all_keys_and_says_what_that_means() -> None:
    _, plaintext = _two_keys()

    ran = _run("revokekey", "mailer", "--all")

    assert "Revoked 2 keys" in ran.err
    assert "rotatekey mailer" in ran.err
    assert authenticate(name="mailer", key=plaintext) is None


def test_revokekey_refuses_keys_of_others_and_whole_keys() -> None:
    first, plaintext = _two_keys()
    services.client_create(name="other")

    with pytest.raises(CommandError, match="listclients"):
        _run("revokekey", "other", first.public_id)
    with pytest.raises(CommandError, match="whole key") as raised:
        _run("revokekey", "mailer", plaintext)
    assert plaintext not in str(raised.value)
    assert authenticate(name="mailer", key=plaintext)


@pytest.mark.parametrize("command", [["rotatekey", "nobody"], ["revokekey", "nobody", "--all"]])
def test_an_unknown_client_is_a_sentence_with_the_next_step(command: list[str]) -> None:
    with pytest.raises(CommandError, match=r"no client named 'nobody'.*createclient"):
        _run(*command)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_listclients_shows_no_secret(options: list[str]) -> None:
    first, plaintext = _two_keys()
    services.client_create(name="legacy", key=CHOSEN)

    out = _run("listclients", *options).out

    assert first.public_id in out
    for secret in (plaintext, CHOSEN, *Key.objects.values_list("digest", flat=True)):
        assert secret not in out


def test_listclients_as_json() -> None:
    first, _ = _two_keys()
    services.key_revoke(key=first)
    services.permission_grant(client=first.client, kind="sub", pattern="email")

    (mailer,) = json.loads(_run("listclients", "--json").out)

    assert mailer["name"] == "mailer"
    assert (mailer["sub"], mailer["pub"], mailer["watch"]) == (["email"], [], [])
    assert mailer["last_seen"] is None
    states = {key["id"]: key["state"] for key in mailer["keys"]}
    assert sorted(states.values()) == ["live", "revoked"]
    assert states[first.public_id] == "revoked"


def test_listclients_as_a_table() -> None:
    empty = _run("listclients")
    assert empty.out == ""
    assert "createclient" in empty.err
    services.client_create(name="a", sub=["email"])
    services.client_create(name="much-longer")

    heading, first, second = _run("listclients").out.splitlines()

    column = heading.index("ENABLED")
    assert first[column:].startswith("yes")
    assert second[column:].startswith("yes")
    assert "email" in first


Manage = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """manage.py in a process of its own, with a data directory of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=BASE_DIR,
            env={"PATH": os.environ["PATH"], "TASKHUB_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_streams_and_exit_codes_of_a_real_process(manage: Manage) -> None:
    too_early = manage("createclient", "mailer")
    assert (too_early.returncode, too_early.stdout) == (1, "")
    assert "manage.py migrate" in too_early.stderr

    assert manage("migrate", "--verbosity", "0").returncode == 0
    created = manage("createclient", "mailer")
    assert created.returncode == 0
    assert created.stdout.startswith("thk_")
    assert created.stdout.count("\n") == 1

    again = manage("createclient", "mailer")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("CommandError: ")
    assert again.stderr.count("\n") == 1
