"""The programs in the client's README do what stands below them; the names in its pages exist."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import taskhub
import taskhub.sync
import taskhub.testing

from tests.hub_process import ROOT, HubProcess

README = (ROOT / "client" / "README.md").read_text()
FROM_TASKHUBJS = (ROOT / "client" / "FROM-TASKHUBJS.md").read_text()
#: A program whose first line is its name, and the output that may follow.
PROGRAM = re.compile(r"```python\n# (\w+)\.py\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
PROGRAMS = {name: (code, output) for name, code, output in PROGRAM.findall(README)}


def environment(hub: HubProcess) -> dict[str, str]:
    return {
        **os.environ,
        "TASKHUB_URL": hub.url,
        "TASKHUB_NAME": "old",
        "TASKHUB_KEY": hub.keys["old"],
        "PYTHONPATH": str(ROOT / "client" / "src"),
        "PYTHONWARNINGS": "error",
    }


def test_each_program_has_a_name_and_is_run() -> None:
    assert len(PROGRAMS) == README.count("```python") == 6
    assert [name for name, (_, output) in PROGRAMS.items() if not output] == ["service"]


def test_the_service_has_ten_lines_and_the_caller_six() -> None:
    """Blank lines do not count; of the caller neither what every program begins and ends with."""
    service, caller = (PROGRAMS[name][0].splitlines() for name in ("service", "caller"))
    assert len([line for line in service if line.strip()]) <= 10
    frame = ("import", "asyncio.run")
    assert len([line for line in caller if line.strip() and not line.startswith(frame)]) <= 6


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory they are written to."""
    directory = tmp_path_factory.mktemp("programs")
    for name, (code, _) in PROGRAMS.items():
        (directory / f"{name}.py").write_text(code)
    return directory


@pytest.mark.parametrize("name", [name for name, (_, output) in PROGRAMS.items() if output])
async def test_it_prints_what_stands_below_it(
    real_hub: HubProcess, programs: Path, name: str
) -> None:
    serving = await run(real_hub, programs / "service.py")
    try:
        program = await run(real_hub, programs / f"{name}.py")
        output, errors = await program.communicate()
        assert (output.decode(), errors.decode()) == (PROGRAMS[name][1], "")
        assert program.returncode == 0
    finally:
        # A program may have ended before the service has got as far as its signal handlers.
        await until_serving(real_hub)
        serving.terminate()
        _, errors = await serving.communicate()
    assert (serving.returncode, errors.decode()) == (0, "")


async def until_serving(hub: HubProcess) -> None:
    """Return when the README's service has done a job."""
    async with taskhub.Client(hub.url, name="shop", key=hub.keys["shop"]) as client:
        await client.do("report:build", {"month": "any"}, start_timeout=10)


async def run(hub: HubProcess, program: Path) -> asyncio.subprocess.Process:
    """Start a program."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        env=environment(hub),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("page", [README, FROM_TASKHUBJS], ids=["README", "FROM-TASKHUBJS"])
def test_the_names_in_it_exist(page: str) -> None:
    found = set(re.findall(r"`(taskhub(?:\.[A-Za-z_]\w*)+)", page)) - {"taskhub.v1"}
    assert found
    for name in found:
        thing: object = taskhub
        for part in name.split(".")[1:]:
            thing = getattr(thing, part, None) or attribute(thing, part)
        assert thing, name


def attribute(thing: object, name: str) -> bool:
    """Whether a class gives its instances this."""
    return (
        isinstance(thing, type)
        and name in Path(sys.modules[thing.__module__].__file__ or "").read_text()
    )
