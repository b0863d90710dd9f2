"""Vendored files are what their README says, to the byte."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[2] / "hub/dashboard/static/dashboard/vendor"


def test_each_file_is_the_one_that_was_written_down() -> None:
    rows = re.findall(
        r"(?m)^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$",
        (VENDOR / "README.md").read_text(),
        re.MULTILINE,
    )
    files = {path.name for path in VENDOR.iterdir()} - {"README.md"}
    assert {name for name, _ in rows} == files
    for name, checksum in rows:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == checksum, name
