"""``make soak``: kills the hub under load as often as asked, and says what it came to.

    python -m tests.durability.soak --kills 500 [--batch 25] [--seed WORD]

Each batch is a hub of its own. What is done in a batch follows from its seed, and when it
is done from the machine: to look for a failure again, give its seed and run it a few times.
"""

import argparse
import asyncio
import logging
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.durability.kills import TIMINGS, Figures, kill_often
from tests.hub_process import HubProcess


def main() -> int:
    """Returns the exit code: 1 when a check failed, whose hub's directory is kept."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="how many (500)")
    parser.add_argument("--batch", type=int, default=25, help="kills of one hub (25)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="what is drawn from (random)")
    options = parser.parse_args()
    # It warns of each frame that is sent to a hub just killed, which is what happens here.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    say(f"seed {options.seed}: {options.kills} kills, {options.batch} of each hub")
    scratch = Path(tempfile.mkdtemp(prefix="taskhub-soak-"))
    (scratch / "prepared").mkdir()
    prepared = HubProcess("uvicorn", scratch / "prepared").prepare()
    total, began = Figures(), time.monotonic()
    while total.kills < options.kills:
        kills = min(options.batch, options.kills - total.kills)
        seed = f"{options.seed}-{total.kills}"
        directory = scratch / seed
        directory.mkdir()
        try:
            total.add(_batch(directory, prepared, seed, kills))
        except AssertionError as failure:
            say(f"FAILED in batch {seed} after {total}; data and log in {directory}\n{failure}")
            return 1
        say(f"{time.monotonic() - began:5.0f} s  {total}")
    shutil.rmtree(scratch)
    say(f"all well: {total}")
    return 0


def _batch(directory: Path, prepared: HubProcess, seed: str, kills: int) -> Figures:
    hub = HubProcess("uvicorn", directory, **TIMINGS).copy_of(prepared)
    try:
        figures = asyncio.run(kill_often(hub, directory / "dead", seed=seed, kills=kills))
    finally:
        hub.close()
    assert not hub.troubles(), hub.troubles()[-2_000:]
    return figures


def say(line: str) -> None:
    """A line of progress."""
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
