"""The one reader of the environment: variables in, one frozen `Environment` out.

Nothing here touches the disk or the process, so a test hands in a dictionary. A variable that is
set to the empty string counts as not set, because compose files and systemd units write it so.

    ImproperlyConfigured        Django's: manage.py prints it as one line and stops
    └── InvalidSetting          a variable is wrong; the message names it and what is accepted
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Literal, TypeVar, cast, get_args
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from hub.core.limits import MAY_BE_ZERO, Limits

BASE_DIR: Final = Path(__file__).resolve().parent.parent

Synchronous = Literal["NORMAL", "FULL", "EXTRA"]
ActionGrammar = Literal["strict", "any"]
LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

Choice = TypeVar("Choice", bound=str)

#: Set for the client library or the test suite, which may share a shell with the hub.
FOREIGN: Final = frozenset(
    {"TASKHUB_URL", "TASKHUB_NAME", "TASKHUB_KEY", "TASKHUB_REQUIRE_SERVICES"}
)
LIMIT_NAMES: Final = {f"TASKHUB_{limit.name.upper()}": limit.name for limit in fields(Limits)}
OWN: Final = frozenset(
    {
        "TASKHUB_ACTION_GRAMMAR",
        "TASKHUB_ALLOWED_HOSTS",
        "TASKHUB_CSRF_TRUSTED_ORIGINS",
        "TASKHUB_DATA_DIR",
        "TASKHUB_DEBUG",
        "TASKHUB_HTTPS",
        "TASKHUB_LOG_FORMAT",
        "TASKHUB_LOG_LEVEL",
        "TASKHUB_METRICS_TOKEN",
        "TASKHUB_RETENTION_DAYS",
        "TASKHUB_SECRET_KEY",
        "TASKHUB_SQLITE_SYNCHRONOUS",
    }
) | frozenset(LIMIT_NAMES)

DEFAULT_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
BOOLEANS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
# Whatever a limit counts, it must survive JSON readers that hold numbers as doubles.
LARGEST_NUMBER: Final = 2**53 - 1
LONGEST_RETENTION_DAYS: Final = 36_500
# Django's deployment check calls anything shorter insecure.
SHORTEST_SECRET: Final = 50
SHORTEST_TOKEN: Final = 16


class InvalidSetting(ImproperlyConfigured):
    """A variable of the environment has a value that cannot be used, or a name nobody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the environment says, checked. Everything else reads this and never `os.environ`."""

    #: Absolute directory for what this installation keeps: database, secret key, lock.
    data_dir: Path
    #: Absolute path of the SQLite file; without meaning when there is a `database_url`.
    database_path: Path
    #: postgres:// URL of the history, or None: SQLite. May hold a password.
    database_url: str | None = field(repr=False)
    #: `PRAGMA synchronous` of every connection to SQLite.
    sqlite_synchronous: Synchronous
    #: redis://, rediss:// or unix:// URL, or None: one process. May hold a password.
    redis_url: str | None = field(repr=False)
    #: None: kept in the data directory, made at the first start.
    secret_key: str | None = field(repr=False)
    debug: bool
    #: Host names the site and the sockets answer to.
    allowed_hosts: tuple[str, ...]
    #: Origins (scheme://host) whose forms are accepted beside the site's own.
    csrf_trusted_origins: tuple[str, ...]
    #: The site is reached through a proxy that speaks TLS.
    https: bool
    #: Days a finished task is kept; 0 keeps it for ever.
    retention_days: int
    #: `strict`: docs/protocol.md §1; `any`: whatever old clients call their actions.
    action_grammar: ActionGrammar
    #: `auto`: for a person on a terminal, else JSON lines.
    log_format: LogFormat
    log_level: LogLevel
    #: Who presents it as a bearer token may read /metrics; None: only staff may.
    metrics_token: str | None = field(repr=False)
    limits: Limits


def read_environment(environ: Mapping[str, str]) -> Environment:
    """The environment as one checked value. Raises InvalidSetting at the first thing wrong."""
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    _refuse_unknown_names(given)
    data_dir = _absolute(Path(given.get("TASKHUB_DATA_DIR", BASE_DIR / "data")))
    return Environment(
        data_dir=data_dir,
        database_path=_database_path(given, default=data_dir / "taskhub.sqlite3"),
        database_url=_postgres_url(given),
        sqlite_synchronous=_choice(
            given, "TASKHUB_SQLITE_SYNCHRONOUS", get_args(Synchronous), "FULL", str.upper
        ),
        redis_url=_redis_url(given),
        secret_key=_secret_key(given),
        debug=_boolean(given, "TASKHUB_DEBUG"),
        allowed_hosts=_allowed_hosts(given),
        csrf_trusted_origins=_origins(given),
        https=_boolean(given, "TASKHUB_HTTPS"),
        retention_days=_integer(
            given, "TASKHUB_RETENTION_DAYS", default=30, least=0, most=LONGEST_RETENTION_DAYS
        ),
        action_grammar=_choice(
            given, "TASKHUB_ACTION_GRAMMAR", get_args(ActionGrammar), "strict", str.lower
        ),
        log_format=_choice(given, "TASKHUB_LOG_FORMAT", get_args(LogFormat), "auto", str.lower),
        log_level=_choice(given, "TASKHUB_LOG_LEVEL", get_args(LogLevel), "INFO", str.upper),
        metrics_token=_metrics_token(given),
        limits=_limits(given),
    )


def _refuse_unknown_names(given: Mapping[str, str]) -> None:
    # A misspelt limit would otherwise be a limit that silently does not hold.
    known = OWN | FOREIGN
    for name in sorted(given):
        if name.startswith("TASKHUB_") and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)
            raise InvalidSetting(
                f"{name} is not a setting of TaskHub. The nearest name is {near[0]}; "
                "correct the name or remove the variable."
            )


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _boolean(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "0")
    if value.lower() not in BOOLEANS:
        raise InvalidSetting(f"{name} is {value!r}; accepted are {', '.join(BOOLEANS)}.")
    return BOOLEANS[value.lower()]


def _choice(
    given: Mapping[str, str],
    name: str,
    choices: tuple[str, ...],
    default: Choice,
    fold: Callable[[str], str],
) -> Choice:
    value = given.get(name, default)
    if fold(value) not in choices:
        raise InvalidSetting(f"{name} is {value!r}; accepted are {', '.join(choices)}.")
    return cast("Choice", fold(value))


def _integer(given: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    value = given.get(name, str(default))
    # int() alone would also take "1_000", "+5" and the digits of every other script.
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else -1
    if not least <= number <= most:
        raise InvalidSetting(
            f"{name} is {value!r}; accepted is a whole number from {least} to {most}."
        )
    return number


def _limits(given: Mapping[str, str]) -> Limits:
    defaults = Limits()
    limits = Limits(
        **{
            limit: _integer(
                given,
                name,
                default=getattr(defaults, limit),
                least=0 if limit in MAY_BE_ZERO else 1,
                most=LARGEST_NUMBER,
            )
            for name, limit in LIMIT_NAMES.items()
        }
    )
    _refuse_over(limits, "start_timeout_ms", "max_start_timeout_ms")
    _refuse_over(limits, "end_timeout_ms", "max_end_timeout_ms")
    return limits


def _refuse_over(limits: Limits, default: str, maximum: str) -> None:
    if getattr(limits, default) > getattr(limits, maximum):
        raise InvalidSetting(
            f"TASKHUB_{default.upper()} ({getattr(limits, default)}) is over "
            f"TASKHUB_{maximum.upper()} ({getattr(limits, maximum)}); "
            "lower the first or raise the second."
        )


def _names_postgres(url: str) -> bool:
    return url.partition(":")[0].lower() in {"postgres", "postgresql"}


def _postgres_url(given: Mapping[str, str]) -> str | None:
    url = given.get("DATABASE_URL", "")
    if not _names_postgres(url):
        return None
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:  # its message repeats the URL
        parts = {}
    if not parts.get("dbname"):
        raise InvalidSetting(
            "DATABASE_URL is not the address of a PostgreSQL database. Accepted is "
            "postgres://user:password@host:port/database, with options of libpq after a '?'."
        )
    return url


def _database_path(given: Mapping[str, str], *, default: Path) -> Path:
    url = given.get("DATABASE_URL")
    if url is None or _names_postgres(url):
        return default
    # The URL is never repeated in a message: those of other databases hold a password.
    scheme = url.partition(":")[0].lower()
    _, separator, path = url.partition("sqlite://")
    path = "/" + unquote(path).lstrip("/") if path.startswith("/") else ""
    if not separator or scheme != "sqlite" or "?" in url or path in {"", "/", "/:memory:"}:
        raise InvalidSetting(
            "DATABASE_URL names neither a PostgreSQL database nor an SQLite file. Accepted are "
            "postgres://user:password@host:port/database and sqlite:///absolute/path without "
            "options."
        )
    return Path(path)


def _redis_url(given: Mapping[str, str]) -> str | None:
    url = given.get("REDIS_URL")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = bool(parts.path if parts.scheme == "unix" else parts.hostname)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        usable = False
    if not usable or parts.scheme not in {"redis", "rediss", "unix"}:
        raise InvalidSetting(
            "REDIS_URL is not the address of a Redis server. Accepted are redis://host:port/0, "
            "rediss://host:port/0 and unix:///path/of/the.sock."
        )
    return url


def _secret_key(given: Mapping[str, str]) -> str | None:
    secret = given.get("TASKHUB_SECRET_KEY")
    if secret is not None and (len(secret) < SHORTEST_SECRET or len(set(secret)) < 5):
        raise InvalidSetting(
            f"TASKHUB_SECRET_KEY is too short or too regular. Accepted are at least "
            f"{SHORTEST_SECRET} random characters; without the variable TaskHub makes its own "
            "and keeps it in TASKHUB_DATA_DIR."
        )
    return secret


def _metrics_token(given: Mapping[str, str]) -> str | None:
    token = given.get("TASKHUB_METRICS_TOKEN")
    usable = token is None or (token.isascii() and token.isprintable() and " " not in token)
    if token is not None and (not usable or len(token) < SHORTEST_TOKEN):
        raise InvalidSetting(
            f"TASKHUB_METRICS_TOKEN cannot be used. Accepted are at least {SHORTEST_TOKEN} "
            "printable ASCII characters without a space; without the variable only staff of the "
            "admin may read /metrics."
        )
    return token


def _list(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in given.get(name, "").split(","))
    return tuple(part for part in parts if part)


def _allowed_hosts(given: Mapping[str, str]) -> tuple[str, ...]:
    hosts = _list(given, "TASKHUB_ALLOWED_HOSTS")
    for host in hosts:
        # Django compares without the port, so a name with one would never match.
        has_port = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if "/" in host or has_port or any(character.isspace() for character in host):
            raise InvalidSetting(
                f"TASKHUB_ALLOWED_HOSTS holds {host!r}; accepted are host names without scheme, "
                "port and path, separated by commas: hub.example.org,.example.com."
            )
    return hosts or DEFAULT_HOSTS


def _origins(given: Mapping[str, str]) -> tuple[str, ...]:
    origins = _list(given, "TASKHUB_CSRF_TRUSTED_ORIGINS")
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if scheme not in {"http", "https"} or not separator or not host or "/" in host:
            raise InvalidSetting(
                f"TASKHUB_CSRF_TRUSTED_ORIGINS holds {origin!r}; accepted are origins with "
                "their scheme, separated by commas: https://hub.example.org."
            )
    return origins
