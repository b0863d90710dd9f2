"""A hub as a process of its own, under either server, for tests to talk to."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20.0
SERVERS = ("uvicorn", "daphne")

#: Short, so that the tests are; the wide margins keep them true on a slow machine.
TIMINGS = {
    "TASKHUB_START_TIMEOUT_MS": "700",
    "TASKHUB_END_TIMEOUT_MS": "5000",
    "TASKHUB_RESUME_GRACE_MS": "700",
    # Below a limit that daphne has of its own, at which it closes without a code.
    "TASKHUB_MAX_FRAME_BYTES": "65536",
}
EVERYTHING = {"sub": ["*"], "pub": ["*"], "watch": ["*"]}
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
    "stranger": {"sub": ["weather"], "pub": ["weather"], "watch": ["weather"]},
}


class HubProcess:
    """Started by ``start``; ``close`` leaves nothing behind."""

    def __init__(self, server: str, directory: Path, **env: str) -> None:
        self.server = server
        self.directory = directory
        self._env = {
            **os.environ,
            **TIMINGS,
            "TASKHUB_DATA_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "taskhub_site.settings",
            **env,
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"
        self.log = directory / "hub.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.keys: dict[str, str] = {}

    def prepare(self) -> "HubProcess":
        """Make the tables and the clients."""
        self.manage("migrate", "--verbosity=0")
        self.keys = self.provision(CLIENTS)
        return self

    def copy_of(self, prepared: "HubProcess") -> "HubProcess":
        """Begin with what another one has prepared, which is faster."""
        database = "taskhub.sqlite3"
        shutil.copy(prepared.directory / database, self.directory / database)
        self.keys = prepared.keys
        return self

    def provision(self, clients: dict[str, Any]) -> dict[str, str]:
        """Make clients; their keys."""
        command = [sys.executable, "-m", "tests.wire.provision"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self._env,
            check=True,
            capture_output=True,
            input=json.dumps(clients).encode(),
        )
        keys: dict[str, str] = json.loads(done.stdout)
        return keys

    def take_rights(self, name: str) -> None:
        """Withdraw all permissions of a client."""
        self.provision({name: None})

    def manage(self, *words: str) -> str:
        """Run a management command; what it printed."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self._env, check=True, capture_output=True, text=True
        )
        return done.stdout

    def start(self) -> "HubProcess":
        """Start it, and wait until it listens."""
        port = str(self.port)
        if self.server == "uvicorn":
            command = [sys.executable, "manage.py", "runhub", "--port", port]
        else:
            daphne = str(Path(sys.executable).parent / "daphne")
            command = [daphne, "-b", "127.0.0.1", "-p", port, "--websocket_timeout", "-1"]
            command += ["--verbosity", "0", "taskhub_site.asgi:application"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._env, stdout=log, stderr=log
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

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and wait for its exit; the exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(15)

    def close(self) -> None:
        """End it if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(15)

    def tracebacks(self) -> str:
        """What of its log no test should cause."""
        text = self.log.read_text()
        return text if "Traceback" in text or " ERROR " in text else ""
