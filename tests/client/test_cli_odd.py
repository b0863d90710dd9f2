"""The command line where something is missing, wrong, or not a terminal."""

import asyncio
import contextlib
import os
import re
import tomllib
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.client.command_line import (
    Done,
    Shell,
    ended,
    line,
    script_installed,
    stopping,
)
from tests.client.fake_hub import FakeHub
from tests.hub_process import ROOT

KEY = "tell-nobody"
#: An escape sequence, and the one of a colour.
ESCAPE, COLOUR = "\x1b", re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


@pytest.fixture
def shell(hub: FakeHub) -> Shell:
    return Shell(hub.url, "me", KEY)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pub"], "Missing argument 'ACTION'"),
        (["publish"], "No such command"),
        (["pub", "a:b", "{"], "not JSON"),
        (["pub", "a:b", "word"], "needs its quotes"),
        (["pub", "a:b", "[" * 100_000], "not JSON"),
        (["pub", "a:b", "@/nowhere/at.all"], "cannot be read"),
        (["pub", "a:b", "--default", "x"], "not JSON"),
        (["pub", "a:b", "--no-wait", "--default", "1"], "--wait"),
        (["pub", "a:b", "--timeout", "0"], "--timeout"),
        (["sub", "a:b"], "--exec"),
        (["sub", "a:b", "--exec", "no-such-program"], "no program"),
        (["sub", "a:b", "--exec", "'open"], "quotation"),
        (["sub", "a:b", "--exec", ""], "no program"),
        (["sub", "a:b", "--exec", "cat", "--concurrency", "0"], "--concurrency"),
        (["completion", "tcsh"], "tcsh"),
        (["--url", "http://host/", "ping"], "ws://"),
        ([], "Commands:"),
    ],
)
async def test_usage(shell: Shell, arguments: list[str], said: str) -> None:
    done = await shell.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("variable", ["TASKHUB_URL", "TASKHUB_NAME", "TASKHUB_KEY"])
async def test_a_missing_part_of_the_address(shell: Shell, variable: str) -> None:
    done = await shell.run("ping", **{variable: ""})
    assert (done.code, done.out) == (2, "")
    assert variable in done.err


async def test_no_hub(shell: Shell) -> None:
    for command in (["ping"], ["pub", "a:b"], ["sub", "a:b", "--exec", "cat"], ["watch", "a"]):
        done = await shell.run(*command, TASKHUB_URL="ws://127.0.0.1:1/")
        assert (done.code, done.out) == (3, "")
        assert "not reached" in done.err
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("status", "code"), [(HTTPStatus.SERVICE_UNAVAILABLE, 3), (HTTPStatus.UNAUTHORIZED, 4)]
)
async def test_a_refused_connection(
    hub: FakeHub, shell: Shell, status: HTTPStatus, code: int
) -> None:
    hub.refuse_with = status
    done = await shell.run("ping")
    assert (done.code, done.out) == (code, "")
    assert str(int(status)) in done.err


async def test_a_key_that_is_withdrawn_while_it_waits(hub: FakeHub, shell: Shell) -> None:
    async with stopping(await shell.start("pub", "a:b")) as waiting:
        await hub.echo(await hub.expect(cmd="pub", event="init"))
        await line(waiting.stderr)
        await hub.close(4401, "revoked")
        done = await ended(waiting)
    assert (done.code, done.out) == (4, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("wait", ["--wait", "--no-wait"])
async def test_a_hub_that_does_not_answer(hub: FakeHub, shell: Shell, wait: str) -> None:
    done = await shell.run("pub", "a:b", "--timeout", "0.3", wait)
    assert (done.code, done.out) == (5, "")
    assert "Traceback" not in done.err


async def test_a_task_that_ends_without_an_outcome(hub: FakeHub, shell: Shell) -> None:
    async with stopping(await shell.start("pub", "a:b")) as waiting:
        init = await hub.expect(cmd="pub", event="init")
        await hub.echo(init)
        await hub.event(init["taskId"], "end", by="hub")
        done = await ended(waiting)
    assert (done.code, done.out) == (1, "")
    assert "Traceback" not in done.err


async def test_no_words_of_others_reach_the_terminal_raw(hub: FakeHub, shell: Shell) -> None:
    async with stopping(await shell.start("pub", "a:b")) as waiting:
        init = await hub.expect(cmd="pub", event="init")
        await hub.echo(init)
        await hub.event(init["taskId"], "start", by="\x1b[31mred\nend")
        update = {"done": 1, "message": "\x1b]0;title\x07"}
        await hub.event(init["taskId"], "update", by="x", update=update)
        await hub.event(init["taskId"], "fail", by="x", reason={"code": "c", "message": "\x1b[2J"})
        done = await ended(waiting)
    assert done.code == 1
    assert ESCAPE not in done.err
    assert "start by \\x1b[31mred\\x0aend\n" in done.err


async def test_the_key_is_never_shown(hub: FakeHub, shell: Shell) -> None:
    host = hub.url.removeprefix("ws://")
    addresses = [
        ["--key", KEY],
        ["--url", f"ws://me:{KEY}@{host}"],
        ["--url", f"http://me:{KEY}@{host}"],
        ["--url", f"ws://me:{KEY}@127.0.0.1:1/"],
        ["--url", f"ws://me:{KEY}@127.0.0.1:port/"],
    ]
    hub.refuse_with = HTTPStatus.UNAUTHORIZED
    for address in addresses:
        for command in (["ping"], ["--json", "ping"], ["pub", "a:b", "{"], ["--help"]):
            done = await shell.run(*address, *command)
            assert KEY not in done.out + done.err, (address, command)
    assert "better set the variable" in " ".join((await shell.run("--help")).out.split())


def test_the_distribution_has_all_packages() -> None:
    source = ROOT / "client" / "src"
    found = {
        str(p.parent.relative_to(source)).replace("/", ".") for p in source.rglob("__init__.py")
    }
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())
    assert set(project["tool"]["setuptools"]["packages"]) == found


@pytest.mark.parametrize("name", ["click", "rich"])
async def test_without_the_extra_it_says_what_to_install(shell: Shell, name: str) -> None:
    done = await shell.run("ping", before=f"import sys; sys.modules[{name!r}] = None; ")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"The command line needs {name}: pip install 'taskhub[cli]'\n"


async def test_the_package_does_not_need_the_extra(shell: Shell) -> None:
    before = "import sys; sys.modules['click'] = sys.modules['rich'] = None; import taskhub.sync; "
    assert (await shell.run(before=before)).code == 2


async def on_a_terminal(shell: Shell, hub: FakeHub, **env: str) -> tuple[Done, str]:
    """What `pub` prints, and what it shows where stderr is a terminal."""
    ours, theirs = os.openpty()
    shown, half = bytearray(), asyncio.Event()

    def read() -> None:
        with contextlib.suppress(OSError):
            shown.extend(os.read(ours, 65_536))
        if b"half" in shown:
            half.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(ours, read)
    try:
        process = await asyncio.create_subprocess_exec(
            *shell.command("pub", "a:b"),
            env={**shell.environment, "TERM": "xterm-256color", **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=theirs,
        )
        async with stopping(process):
            init = await hub.expect(cmd="pub", event="init")
            await hub.echo(init)
            await hub.event(init["taskId"], "start")
            update = {"done": 1, "total": 2, "message": "[red]half"}
            await hub.event(init["taskId"], "update", update=update)
            async with asyncio.timeout(10):
                await half.wait()
            await hub.event(init["taskId"], "success", result="done")
            out, _ = await process.communicate()
            os.close(theirs)
            read()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), ""), shown.decode()
    finally:
        loop.remove_reader(ours)
        os.close(ours)


async def test_on_a_terminal_it_moves(hub: FakeHub, shell: Shell) -> None:
    done, shown = await on_a_terminal(shell, hub)
    assert (done.code, done.out) == (0, "done\n")
    assert COLOUR.search(shown)
    assert "1/2 [red]half" in shown


async def test_no_color(hub: FakeHub, shell: Shell) -> None:
    done, shown = await on_a_terminal(shell, hub, NO_COLOR="1")
    assert (done.code, done.out) == (0, "done\n")
    assert ESCAPE in shown
    assert not re.search(r"\x1b\[[0-9;]*(3[0-8]|9[0-7])[0-9;]*m", shown)


async def test_a_dumb_terminal(hub: FakeHub, shell: Shell) -> None:
    done, shown = await on_a_terminal(shell, hub, TERM="dumb")
    assert (done.code, done.out) == (0, "done\n")
    assert ESCAPE not in shown
    assert "update by other: 1/2 [red]half" in shown


async def test_completion(shell: Shell, tmp_path: Path) -> None:
    """bash offers the commands after it has read what `completion` prints."""
    script_installed(tmp_path)
    program = (
        'eval "$(taskhub completion bash)"; '
        "COMP_WORDS=(taskhub p); COMP_CWORD=1; _taskhub_completion taskhub; "
        'echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    bash = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        program,
        env={**shell.environment, "PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await bash.communicate()
    assert (sorted(out.decode().split()), err.decode()) == (["ping", "pub"], "")
    for name in ("zsh", "fish"):
        done = await shell.run("completion", name)
        assert (done.code, done.err) == (0, "")
        assert "_TASKHUB_COMPLETE" in done.out
