"""daphne's app is there for ``runserver``, and costs no other command its time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
import django

sys.argv = ["manage.py", {command!r}]
django.setup()
print(django.apps.apps.is_installed("daphne"), "daphne.server" in sys.modules)
"""


@pytest.mark.parametrize(("command", "there"), [("runserver", True), ("runhub", False)])
def test_daphne_is_loaded_for_runserver_only(command: str, there: bool) -> None:
    program = PROGRAM.format(command=command)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(there), str(there)]
