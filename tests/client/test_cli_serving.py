"""`taskhub sub --exec`: any program as a service of a hub that is a process of its own."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import taskhub
from taskhub.cli._program import LARGEST_OUTPUT, update_read
from taskhub.cli._text import result_read

from tests.client.command_line import Shell, client_of, ended, line, shell_of, stopping
from tests.client.conftest import NewHub
from tests.hub_process import HubProcess


@pytest.fixture
def shell(real_hub: HubProcess) -> Shell:
    return shell_of(real_hub)


async def outcome(client: taskhub.Client, action: str, payload: Any = None) -> tuple[str, Any]:
    """How the service's part in a task ended, and with what."""
    task = client.pub(action, payload, start_timeout=10)
    await task.ended()
    told = task.outcomes["old"]
    return told.state, told.value


async def check_exits(hub: HubProcess) -> None:
    """Each way of a program to end is the outcome that is documented."""
    script = 'read how; eval "$(echo "$how" | tr -d \\")"'
    async with shell_of(hub).serving("cli:exits", script), client_of(hub) as client:
        for how, told in [
            ("echo [1]", ("succeeded", [1])),
            ("echo plain text", ("succeeded", "plain text")),
            ("printf a; echo; echo b", ("succeeded", "a\nb")),
            ("true", ("succeeded", None)),
            ("echo why >&2; exit 75", ("dropped", "why")),
            ("exit 75", ("dropped", None)),
            ("echo out; echo why >&2; exit 1", ("failed", {"exit": 1, "message": "why"})),
            ("exit 255", ("failed", {"exit": 255, "message": ""})),
            ("kill -9 $$", ("failed", {"signal": "SIGKILL", "message": ""})),
            ("echo $TASKHUB_ACTION $TASKHUB_BY", ("succeeded", "cli:exits old")),
        ]:
            assert await outcome(client, "cli:exits", how) == told


async def test_how_a_program_ends(real_hub: HubProcess) -> None:
    await check_exits(real_hub)


async def test_a_hub_that_spoils_results_is_found_out(new_hub: NewHub) -> None:
    hub = new_hub(sabotage="tests.client.sabotage:spoil_results")
    with pytest.raises(AssertionError, match="spoiled"):
        await check_exits(hub)


async def test_what_it_says_on_stderr(shell: Shell, real_hub: HubProcess) -> None:
    script = "echo '@progress 1/4 a quarter' >&2; echo hm >&2; echo '@update {}' >&2"
    async with shell.serving("cli:says", script) as service, client_of(real_hub) as client:
        task = client.pub("cli:says")
        await task
        updates = [update async for update in task.updates()]
        assert updates == [{"done": 1, "total": 4, "message": "a quarter"}, {}]
        assert await line(service.stderr) == "hm"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("@progress 3", {"done": 3}),
        ("@progress 3/10", {"done": 3, "total": 10}),
        ("@progress 0.5/1.5 so far ", {"done": 0.5, "total": 1.5, "message": "so far"}),
        ("@progress 3 pages", {"done": 3, "message": "pages"}),
        ("@update null", None),
        ('@update "x"', "x"),
    ],
)
def test_a_line_that_is_an_update(said: str, value: Any) -> None:
    assert update_read(said) == (value,)


@pytest.mark.parametrize(
    "said", ["", "progress 1", "@progress", "@progress x", "@update", "@update x", "@progress -1"]
)
def test_a_line_that_is_none(said: str) -> None:
    assert update_read(said) is None


def test_what_is_a_result() -> None:
    assert result_read(b" \n") is None
    assert result_read(b'{"a": 1}\n') == {"a": 1}
    assert result_read(b"007\n") == "007"
    assert result_read(b"\xff\n") == "\ufffd"
    assert result_read(b"[" * 100_000) == "[" * 100_000


async def test_a_payload_that_is_not_read_and_output_without_end(
    shell: Shell, real_hub: HubProcess
) -> None:
    async with client_of(real_hub) as client:
        async with shell.serving("cli:deaf", "exec <&-; sleep 0; echo ok"):
            assert await outcome(client, "cli:deaf", "x" * 60_000) == ("succeeded", "ok")
        async with shell.serving("cli:endless", "yes"):
            state, reason = await outcome(client, "cli:endless")
            assert (state, reason["type"]) == ("failed", "OverflowError")
            assert str(LARGEST_OUTPUT) in reason["message"]
        async with shell.serving("cli:large", "head -c 100000 /dev/zero | tr '\\0' x"):
            state, reason = await outcome(client, "cli:large")
            assert (state, reason["type"]) == ("failed", "PayloadTooLarge")


async def test_jobs_at_a_time(shell: Shell, real_hub: HubProcess, tmp_path: Path) -> None:
    """Each of two waits for the other, so they end only if both run."""
    script = (
        f"read me; : > {tmp_path}/$me; until [ -e {tmp_path}/$((3 - me)) ]; do sleep 0.05; done"
    )
    async with (
        shell.serving("cli:both", script, "--concurrency", "2"),
        client_of(real_hub) as client,
    ):
        one, other = client.pub("cli:both", 1), client.pub("cli:both", 2)
        assert (await one, await other) == (None, None)


async def gone(pid: int) -> None:
    """Return when the process is no more."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(watched, ended.set)
    try:
        async with asyncio.timeout(20):
            await ended.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)


TELLS_PID = """echo "@update $$" >&2; """


async def test_a_cancelled_task_ends_its_program(shell: Shell, real_hub: HubProcess) -> None:
    """Politely first; one that does not listen is killed, and its children with it."""
    stubborn = TELLS_PID + "trap '' TERM; sleep 100; sleep 100"
    async with (
        shell.serving("cli:stubborn", stubborn, "--concurrency", "2"),
        shell.serving("cli:polite", TELLS_PID + "sleep 100"),
        client_of(real_hub) as client,
    ):
        for action in ("cli:stubborn", "cli:polite"):
            task = client.pub(action)
            async for pid in task.updates():
                os.kill(pid, 0)  # it is there
                await task.cancel()
                await gone(pid)


async def told(
    service: asyncio.subprocess.Process,
    client: taskhub.Client,
    action: str,
    which: signal.Signals,
) -> None:
    """Send a signal to a service that is at work, and return when it has heard it."""
    waiting = client.pub(action, start_timeout=5)
    await waiting.accepted()
    service.send_signal(which)
    # It leaves the second job to others now.
    await waiting.ended()


async def test_what_a_program_leaves_behind_ends_with_the_task(
    shell: Shell, real_hub: HubProcess
) -> None:
    """It exits and leaves a child, which holds its stdout open."""
    script = 'sleep 100 & echo "@update $!" >&2'
    async with shell.serving("cli:parent", script), client_of(real_hub) as client:
        task = client.pub("cli:parent")
        async for pid in task.updates():
            await task.cancel()
            await gone(pid)


@pytest.mark.parametrize(
    ("which", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
async def test_a_signal_lets_the_job_finish(
    shell: Shell, real_hub: HubProcess, tmp_path: Path, which: signal.Signals, code: int
) -> None:
    go = tmp_path / "go"
    script = f"echo @progress 1 >&2; until [ -e {go} ]; do sleep 0.05; done; echo finished"
    action = f"cli:drained-{code}"
    async with shell.serving(action, script) as service, client_of(real_hub) as client:
        task = client.pub(action)
        async for _ in task.updates():
            break
        await told(service, client, action, which)
        go.touch()
        assert await task == "finished"
        done = await ended(service)
    assert (done.code, done.out, done.err) == (code, "", "")


async def test_a_second_signal_cuts_it_short(shell: Shell, real_hub: HubProcess) -> None:
    script = TELLS_PID + "sleep 100"
    async with shell.serving("cli:hurried", script) as service, client_of(real_hub) as client:
        task = client.pub("cli:hurried")
        async for pid in task.updates():
            await told(service, client, "cli:hurried", signal.SIGTERM)
            service.send_signal(signal.SIGTERM)
            await gone(pid)
            break
        assert (await ended(service)).code == 0
        await task.ended()
        assert task.outcomes["old"].state == "dropped"


async def test_a_hub_that_withdraws_the_key_ends_the_service(new_hub: NewHub) -> None:
    hub = new_hub()
    shell = shell_of(hub, "revoked")
    async with stopping(await shell.start("sub", "cli:any", "--exec", "cat")) as service:
        assert await line(service.stderr) == "Serving cli:any."
        await asyncio.to_thread(hub.revoke, "revoked")
        hub.restart()
        done = await ended(service)
    assert (done.code, done.out) == (4, "")
    assert "Traceback" not in done.err
