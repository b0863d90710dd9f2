"""The architecture is a test: who may import whom, and how large a file may be."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hub", "credentials", "taskhub_site", "client/src", "demo", "benchmarks")
SOURCES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "client" / "src")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_core_and_the_protocol_need_no_django() -> None:
    code = (
        "import sys, msgspec\n"  # msgspec imports uuid for values we do not have
        "for name in ('django', 'channels', 'asyncio', 'random', 'uuid', 'logging', 'threading'):\n"
        "    sys.modules[name] = None\n"
        "import hub.core.engine, hub.protocol.decode, hub.protocol.encode\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    limit = 300 if "core" in path.parts else 400
    assert len(path.read_text().splitlines()) < limit


def test_minimum_versions_of_packages_with_known_advisories() -> None:
    requirements = (ROOT / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", requirements, re.MULTILINE))
    wanted = {"daphne": (4, 2, 2), "autobahn": (26, 7, 1), "django": (5, 2, 8)}
    for name, minimum in wanted.items():
        assert tuple(map(int, locked[name].split("."))) >= minimum, name


def test_requirements_record_no_address() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--index" not in text
        assert "--find-links" not in text


@pytest.mark.parametrize("page", ["SECURITY.md", "ARCHITECTURE.md"])
def test_the_tests_that_hold_a_promise_are_there(page: str) -> None:
    named = set(re.findall(r"`(tests/[\w./]*\w)`", (ROOT / page).read_text()))
    assert named
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]
