"""Pages of the dashboard and of the API over a long history: how long each takes to answer.

``python -m benchmarks.pages --tasks 1000000`` seeds a history of that size and measures it;
``--history DIRECTORY`` keeps it there, and takes the one that is there already.
"""

import argparse
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from benchmarks import servers
from benchmarks.web import Visitor

#: name of a figure, and its values
Add = Callable[[str, dict[str, float]], None]

PAGE_MS, API_MS = 100, 50
#: Asked before the clock counts: templates and modules are loaded once in the life of a hub.
WARM = 3
#: What a static file costs is known well only from many.
LIMIT_ROUNDS = 300
DAYS = 7

#: A file of the dashboard: the way through the server and Django, and nothing to think about.
_FILE = "/static/dashboard/icon.svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors:
    """Who asks."""

    #: signed in to the dashboard, may do everything
    staff: Visitor
    #: a client that may watch everything
    watcher: Visitor
    #: a service: knows of the tasks that it took part in, which takes most looking
    service: Visitor
    #: a publisher: knows of its own
    publisher: Visitor


def measure(data_dir: Path, add: Add, *, rounds: int) -> None:
    """All pages over the history in this directory, which is written to."""
    with _hub(data_dir) as (server, visitors):
        limit = _limits(server, add)
        pages = _timed(server, add, "page: ", _pages(visitors), rounds, limit)
        lists = _timed(server, add, "API: ", _lists(visitors), rounds, limit)
        add(
            "pages at worst",
            {"worst_p95_ms": max(pages), "times_bar": max(pages) / PAGE_MS},
        )
        add(
            "API at worst",
            {"worst_p95_ms": max(lists), "times_bar": max(lists) / API_MS},
        )
        _timed(server, add, "API sums: ", _sums(visitors), rounds, limit)


def seeded(history: Path, tasks: int) -> Path:
    """A directory with a made-up history of so many tasks; what is there already stays."""
    if not history.exists():
        history.mkdir(parents=True)
        env = {**os.environ, "TASKHUB_DATA_DIR": str(history)}
        servers.manage("migrate", "--verbosity=0", env=env)
        servers.manage("seed", f"--tasks={tasks}", f"--days={DAYS}", env=env)
    return history


@contextmanager
def _hub(data_dir: Path) -> Iterator[tuple[servers.Server, Visitors]]:
    """A hub over a history, and those who ask it."""
    password = secrets.token_hex(16)
    env = {
        **os.environ,
        "TASKHUB_DATA_DIR": str(data_dir),
        "DJANGO_SUPERUSER_PASSWORD": password,
    }
    servers.manage("migrate", "--verbosity=0", env=env)
    servers.manage(
        *("createsuperuser", "--noinput", "--username=bench", "--email=bench@example.org"), env=env
    )
    service = servers.manage("createclient", "mailer", "--sub=email", env=env)
    publisher = servers.manage("createclient", "partner", "--pub=*", env=env)
    with servers.hub(data_dir, TASKHUB_API_REQUESTS_PER_MINUTE="1000000") as (server, key):
        visitors = Visitors(
            staff=Visitor(server.port),
            watcher=Visitor(server.port, bearer=key),
            service=Visitor(server.port, bearer=service),
            publisher=Visitor(server.port, bearer=publisher),
        )
        visitors.staff.sign_in("bench", password)
        yield server, visitors


def _limits(server: servers.Server, add: Add) -> float:
    """What the same server takes for answers without a thought; ms of the static file."""
    asker = Visitor(server.port)
    add("no page: /healthz, before Django", _figures(server, asker, "/healthz", LIMIT_ROUNDS))
    found = _figures(server, asker, _FILE, LIMIT_ROUNDS)
    add("no page: a static file, through Django", found)
    asker.close()
    return found["p50_ms"]


def _timed(
    server: servers.Server,
    add: Add,
    head: str,
    asked: Mapping[str, tuple[Visitor, str]],
    rounds: int,
    limit: float,
) -> list[float]:
    """Each of these; their p95."""
    found = []
    for name, (visitor, address) in asked.items():
        values = _figures(server, visitor, address, rounds)
        add(head + name, {**values, "times_static": values["p50_ms"] / limit})
        found.append(values["p95_ms"])
    return found


def _figures(
    server: servers.Server, visitor: Visitor, address: str, rounds: int
) -> dict[str, float]:
    for _ in range(WARM):
        answer = visitor.get(address)
    wall, cpu = [], []
    for _ in range(rounds):
        before = server.cpu_seconds()
        wall.append(visitor.get(address).wall_ms)
        cpu.append((server.cpu_seconds() - before) * 1e3)
    return {
        "p50_ms": _part(wall, 0.5),
        "p95_ms": _part(wall, 0.95),
        "max_ms": max(wall),
        "cpu_p50_ms": _part(cpu, 0.5),
        "cpu_p95_ms": _part(cpu, 0.95),
        "kib_sent": len(answer.body) / 1024,
    }


def _part(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)]


def _pages(visitors: Visitors) -> dict[str, tuple[Visitor, str]]:
    """The dashboard."""
    newest = _task(visitors, action="email:send")
    failed = _task(visitors, action="webhook:deliver", outcome="fail")
    listed = {
        "all": {},
        "a noun": {"q": "action:payment"},
        "a rare action": {"q": "action:fax:send"},
        "a publisher": {"q": "client:partner"},
        "a service": {"q": "service:cashier"},
        "failed, by state": {"state": "failed"},
        "running, by state": {"state": "running"},
        "the last day": {"range": "24h"},
        "a reason": {"q": "state:fail card-declined"},
        "a reason never given": {"q": "out-of-cheese"},
        "a service that never was": {"q": "service:nobody"},
        "an old page": {"q": "until:3d"},
    }
    addresses = {
        "now": "/",
        **{f"tasks, {name}": f"/tasks/?{urlencode(query)}" for name, query in listed.items()},
        "a task": f"/tasks/{quote(newest)}/",
        "a failed task": f"/tasks/{quote(failed)}/",
        "actions": "/actions/",
        "actions, a week": "/actions/?range=7d",
        "an action": "/actions/email:send/",
        "a noun": "/actions/payment/",
        "connections": "/connections/",
    }
    return {name: (visitors.staff, address) for name, address in addresses.items()}


def _lists(visitors: Visitors) -> dict[str, tuple[Visitor, str]]:
    """Filtered pages of tasks in the API."""
    middle, begun = _ago(days=DAYS / 2), _ago(days=1)
    watched = {
        "all": {},
        "200 tasks": {"limit": "200"},
        "200 tasks with all bodies": {"limit": "200", "include": "payload,result,reason"},
        "an action": {"action": "email:send"},
        "a noun": {"action": "payment"},
        "six patterns": {"action": "sms,fax,user,document:scan,video,invoice:render"},
        "a rare action": {"action": "fax:send"},
        "an action that never was": {"action": "tea:make"},
        "state end": {"state": "end"},
        "state start": {"state": "start"},
        "open": {"open": "true"},
        "ended": {"open": "false"},
        "failed": {"outcome": "fail"},
        "a publisher": {"publisher": "scheduler"},
        "a service": {"service": "mailer"},
        "a rare service": {"service": "archivist"},
        "a service that never was": {"service": "nobody"},
        "begin of an id": {"taskId": _task(visitors)[:9]},
        "a day": {"since": begun, "until": _ago(days=0.5)},
        "an action on a day": {"action": "sms:send", "since": begun},
        "a reason": {"reason": "card-declined"},
        "a rare reason": {"reason": "unknown codec"},
        "a reason never given": {"reason": "out of cheese"},
        "all at once": {
            "action": "payment",
            "outcome": "fail",
            "publisher": "shop",
            "service": "cashier",
            "since": middle,
            "reason": "funds",
        },
        "a deep cursor": {"cursor": _cursor(visitors.watcher, until=middle)},
        "a deep cursor of a noun": {
            "action": "payment",
            "cursor": _cursor(visitors.watcher, until=middle),
        },
    }
    by_watcher = {name: (visitors.watcher, _address(query)) for name, query in watched.items()}
    of_others = {
        "staff: failed": (visitors.staff, {"outcome": "fail"}),
        "a service: all": (visitors.service, {}),
        "a service: failed": (visitors.service, {"outcome": "fail"}),
        "a service: a rare action, not its own": (visitors.service, {"action": "fax:send"}),
        "a publisher: all": (visitors.publisher, {}),
        "a publisher: a noun": (visitors.publisher, {"action": "fax"}),
    }
    return {
        **{f"{name}": asked for name, asked in by_watcher.items()},
        **{name: (visitor, _address(query)) for name, (visitor, query) in of_others.items()},
    }


def _sums(visitors: Visitors) -> dict[str, tuple[Visitor, str]]:
    """Figures over time in the API."""
    addresses = {
        "actions, an hour": "/api/v1/actions/",
        "actions, 30 days": f"/api/v1/actions/?{urlencode({'since': _ago(days=30)})}",
        "an action, a day": f"/api/v1/actions/email:send/?{urlencode({'since': _ago(days=1)})}",
        "stats, an hour": "/api/v1/stats/",
        "stats, a day": f"/api/v1/stats/?{urlencode({'since': _ago(days=1)})}",
        "stats, 30 days": f"/api/v1/stats/?{urlencode({'since': _ago(days=30)})}",
        "stats of a noun, 30 days": "/api/v1/stats/?"
        + urlencode({"since": _ago(days=30), "action": "payment"}),
    }
    return {name: (visitors.watcher, address) for name, address in addresses.items()}


def _address(query: Mapping[str, str]) -> str:
    return "/api/v1/tasks/" + (f"?{urlencode(query)}" if query else "")


def _ago(*, days: float) -> str:
    moment = datetime.now(UTC) - timedelta(days=days)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _task(visitors: Visitors, **query: str) -> str:
    """The id of the newest task of this kind."""
    page = json.loads(visitors.watcher.get(_address({**query, "limit": "1"})).text())
    return str(page["tasks"][0]["taskId"])


def _cursor(visitor: Visitor, *, until: str) -> str:
    """A cursor for pages from this time backwards, as following thousands of pages would give."""
    page = json.loads(visitor.get(_address({"until": until, "limit": "1"})).text())
    return str(page["next"]).rpartition("cursor=")[2]


def main() -> None:
    """Parse the command line and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000, help="how long the history is")
    parser.add_argument("--rounds", type=int, default=100, help="how often each page is asked")
    parser.add_argument("--history", type=Path, help="a directory to keep the history in")
    arguments = parser.parse_args()

    def show(name: str, values: dict[str, float]) -> None:
        told = {key: round(value, 2) for key, value in values.items()}
        print(json.dumps({"figure": name, **told}), flush=True)

    servers.leave_the_first_core()
    with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as directory:
        history = arguments.history or Path(directory) / "history"
        copy = Path(directory) / "copy"
        shutil.copytree(seeded(history.resolve(), arguments.tasks), copy)
        measure(copy, show, rounds=arguments.rounds)


if __name__ == "__main__":
    main()
