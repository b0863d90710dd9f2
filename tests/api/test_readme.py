"""The README's example works when it is pasted."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.api.conftest import Start
from tests.client.command_line import SCRIPT
from tests.hub_process import ROOT

ADDRESS = "127.0.0.1:8000"


def test_a_publish_over_http_worked_by_a_service_on_a_socket(start: Start, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## Ask it over HTTP")[1].split("\n## ")[0]
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    assert commands.count("curl -s") == 2
    hub = start()
    here = f"127.0.0.1:{hub.port}"
    # What is installed already is not installed again, and there is no network for it.
    commands = re.sub(r".*-m pip install.*\n", "", commands).replace(ADDRESS, here)
    commands = commands.replace(".venv/bin/taskhub", str(_taskhub(tmp_path)))
    commands = commands.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(
        ["bash", "-euc", f"{commands}\nkill %1; wait %1 || true"],
        cwd=ROOT,
        env={**os.environ, **hub._env, "TASKHUB_URL": f"ws://{here}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    decoder = json.JSONDecoder()
    published, end = decoder.raw_decode(done.stdout)
    found, _ = decoder.raw_decode(done.stdout[end:].lstrip())
    assert (published["state"], published["outcome"]) == ("end", "success")
    assert published["result"] == "sent"
    assert published["services"] == ["courier"]
    assert [task["taskId"] for task in found["tasks"]] == [published["taskId"]]


def _taskhub(directory: Path) -> Path:
    """The command as pip installs it."""
    script = directory / "taskhub"
    source = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT / 'client/src')!r})\n"
    script.write_text(source + SCRIPT + "\n")
    script.chmod(0o755)
    return script
