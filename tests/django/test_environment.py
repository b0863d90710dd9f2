"""The environment: what is read, what stops the start, and what is made on disk."""

import json
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient, Client

from hub.core.limits import MAY_BE_ZERO, Limits
from taskhub_site.data_dir import prepare_data_dir, secret_key_load
from taskhub_site.database import require_directory_of
from taskhub_site.environment import BASE_DIR, InvalidSetting, read_environment
from taskhub_site.settings import _channel_layer

SECRET = "x9Kf" * 3 + "abcdefghijklmnopqrstuvwxyz0123456789-hush-hush"


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    environment = read_environment({})

    assert environment.data_dir == BASE_DIR / "data"
    assert environment.database_path == BASE_DIR / "data" / "taskhub.sqlite3"
    assert environment.sqlite_synchronous == "FULL"
    assert environment.redis_url is None
    assert environment.secret_key is None
    assert environment.debug is False
    assert environment.https is False
    assert environment.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert environment.csrf_trusted_origins == ()
    assert environment.retention_days == 30
    assert environment.action_grammar == "strict"
    assert environment.log_level == "INFO"
    assert environment.log_format == "auto"
    assert environment.metrics_token is None
    assert environment.limits == Limits()


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("TASKHUB_DATA_DIR", "/srv/hub", "database_path", Path("/srv/hub/taskhub.sqlite3")),
        ("DATABASE_URL", "sqlite:///srv/a%20b.db", "database_path", Path("/srv/a b.db")),
        ("DATABASE_URL", "sqlite:////srv/hub.db", "database_path", Path("/srv/hub.db")),
        ("DATABASE_URL", "postgres://me:x@db/hub", "database_url", "postgres://me:x@db/hub"),
        ("REDIS_URL", "redis://:pw@cache:6379/1", "redis_url", "redis://:pw@cache:6379/1"),
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
        ("TASKHUB_SECRET_KEY", SECRET, "secret_key", SECRET),
        ("TASKHUB_DEBUG", "Yes", "debug", True),
        ("TASKHUB_DEBUG", "off", "debug", False),
        ("TASKHUB_DEBUG", " ", "debug", False),
        ("TASKHUB_HTTPS", "1", "https", True),
        ("TASKHUB_ALLOWED_HOSTS", "a.b, .c.d,", "allowed_hosts", ("a.b", ".c.d")),
        ("TASKHUB_CSRF_TRUSTED_ORIGINS", "https://a.b:8", "csrf_trusted_origins", ("https://a.b:8",)),
        ("TASKHUB_SQLITE_SYNCHRONOUS", "normal", "sqlite_synchronous", "NORMAL"),
        ("TASKHUB_RETENTION_DAYS", "0", "retention_days", 0),
        ("TASKHUB_ACTION_GRAMMAR", "Any", "action_grammar", "any"),
        ("TASKHUB_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("TASKHUB_LOG_FORMAT", "JSON", "log_format", "json"),
        ("TASKHUB_METRICS_TOKEN", "0123456789abcdef", "metrics_token", "0123456789abcdef"),
    ],
)  # fmt: skip
def test_a_value_is_read(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(read_environment({name: value}), field) == expected


@pytest.mark.parametrize("limit", [limit.name for limit in fields(Limits)])
def test_every_limit_is_a_setting_with_a_least_value(limit: str) -> None:
    name = f"TASKHUB_{limit.upper()}"
    room = {"TASKHUB_MAX_START_TIMEOUT_MS": "9999", "TASKHUB_START_TIMEOUT_MS": "1"}
    room |= {"TASKHUB_MAX_END_TIMEOUT_MS": "9999", "TASKHUB_END_TIMEOUT_MS": "1"}
    least = 0 if limit in MAY_BE_ZERO else 1

    assert getattr(read_environment({**room, name: "1234"}).limits, limit) == 1234
    with pytest.raises(InvalidSetting, match=f"^{name} is .* from {least} to "):
        read_environment({**room, name: str(least - 1)})


def test_limits_that_may_be_zero_exist() -> None:
    assert {limit.name for limit in fields(Limits)} >= MAY_BE_ZERO


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DATABASE_URL": "postgres://me:hush@db"}, ["DATABASE_URL", "postgres://", "database"]),
        ({"DATABASE_URL": "postgres://me:hush@db:x y/hub"}, ["DATABASE_URL", "postgres://"]),
        ({"DATABASE_URL": "mysql://me:hush@db/hub"}, ["DATABASE_URL", "sqlite:///"]),
        ({"DATABASE_URL": "sqlite://:memory:"}, ["DATABASE_URL", "file"]),
        ({"DATABASE_URL": "sqlite:///:memory:"}, ["DATABASE_URL", "file"]),
        ({"DATABASE_URL": "sqlite:///a.db?mode=ro"}, ["DATABASE_URL", "without options"]),
        ({"DATABASE_URL": "/srv/hub.db"}, ["DATABASE_URL", "sqlite:///"]),
        ({"REDIS_URL": "localhost:6379"}, ["REDIS_URL", "redis://"]),
        ({"REDIS_URL": "redis://:hush@"}, ["REDIS_URL", "redis://"]),
        ({"REDIS_URL": "redis://:hush@cache:port/0"}, ["REDIS_URL", "redis://"]),
        ({"TASKHUB_SECRET_KEY": "hush"}, ["TASKHUB_SECRET_KEY", "50"]),
        ({"TASKHUB_SECRET_KEY": "hush" * 20}, ["TASKHUB_SECRET_KEY", "regular"]),
        ({"TASKHUB_DEBUG": "maybe"}, ["TASKHUB_DEBUG", "'maybe'", "true"]),
        ({"TASKHUB_HTTPS": "2"}, ["TASKHUB_HTTPS", "'2'"]),
        ({"TASKHUB_ALLOWED_HOSTS": "https://a.example"}, ["TASKHUB_ALLOWED_HOSTS", "scheme"]),
        ({"TASKHUB_ALLOWED_HOSTS": "a.example:8000"}, ["TASKHUB_ALLOWED_HOSTS", "port"]),
        ({"TASKHUB_CSRF_TRUSTED_ORIGINS": "a.example"}, ["TASKHUB_CSRF_TRUSTED_ORIGINS"]),
        ({"TASKHUB_SQLITE_SYNCHRONOUS": "OFF"}, ["TASKHUB_SQLITE_SYNCHRONOUS", "NORMAL"]),
        ({"TASKHUB_RETENTION_DAYS": "-1"}, ["TASKHUB_RETENTION_DAYS", "from 0"]),
        ({"TASKHUB_ACTION_GRAMMAR": "loose"}, ["TASKHUB_ACTION_GRAMMAR", "strict, any"]),
        ({"TASKHUB_LOG_LEVEL": "verbose"}, ["TASKHUB_LOG_LEVEL", "WARNING"]),
        ({"TASKHUB_LOG_FORMAT": "xml"}, ["TASKHUB_LOG_FORMAT", "auto, console, json"]),
        ({"TASKHUB_METRICS_TOKEN": "hush"}, ["TASKHUB_METRICS_TOKEN", "16"]),
        ({"TASKHUB_METRICS_TOKEN": "hush " * 9}, ["TASKHUB_METRICS_TOKEN", "without a space"]),
        ({"TASKHUB_MAX_FRAME_BYTES": "1_000"}, ["TASKHUB_MAX_FRAME_BYTES", "whole number"]),
        ({"TASKHUB_MAX_FRAME_BYTES": "٣"}, ["TASKHUB_MAX_FRAME_BYTES", "whole number"]),
        ({"TASKHUB_MAX_FRAME_BYTES": "9" * 30}, ["TASKHUB_MAX_FRAME_BYTES", "whole number"]),
        ({"TASKHUB_START_TIMEOUT_MS": "86400001"}, ["TASKHUB_START_TIMEOUT_MS", "MAX_START"]),
        ({"TASKHUB_MAX_END_TIMEOUT_MS": "5"}, ["TASKHUB_END_TIMEOUT_MS", "MAX_END"]),
        ({"TASKHUB_MAX_FRAME_BITES": "5"}, ["TASKHUB_MAX_FRAME_BITES", "TASKHUB_MAX_FRAME_BYTES"]),
        ({"TASKHUB_RETENTION": "5"}, ["TASKHUB_RETENTION", "TASKHUB_RETENTION_DAYS"]),
    ],
)
def test_a_wrong_value_stops_with_a_sentence(environ: dict[str, str], words: list[str]) -> None:
    with pytest.raises(InvalidSetting) as raised:
        read_environment(environ)

    message = str(raised.value)
    assert message.endswith(".")
    assert [word for word in words if word not in message] == []
    assert "hush" not in message


def test_the_variables_of_the_client_and_of_the_tests_are_let_be() -> None:
    names = ("TASKHUB_URL", "TASKHUB_NAME", "TASKHUB_KEY", "TASKHUB_REQUIRE_SERVICES")

    assert read_environment(dict.fromkeys(names, "x")) == read_environment({})


def test_the_representation_keeps_secrets() -> None:
    environ = {"TASKHUB_SECRET_KEY": SECRET, "REDIS_URL": "redis://:hush@cache/0"}

    assert "hush" not in repr(read_environment(environ))


def test_the_channel_layer_follows_redis_url() -> None:
    layer = _channel_layer("redis://cache:6379/0")

    assert _channel_layer(None)["BACKEND"] == "channels.layers.InMemoryChannelLayer"
    assert layer["BACKEND"] == "channels_redis.pubsub.RedisPubSubChannelLayer"
    (host,) = layer["CONFIG"]["hosts"]
    assert host["address"] == "redis://cache:6379/0"
    assert host["socket_timeout"] == 15
    assert 0 < host["health_check_interval"] < 15


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"

    prepare_data_dir(data_dir)
    prepare_data_dir(data_dir)

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(InvalidSetting, match="TASKHUB_DATA_DIR"):
        prepare_data_dir(tmp_path / "data")


def test_a_database_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    require_directory_of(tmp_path / "hub.db")
    with pytest.raises(InvalidSetting, match="DATABASE_URL"):
        require_directory_of(tmp_path / "missing" / "hub.db")


def test_processes_starting_together_agree_on_one_secret_key(tmp_path: Path) -> None:
    together = threading.Barrier(16)

    def start(_: int) -> str:
        together.wait()
        return secret_key_load(tmp_path)

    with ThreadPoolExecutor(16) as pool:
        loaded = set(pool.map(start, range(16)))

    assert loaded == {secret_key_load(tmp_path)}
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_the_slower_of_two_first_starts_adopts_the_other_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = secret_key_load(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)  # looked before the other was done

    assert secret_key_load(tmp_path) == first


def test_a_damaged_secret_key_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("")

    with pytest.raises(InvalidSetting, match="damaged"):
        secret_key_load(tmp_path)
    assert (tmp_path / "secret_key").read_text() == ""


def _settings_in_a_process(environ: dict[str, str], expression: str) -> Any:
    code = f"import json; from taskhub_site import settings as s; print(json.dumps({expression}))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=BASE_DIR,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def test_settings_follow_the_environment(tmp_path: Path) -> None:
    environ = {"TASKHUB_DATA_DIR": str(tmp_path), "TASKHUB_SQLITE_SYNCHRONOUS": "EXTRA"}
    database = _settings_in_a_process(
        environ, "[str(s.DATABASES['default']['NAME']), s.DATABASES['default']['OPTIONS']]"
    )

    assert database[0] == str(tmp_path / "taskhub.sqlite3")
    assert database[1]["transaction_mode"] == "IMMEDIATE"
    assert database[1]["timeout"] == 20
    assert "journal_mode=WAL" in database[1]["init_command"]
    assert "synchronous=EXTRA" in database[1]["init_command"]
    kept = (tmp_path / "secret_key").read_text().strip()
    assert _settings_in_a_process(environ, "s.SECRET_KEY") == kept
    environ["TASKHUB_SECRET_KEY"] = SECRET
    assert _settings_in_a_process(environ, "s.SECRET_KEY") == SECRET


STATIC_FILE = "/static/admin/css/base.css"


def test_static_files_come_out_of_a_fresh_clone() -> None:
    answer = Client().get(STATIC_FILE)
    part = Client().get(STATIC_FILE, headers={"range": "bytes=0-4"})
    again = Client().get(STATIC_FILE, headers={"if-none-match": answer["ETag"]})

    assert (answer.status_code, answer["Content-Type"]) == (200, 'text/css; charset="utf-8"')
    assert len(answer.content) == int(answer["Content-Length"]) > 1_000
    assert (part.status_code, part.content) == (206, answer.content[:5])
    assert (again.status_code, again.content) == (304, b"")
    assert Client().head(STATIC_FILE)["Content-Length"] == answer["Content-Length"]
    assert Client().post(STATIC_FILE).status_code == 405


async def test_static_files_under_asgi_warn_of_nothing() -> None:
    answer = await AsyncClient().get(STATIC_FILE)

    assert not answer.streaming  # which is what Django warns of, and reads whole all the same
    assert len(answer.content) > 1_000
