"""The session in the client's README goes as it stands there; its tables are the code's."""

import asyncio
import os
import re
from pathlib import Path

import pytest
from taskhub import cli
from taskhub.cli import _exits
from taskhub.cli._program import DROP_EXIT

from tests.client.command_line import Shell, line, script_installed, shell_of, stopping
from tests.client.conftest import NewHub
from tests.hub_process import ROOT, HubProcess

README = (ROOT / "client" / "README.md").read_text()
SCRIPTS = re.findall(r"```sh\n# (\w+\.sh)\n(.*?)```", README, re.DOTALL)
SESSIONS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
TASK_ID = re.compile(r"\b[0-9a-f]{32}\b")


def steps(session: str) -> list[tuple[str, list[str]]]:
    """The commands, each with the lines that follow it."""
    return [
        (command, shown.splitlines())
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    ]


async def shown_by(shell: Shell, directory: Path, command: str) -> asyncio.subprocess.Process:
    """The command in a shell, whose stdout and stderr are one, as on a terminal."""
    return await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=directory,
        env={**shell.environment, "PATH": f"{directory}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def check_session(hub: HubProcess, directory: Path, session: str) -> None:
    """Each command of the session shows what stands below it."""
    shell = shell_of(hub)
    script_installed(directory)
    for name, text in SCRIPTS:
        (directory / name).write_text(text)
    (background, serving), *others = steps(session)
    assert len(others) == session.count("$ taskhub") - 1 > 3
    # `exec`: the signal at the end is for it, and not for the shell around it.
    service = await shown_by(shell, directory, "exec " + background.removesuffix(" &"))
    async with stopping(service):
        assert [await line(service.stdout)] == serving
        for command, shown in others:
            done = await ended_of(await shown_by(shell, directory, command))
            assert TASK_ID.sub("ID", done).splitlines() == [TASK_ID.sub("ID", s) for s in shown]
        service.terminate()
        assert (await ended_of(service), service.returncode) == ("", 0)


async def test_the_session(real_hub: HubProcess, tmp_path: Path) -> None:
    (session,) = SESSIONS
    await check_session(real_hub, tmp_path, session)


async def test_another_session_would_be_found_out(new_hub: NewHub, tmp_path: Path) -> None:
    hub = new_hub(sabotage="tests.client.sabotage:spoil_results")
    (session,) = SESSIONS
    first, *rest = steps(session)
    # The third result is spoiled, and the session has two.
    again = [first, *rest, rest[0]]
    lines = [f"$ {command}\n" + "".join(f"{s}\n" for s in shown) for command, shown in again]
    with pytest.raises(AssertionError, match="spoiled"):
        await check_session(hub, tmp_path, "".join(lines))


async def ended_of(process: asyncio.subprocess.Process) -> str:
    """What it shows until its end."""
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode()


def test_the_exit_codes_are_the_same_everywhere() -> None:
    codes = {value for name, value in vars(_exits).items() if name.isupper() and name[0] != "_"}
    table = README[README.index("| exit code |") : README.index("What a program can say")]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == codes
    assert {int(code) for code in re.findall(r"\b(\d+) [a-z]", cli.__doc__ or "")} == codes
    assert f"| exit code {DROP_EXIT} | drop" in README


def test_each_command_and_option_is_described() -> None:
    from taskhub.cli._commands import taskhub

    section = README[README.index("## Command line") : README.index("## Testing a service")]
    for name, command in taskhub.commands.items():
        assert f"| `{name}" in section, name
        for parameter in command.params:
            for option in parameter.opts:
                assert option.lstrip("-") == parameter.name or option in section, option
    for parameter in taskhub.params:
        assert parameter.opts[0] in section
