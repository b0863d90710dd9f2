"""`taskhub pub`, `watch`, `cancel` and `ping` against a hub that is a process of its own."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.client.command_line import (
    Shell,
    client_of,
    ended,
    interrupted,
    line,
    shell_of,
    stopping,
)
from tests.client.conftest import NewHub
from tests.hub_process import HubProcess


@pytest.fixture
def shell(real_hub: HubProcess) -> Shell:
    return shell_of(real_hub)


async def check_payloads(shell: Shell, directory: Path) -> None:
    """What goes in as JSON, from a file or from stdin comes out."""
    (directory / "payload.json").write_text('{"from": "a file"}')
    async with shell.serving("cli:echo", "cat"):
        for argument, stdin, out in [
            ('{"a": [1, "ü"]}', "", '{"a":[1,"ü"]}'),
            (f"@{directory}/payload.json", "", '{"from":"a file"}'),
            ("-", "[true]", "[true]"),
            ('"a text"', "", "a text"),
            ("null", "", "null"),
        ]:
            done = await shell.run("pub", "cli:echo", argument, stdin=stdin)
            assert (done.code, done.out) == (0, f"{out}\n"), done
        assert (await shell.run("pub", "cli:echo")).out == "null\n"
        assert (await shell.run("pub", "cli:echo", '"text"', "--json")).out == '"text"\n'


async def test_payloads_and_results(shell: Shell, tmp_path: Path) -> None:
    await check_payloads(shell, tmp_path)


async def test_a_hub_that_spoils_results_is_found_out(new_hub: NewHub, tmp_path: Path) -> None:
    hub = new_hub(sabotage="tests.client.sabotage:spoil_results")
    with pytest.raises(AssertionError, match="spoiled"):
        await check_payloads(shell_of(hub), tmp_path)


async def test_data_is_on_stdout_and_progress_on_stderr(shell: Shell) -> None:
    script = "echo '@progress 1/2 half' >&2; echo '@update [7]' >&2; echo done"
    async with shell.serving("cli:shown", script):
        done = await shell.run("pub", "cli:shown", FORCE_COLOR="1")
        assert (done.code, done.out) == (0, "done\n")
        accepted, *rest = done.err.splitlines()
        assert accepted.startswith("accepted as ")
        assert rest == ["start by old", "update by old: 1/2 half", "update by old: [7]"]
        done = await shell.run("--json", "pub", "cli:shown")
        events = [json.loads(told) for told in done.err.splitlines()]
        assert [event["event"] for event in events] == ["init", "start", "update", "update"]
        assert events[2]["value"] == {"done": 1, "total": 2, "message": "half"}
        assert (done.code, json.loads(done.out)) == (0, "done")


async def test_a_failed_task(shell: Shell) -> None:
    async with shell.serving("cli:broken", "echo 'no paper' >&2; exit 3"):
        done = await shell.run("pub", "cli:broken")
        assert (done.code, done.out) == (1, "")
        assert "'exit': 3" in done.err
        assert "no paper" in done.err
        done = await shell.run("pub", "cli:broken", "--json")
        error = json.loads(done.err.splitlines()[-1])
        assert (done.code, error["error"]) == (1, "TaskFailed")
        assert error["reason"] == {"exit": 3, "message": "no paper"}
        done = await shell.run("pub", "cli:broken", "--default", "false")
        assert (done.code, done.out) == (0, "false\n")
    done = await shell.run("pub", "cli:nobody", "--start-timeout", "0.05")
    assert (done.code, done.out) == (1, "")
    assert "no-subscriber" in done.err


async def test_what_takes_too_long(shell: Shell) -> None:
    async with shell.serving("cli:slow", "sleep 20", "--concurrency", "9"):
        done = await shell.run("pub", "cli:slow", "--timeout", "0.2")
        assert (done.code, done.out) == (5, "")
        assert "wait-timeout" in done.err
        done = await shell.run("pub", "cli:slow", "--timeout", "0.2", "--default", "[]")
        assert (done.code, done.out) == (0, "[]\n")
        done = await shell.run("pub", "cli:slow", "--end-timeout", "0.2")
        assert (done.code, done.out) == (5, "")
        assert "end-timeout" in done.err


async def test_an_interrupted_wait_leaves_the_task_to_be_cancelled(shell: Shell) -> None:
    async with shell.serving("cli:patient", "sleep 20"):
        async with stopping(await shell.start("pub", "cli:patient")) as waiting:
            task_id = (await line(waiting.stderr)).removeprefix("accepted as ")
            assert await line(waiting.stderr) == "start by old"
            done = await interrupted(waiting)
        assert (done.code, done.out) == (130, "")
        assert f"taskhub cancel {task_id}" in done.err
        assert "Traceback" not in done.err
        done = await shell.run("cancel", task_id, "--reason", "no longer wanted")
        assert (done.code, done.out) == (0, "")
        done = await shell.run("watch", task_id)
        assert done.code == 1
        assert "no longer wanted" in done.out
        assert (await shell.run("cancel", task_id)).code == 0, "cancelled is cancelled"


async def test_publishing_without_waiting_and_watching_later(shell: Shell) -> None:
    async with shell.serving("cli:later", "echo '@progress 1' >&2; echo 7"):
        done = await shell.run("pub", "cli:later", '{"a":1}', "--no-wait")
        task_id = done.out.strip()
        assert (done.code, done.err) == (0, "")
        done = await shell.run("watch", task_id)
    assert done.code == 0
    head = f"{task_id} cli:later "
    assert done.out.splitlines() == [
        head + 'init by old: {"a":1}',
        head + "start by old",
        head + "update by old: 1",
        head + "success by old: 7",
        head + "end",
    ]
    done = await shell.run("cancel", task_id)
    assert (done.code, done.out) == (4, "")
    done = await shell.run("--json", "watch", "--task", task_id)
    events = [json.loads(seen) for seen in done.out.splitlines()]
    assert [event["event"] for event in events] == ["init", "start", "update", "success", "end"]
    assert events[3]["value"] == 7
    done = await shell.run("--json", "pub", "cli:later", "--no-wait", "--start-timeout", "0.05")
    told = json.loads(done.out)
    assert told["url"].endswith(f"/tasks/{told['taskId']}/")


async def test_watching_a_pattern(shell: Shell, real_hub: HubProcess) -> None:
    async with (
        stopping(await shell.start("watch", "cli-seen", "--json")) as watching,
        client_of(real_hub) as client,
    ):
        assert json.loads(await line(watching.stderr)) == {"watching": "cli-seen"}
        task = client.pub("cli-seen:here", 1, start_timeout=0.05)
        kinds = [json.loads(await line(watching.stdout))["event"] for _ in range(3)]
        assert kinds == ["init", "fail", "end"]
        await task.ended()
        done = await interrupted(watching)
        assert (done.code, done.out, done.err) == (130, "", "")


async def test_a_reader_that_has_seen_enough(shell: Shell, real_hub: HubProcess) -> None:
    async with (
        stopping(await shell.start("watch", "cli-enough")) as watching,
        client_of(real_hub) as client,
    ):
        await line(watching.stderr)
        assert watching.stdout is not None
        transport = watching._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        await client.pub("cli-enough:here", start_timeout=0.05).ended()
        assert watching.stderr is not None
        async with asyncio.timeout(30):
            assert await watching.stderr.read() == b""
            assert await watching.wait() == 0


async def test_ping(shell: Shell) -> None:
    done = await shell.run("ping")
    assert (done.code, done.err) == (0, "")
    assert "connected in" in done.out
    done = await shell.run("ping", "--json")
    assert set(json.loads(done.out)) == {"connectMs", "answerMs"}


async def test_what_the_hub_refuses(shell: Shell, real_hub: HubProcess) -> None:
    stranger = shell_of(real_hub, "stranger")
    for done, said in [
        (await shell.run("ping", TASKHUB_KEY="wrong"), "401"),
        (await stranger.run("pub", "cli:echo"), "forbidden"),
        (await stranger.run("pub", "cli:echo", "--no-wait", "--default", "1"), ""),
        (await stranger.run("watch", "cli"), "forbidden"),
        (await stranger.run("sub", "cli:echo", "--exec", "cat"), "forbidden"),
        (await shell.run("pub", "no action", "--default", "1"), "bad-action"),
        (await shell.run("watch", "0" * 32), "unknown-task"),
        (await shell.run("cancel", "nowhere"), "unknown-task"),
    ]:
        assert (done.code, done.out) == (4 if said else 2, ""), done
        assert said in done.err
        assert "Traceback" not in done.err


async def test_a_cancelled_task(shell: Shell) -> None:
    async with shell.serving("cli:stopped", "sleep 20"):
        async with stopping(await shell.start("pub", "cli:stopped", "--json")) as waiting:
            task_id = json.loads(await line(waiting.stderr))["taskId"]
            assert (await shell.run("cancel", task_id, "--reason", "enough")).code == 0
            done = await ended(waiting)
        error = json.loads(done.err.splitlines()[-1])
        assert (done.code, error["error"], error["code"]) == (1, "TaskCancelled", "cancelled")
        assert error["reason"]["reason"] == "enough"
