"""A scenario of load in a process of its own: ``python -m tests.overload.load NAME JSON``.

It prints lines of JSON, each with what has happened in ``at``, and goes on when it reads a line.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import uvloop

Options = dict[str, Any]


def say(at: str, **facts: Any) -> None:
    """Tell the test."""
    print(json.dumps({"at": at, **facts}), flush=True)  # noqa: T201


async def told(what: str) -> None:
    """Wait until the test says so."""
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if line.strip() != what:
        raise SystemExit(f"waited for {what!r}, was told {line!r}")


def main() -> None:
    """Run the scenario that the command line names."""
    # Two thousand connections need 4,096: "ulimit -Hn 4096", or LimitNOFILE= of the unit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    scenario: Callable[[Options], Awaitable[None]] = import_module(
        f"tests.overload.scenarios.{sys.argv[1]}"
    ).run
    uvloop.run(scenario(json.loads(sys.argv[2])))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
