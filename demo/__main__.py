"""Runs the demo until Ctrl-C, or for `--seconds`. The hub's data stays in the data directory."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from demo.errors import DemoFailed
from demo.play import demonstrate
from demo.view import View, view_choose

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".run/demo"), help="kept between runs (.run/demo)"
    )
    parser.add_argument("--port", type=int, help="the hub's port (8000 if free, else any)")
    parser.add_argument("--seconds", type=float, help="end after this much traffic")
    parser.add_argument("--fast", action="store_true", help="five times the traffic")
    return parser.parse_args()


async def _run(options: argparse.Namespace, view: View) -> int:
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(
        demonstrate(
            view=view,
            data_dir=options.data_dir.absolute(),
            port=options.port,
            seconds=options.seconds,
            pace=0.1 if options.fast else 0.5,
        )
    )

    def stop() -> None:
        # Only the first signal counts: a second one would cut the tidying up short.
        for number in _SIGNALS:
            loop.add_signal_handler(number, lambda: None)
        work.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        view.say("Stopped.")
    except DemoFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def main() -> int:
    """Run the demo; the exit code."""
    return asyncio.run(_run(_options(), view_choose()))


if __name__ == "__main__":
    sys.exit(main())
