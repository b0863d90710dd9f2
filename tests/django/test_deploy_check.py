"""The documented production environment passes Django's deployment check, none silenced."""

import subprocess
import sys
from pathlib import Path

from taskhub_site.environment import BASE_DIR

PRODUCTION = {"TASKHUB_ALLOWED_HOSTS": "hub.example.org", "TASKHUB_HTTPS": "1"}


def _manage(data_dir: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env={"TASKHUB_DATA_DIR": str(data_dir), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_production_environment_passes(tmp_path: Path) -> None:
    ran = _manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert ran.returncode == 0, ran.stderr
    assert "no issues (0 silenced)" in ran.stdout


def test_the_check_would_notice(tmp_path: Path) -> None:
    ran = _manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")

    assert ran.returncode == 1
    assert "security.W008" in ran.stderr


def test_a_wrong_setting_stops_the_start_with_its_sentence(tmp_path: Path) -> None:
    ran = _manage(tmp_path, "check", TASKHUB_MAX_NESTING="0")

    assert ran.returncode == 1
    assert "TASKHUB_MAX_NESTING is '0'" in ran.stderr.splitlines()[-1]


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    ran = _manage(tmp_path, "makemigrations", "--check", "--dry-run", "credentials")

    assert ran.returncode == 0, ran.stdout
