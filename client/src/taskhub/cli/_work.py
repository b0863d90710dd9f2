"""What the commands do, once their arguments are read. Each returns its exit code."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from taskhub._client import Client
from taskhub._errors import Overflow, Refused, TaskHubError
from taskhub._task import Task
from taskhub.cli import _exits
from taskhub.cli._program import Program
from taskhub.cli._progress import Lines, view_of
from taskhub.cli._screen import Screen


async def publish(
    client: Client,
    screen: Screen,
    *,
    action: str,
    payload: Any,
    wait: bool,
    timeout: float | None,  # noqa: ASYNC109 (what the option is called)
    default: Any,
    start_timeout: float | None,
    end_timeout: float | None,
) -> int:
    """Publish a task, and wait for its result or only until the hub has it."""
    async with client:
        task = client.pub(action, payload, start_timeout=start_timeout, end_timeout=end_timeout)
        if not wait:
            await accepted(task, timeout)
            screen.data(task.task_id, taskId=task.task_id, url=task.url)
            return _exits.OK
        try:
            with view_of(screen, action) as view:
                value = await result(task, view, default=default, timeout=timeout)
        except asyncio.CancelledError:
            screen.say(
                f"No longer waiting. The task goes on, unless you: taskhub cancel {task.task_id}",
                interrupted=task.task_id,
            )
            raise
    screen.result(value)
    return _exits.OK


async def accepted(task: Task, seconds: float | None) -> None:
    """Return when the hub has stored it. Raises Refused, and TaskTimeout after so long."""
    try:
        async with asyncio.timeout(seconds):
            await task.accepted()
    except TimeoutError:
        # There is no outcome either: this raises what tells of the wait.
        await task.result(timeout=0)


async def result(
    task: Task,
    view: Lines,
    *,
    default: Any,
    timeout: float | None,  # noqa: ASYNC109 (as in Task.result)
) -> Any:
    """The result of a task whose way there is shown."""
    showing = asyncio.create_task(show(task, view))
    try:
        return await task.result(default=default, timeout=timeout)
    finally:
        if not task.done:
            showing.cancel()
        await asyncio.wait([showing])


async def show(task: Task, view: Lines) -> None:
    """Show the events until the task is settled."""
    # Whoever waits for the result is told of the error; too many events only end the view.
    with contextlib.suppress(TaskHubError):
        async for event in task:
            view.show(event)
            if event.kind in {"success", "fail"}:
                return


async def serve(
    client: Client,
    screen: Screen,
    *,
    pattern: str,
    words: Sequence[str],
    concurrency: int,
    group: bool,
) -> int:
    """Run a program for each job, until SIGINT or SIGTERM; jobs at work are let finish."""
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        client.stop()

    client.sub(pattern, concurrency=concurrency, group=group)(Program(words, screen))
    async with client:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGTERM, client.stop)
        screen.say(f"Serving {pattern}.", serving=pattern)
        # Everything is subscribed: `serve` hears `stop` before the loop can run a handler.
        await client.serve(handle_signals=False)
    return _exits.INTERRUPTED if interrupted else _exits.OK


async def watch_task(client: Client, screen: Screen, task_id: str) -> int:
    """Print a task's events from the first to the end. Raises TaskFailed in the end."""
    async with client:
        task = client.task(task_id)
        await task.accepted()
        with contextlib.suppress(Overflow):
            async for event in task:
                screen.seen(msgspec.structs.replace(event, action=task.action))
        await task.result()
    return _exits.OK


async def watch_pattern(client: Client, screen: Screen, pattern: str) -> int:
    """Print the events of these actions, until interrupted."""
    async with client:
        watch = await client.watch(pattern)
        screen.say(f"Watching {pattern}.", watching=pattern)
        async for event in watch:
            screen.seen(event)
    return _exits.OK


async def cancel(client: Client, screen: Screen, task_id: str, reason: str | None) -> int:
    """Cancel a task."""
    async with client:
        await client.task(task_id).cancel(reason)
    screen.say(f"Cancelled {task_id}.", cancelled=task_id)
    return _exits.OK


async def ping(client: Client, screen: Screen) -> int:
    """Connect, ask once, and tell how long both took."""
    began = time.perf_counter()
    async with client:
        connected = time.perf_counter()
        # Nobody has such a task. To be refused is to be answered, and needs no permission.
        with contextlib.suppress(Refused):
            await client.get("ping")
        answered = time.perf_counter()
    connect, answer = (connected - began) * 1000, (answered - connected) * 1000
    screen.data(
        f"{client!r} connected in {connect:.1f} ms, is answered in {answer:.1f} ms.",
        connectMs=round(connect, 3),
        answerMs=round(answer, 3),
    )
    return _exits.OK
