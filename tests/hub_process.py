"""A hub as a process of its own, under either server, for tests to talk to."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 20.0
EXIT_TIMEOUT_S = 15.0
SERVERS = ("uvicorn", "daphne")
#: Below those that the system gives to outgoing connections, so that a restart finds its port free.
PORTS = range(20_000, 32_000)

#: Short, so that the tests are; the margins keep them true on a slow machine.
TIMINGS = {
    "TASKHUB_START_TIMEOUT_MS": "1000",
    "TASKHUB_END_TIMEOUT_MS": "10000",
    "TASKHUB_RESUME_GRACE_MS": "800",
    # Below a limit that daphne has of its own, at which it closes without a code.
    "TASKHUB_MAX_FRAME_BYTES": "65536",
    "TASKHUB_MAX_EVENTS_PER_TASK": "50",
}
EVERYTHING = {"sub": ["*"], "pub": ["*"], "watch": ["*"]}
WEATHER = {"sub": ["weather"], "pub": ["weather"], "watch": ["weather"]}
#: The clients of every hub: who publishes, who serves, who may look, who may do nothing here.
CLIENTS: dict[str, dict[str, Any]] = {
    "web": {"pub": ["*"]},
    "shop": {"pub": ["*"]},
    "a": {"sub": ["*"]},
    "b": {"sub": ["*"]},
    "c": {"sub": ["*"]},
    "team": {"sub": ["*"], "group": True},
    "old": EVERYTHING,
    "operator": {"watch": ["*"]},
    "stranger": WEATHER,
    # One test each withdraws all rights of one, some rights of one, the key of one.
    "withdrawn": EVERYTHING,
    "narrowed": EVERYTHING,
    "revoked": EVERYTHING,
}


class HubProcess:
    """Started by ``start``; ``close`` leaves nothing behind.

    ``sabotage`` names a function (``package.module:function``) that spoils the hub before
    it starts: a check that also holds for the spoiled hub checks nothing. uvicorn only.
    """

    def __init__(
        self, server: str, directory: Path, *, sabotage: str | None = None, **env: str
    ) -> None:
        self.server = server
        self.directory = directory
        self.sabotage = sabotage
        self.port = _free_port()
        self.url = f"ws://127.0.0.1:{self.port}/"
        self.log = directory / "hub.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.keys: dict[str, str] = {}
        self._env = {
            **os.environ,
            **TIMINGS,
            "TASKHUB_DATA_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "taskhub_site.settings",
            "TASKHUB_LOG_FORMAT": "json",
            **env,
        }

    # Clients

    def prepare(self) -> Self:
        """Make the tables and the clients."""
        self._provision({"migrate": True, "create": CLIENTS})
        return self

    def copy_of(self, prepared: "HubProcess") -> Self:
        """Begin with what another one has prepared, which is faster."""
        database = "taskhub.sqlite3"
        shutil.copy(prepared.directory / database, self.directory / database)
        self.keys = dict(prepared.keys)
        return self

    def create(self, name: str, **rights: Any) -> None:
        """One more client."""
        self._provision({"create": {name: rights}})

    def staff(self, **people: Any) -> None:
        """People who may open the admin, each with Django permissions, or ``"all"``."""
        self._provision({"staff": people})

    def sign_in(self, **users: Collection[str]) -> None:
        """Users with these permissions, each with a session, whose cookie is in ``keys``."""
        self._provision({"users": {login: list(found) for login, found in users.items()}})

    def withdraw(self, name: str, kinds: Collection[str] = ("sub", "pub", "watch")) -> None:
        """Take all permissions of these kinds from a client."""
        self._provision({"withdraw": {name: list(kinds)}})

    def superuser(self, name: str, password: str) -> None:
        """A person who may do everything in the admin."""
        self._provision({"superusers": {name: password}})

    def revoke(self, name: str) -> None:
        """Revoke all keys of a client."""
        self._provision({"revoke": [name]})

    def _provision(self, changes: dict[str, Any]) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.provision"],
            cwd=ROOT,
            env=self._env,
            input=json.dumps(changes),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.keys |= json.loads(done.stdout)

    # Life

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command(), cwd=ROOT, env=self._env, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise AssertionError(f"the hub did not start:\n{self.log.read_text()}")

    def _command(self) -> list[str]:
        port = str(self.port)
        if self.server == "uvicorn":
            spoiled = ["-m", "tests.sabotaged", self.sabotage or ""]
            manage = spoiled if self.sabotage else ["manage.py"]
            return [sys.executable, *manage, "runhub", "--port", port]
        daphne = str(Path(sys.executable).parent / "daphne")
        options = ["-b", "127.0.0.1", "-p", port, "--websocket_timeout", "-1", "--verbosity", "0"]
        return [daphne, *options, "taskhub_site.asgi:application"]

    def terminate(self) -> int:
        """Ask it to end, and wait for that; its exit code."""
        return self._signal(signal.SIGTERM)

    def kill(self) -> int:
        """End it without a word."""
        return self._signal(signal.SIGKILL)

    def _signal(self, which: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(which)
        return self.process.wait(EXIT_TIMEOUT_S)

    def restart(self) -> Self:
        """Kill it and start it again: the same data, the same port."""
        self.kill()
        return self.start()

    def close(self) -> None:
        """End it if it runs, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def limit(self, name: str) -> int:
        """A limit it was started with."""
        return int(self._env[f"TASKHUB_{name.upper()}"])

    # Its log

    def log_size(self) -> int:
        """Where the log ends now."""
        return self.log.stat().st_size if self.log.exists() else 0

    def log_since(self, offset: int) -> str:
        """What it has logged from there on."""
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def troubles(self) -> str:
        """The lines of its log that tell of something no client may cause."""
        return "\n".join(line for line in self.log_since(0).splitlines() if _is_trouble(line))


def _is_trouble(line: str) -> bool:
    """An error, a traceback at any level, or what did not come through the log at all.

    The last is what Python prints when it dies, and what bypasses the one handler.
    """
    if not line.strip():
        return False
    try:
        record = json.loads(line)
        level = record["level"]
    except (ValueError, TypeError, KeyError):
        return True
    return level in {"error", "critical"} or "exception" in record or "Traceback" in line


def _free_port() -> int:
    for port in random.sample(PORTS, 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
