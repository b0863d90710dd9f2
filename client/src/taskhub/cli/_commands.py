"""The commands and their arguments."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import click
from click.shell_completion import get_completion_class

from taskhub._address import address_find
from taskhub._client import Client
from taskhub._errors import TaskHubError
from taskhub._task import UNSET
from taskhub.cli import _exits, _work
from taskhub.cli._program import DROP_EXIT
from taskhub.cli._screen import Screen
from taskhub.cli._text import payload_read, value_read

#: The ids that clients choose by themselves.
_TASK_ID: Final = re.compile(r"[0-9a-f]{32}")
_SECONDS: Final = click.FloatRange(min=0, min_open=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options before the command."""

    url: str | None
    name: str | None
    key: str | None
    screen: Screen

    def run(self, work: Callable[..., Coroutine[Any, Any, int]], **arguments: Any) -> int:
        """The exit code of this work, which is given a client and the screen."""
        try:
            address = address_find(self.url, self.name, self.key)
            client = Client(address.url, name=address.name, key=address.key)
            return asyncio.run(work(client, self.screen, **arguments))
        except TaskHubError as error:
            self.screen.error(error)
            return _exits.exit_code(error)
        # Both before click makes something else of it.
        except KeyboardInterrupt:
            return _exits.INTERRUPTED
        except BrokenPipeError:
            # Whoever read it has seen enough. What is still buffered must not complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _exits.OK


def _json_too(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 (click's interface)
    if value:
        context.obj.screen.json = True


#: Behind a command it means the same as before it.
json_too = click.option(
    "--json", is_flag=True, expose_value=False, callback=_json_too, help="Lines of JSON."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", help="The hub, ws://host:port/ or wss://host/.  [TASKHUB_URL]")
@click.option("--name", help="The client to connect as.  [TASKHUB_NAME]")
@click.option(
    "--key",
    help="Its key. Others on this machine can read arguments: better set the variable, and this "
    "only to try something.  [TASKHUB_KEY]",
)
@click.option("--json", is_flag=True, help="Lines of JSON, for programs.")
@click.pass_context
def taskhub(
    context: click.Context, url: str | None, name: str | None, key: str | None, *, json: bool
) -> None:
    """Publish tasks of a TaskHub, serve them, watch them happen.

    Data goes to stdout, all else to stderr. Exit codes: 0 ok, 1 the task failed, 2 usage,
    3 cannot connect, 4 refused, 5 timeout, 130 interrupted.
    """
    context.obj = Settings(url=url, name=name, key=key, screen=Screen(json=json))


@taskhub.command()
@click.argument("action")
@click.argument("payload", required=False, metavar="[JSON | @FILE | -]")
@click.option("--wait/--no-wait", default=True, help="Wait for the result, or print the task's id.")
@click.option("--timeout", type=_SECONDS, help="Wait so many seconds; the task goes on.")
@click.option("--default", metavar="JSON", help="Print this if the task fails or takes too long.")
@click.option("--start-timeout", type=_SECONDS, help="The task fails if none begins in so long.")
@click.option("--end-timeout", type=_SECONDS, help="The task fails if not done in so long.")
@json_too
@click.pass_obj
def pub(
    settings: Settings,
    action: str,
    payload: str | None,
    timeout: float | None,
    default: str | None,
    start_timeout: float | None,
    end_timeout: float | None,
    *,
    wait: bool,
) -> int:
    """Publish a task and print its result.

    The payload is JSON, or in a file, or on stdin; without it null is sent.
    """
    if default is not None and not wait:
        raise click.UsageError("--default needs --wait: there is nothing to stand in for.")
    return settings.run(
        _work.publish,
        action=action,
        payload=payload_read(payload),
        wait=wait,
        timeout=timeout,
        default=UNSET if default is None else value_read(default, of="--default"),
        start_timeout=start_timeout,
        end_timeout=end_timeout,
    )


@taskhub.command(
    help=f"""Run a program for each task of an action or pattern.

    The payload is JSON on its stdin; the result is its stdout, JSON or else text. Of its stderr,
    "@progress 3/10 message" and "@update JSON" are updates. Exit code 0 is success, {DROP_EXIT}
    leaves the task to others, anything else fails it. Ends at SIGINT or SIGTERM, after the jobs
    at work; a second signal cuts these short.
    """
)
@click.argument("action")
@click.option("--exec", "command", required=True, metavar="CMD", help="A command line; no shell.")
@click.option("--concurrency", type=click.IntRange(min=1), default=1, help="Jobs at a time.")
@click.option("--group", is_flag=True, help="Share the tasks with others of this client's name.")
@json_too
@click.pass_obj
def sub(settings: Settings, action: str, command: str, concurrency: int, *, group: bool) -> int:
    """Run a program for each task; the help is above."""
    return settings.run(
        _work.serve,
        pattern=action,
        words=_words(command),
        concurrency=concurrency,
        group=group,
    )


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--exec") from None
    if not words or shutil.which(words[0]) is None:
        raise click.BadParameter(
            f"there is no program {words[0] if words else ''!r} to run.", param_hint="--exec"
        )
    return words


@taskhub.command()
@click.argument("what", metavar="TASK | PATTERN")
@click.option("--task", is_flag=True, help="It is a task's id, though it does not look like one.")
@json_too
@click.pass_obj
def watch(settings: Settings, what: str, *, task: bool) -> int:
    """Print the events of a task from its first on, or of a pattern from now on.

    A pattern is an action, a noun or *. Of a task, the exit code tells its outcome.
    """
    if task or _TASK_ID.fullmatch(what):
        return settings.run(_work.watch_task, task_id=what)
    return settings.run(_work.watch_pattern, pattern=what)


@taskhub.command()
@click.argument("task")
@click.option("--reason", help="Becomes part of why it failed.")
@json_too
@click.pass_obj
def cancel(settings: Settings, task: str, reason: str | None) -> int:
    """Cancel a task: it fails."""
    return settings.run(_work.cancel, task_id=task, reason=reason)


@taskhub.command()
@json_too
@click.pass_obj
def ping(settings: Settings) -> int:
    """Tell whether the hub is there and accepts the key, and how fast it answers."""
    return settings.run(_work.ping)


@taskhub.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print what a shell needs to complete these commands.

    For bash: eval "$(taskhub completion bash)"
    """
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(taskhub, {}, "taskhub", "_TASKHUB_COMPLETE").source())
    return _exits.OK


def run() -> int:
    """The exit code of the command in `sys.argv`."""
    try:
        code = taskhub.main(prog_name="taskhub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _exits.INTERRUPTED
    return code if isinstance(code, int) else _exits.OK
