"""The demo as somebody runs it who has just cloned the project."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: time, action, event, by, the beginning of the taskId, value
LINE = re.compile(r"[\d:.]{12}  (\S+) +(\w+) +(\S+) +([0-9a-f]{8})(?:  (.*))?")

pytestmark = pytest.mark.timeout(120)


@contextmanager
def demo(data_dir: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running demo without a terminal; killed with all it started should the test fail."""
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--fast", "--data-dir", str(data_dir), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pid in session_members(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def session_members(session: int) -> list[int]:
    """The processes of a session that still run; zombies are none."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):  # ended meanwhile
            continue
        if int(its_session) == session and state != "Z":
            members.append(int(stat.parent.name))
    return members


def histories(output: str) -> dict[str, dict[str, list[str]]]:
    """action → task → the names of its events, in order."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for action, event, _, task, _ in LINE.findall(output):
        found[action][task].append(event)
    return found


def test_tasks_of_all_kinds_go_from_init_to_end(tmp_path: Path) -> None:
    with demo(tmp_path / "data", "--seconds", "6") as process:
        output, _ = process.communicate(timeout=90)
        assert process.returncode == 0, output
        assert session_members(process.pid) == []
    tasks = histories(output)
    assert tasks.keys() == {"email:send", "report:build", "payment:charge"}, output
    for action, of_action in tasks.items():
        whole = [events for events in of_action.values() if events[-1] == "end"]
        assert whole, f"no {action} has ended:\n{output}"
        assert all(events[:2] == ["init", "start"] for events in whole), output
    assert any(events.count("update") >= 6 for events in tasks["report:build"].values()), output
    payments = tasks["payment:charge"].values()
    assert any("fail" in events or "drop" in events for events in payments), output
    assert "CardDeclinedError" in output
    assert "no CHF account" in output
    assert re.search(r"Dashboard  http://127.0.0.1:\d+/\n", output)
    secret = tmp_path / "data" / "password"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text().strip() in output


def until_one_has_ended(process: subprocess.Popen[str]) -> str:
    """The output up to the end of the first mail."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "email:send" in line and " end " in line:
            return seen
    raise AssertionError(f"the demo ended early:\n{seen}")


def test_ctrl_c_ends_it_and_leaves_no_process_and_it_can_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        with demo(tmp_path / "data") as process:
            seen = until_one_has_ended(process)
            os.killpg(process.pid, signal.SIGINT)  # what a terminal does
            rest, _ = process.communicate(timeout=30)
            assert process.returncode == 0, seen + rest
            assert "Traceback" not in seen + rest
            assert session_members(process.pid) == []


def test_a_hub_that_dies_is_reported(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as process:
        seen = until_one_has_ended(process)
        for pid in session_members(process.pid):
            if "runhub" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 1, seen + rest
        assert "The hub ended with -9" in rest
        assert "hub.log" in rest
        assert session_members(process.pid) == []


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        with demo(tmp_path / "data", "--port", str(port)) as process:
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 1, output
            assert f"Port {port} cannot be used" in output
