"""What was told survives ``kill -9``, and every task goes on to its end (§4.6, §5.4)."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.durability.kills import TIMINGS, kill_often
from tests.durability.soak import say
from tests.hub_process import HubProcess

KILLS = 10
#: How the ledger, the run and the peers say what is wrong.
SEEN = r"problems|never ended|a second time|seq [0-9]+ after"
NewHub = Callable[..., HubProcess]


@pytest.mark.timeout(300)
async def test_what_was_told_survives_kills_at_random(new_hub: NewHub, tmp_path: Path) -> None:
    seed = os.environ.get("SOAK_SEED") or secrets.token_hex(4)
    say(f"seed {seed}")
    hub = new_hub(**TIMINGS)
    figures = await kill_often(hub, tmp_path / "dead", seed=seed, kills=KILLS)
    say(str(figures))
    assert figures.events > 30 * KILLS
    assert figures.resent > KILLS, "no kill came in the middle of anything"
    assert not hub.troubles()


@pytest.mark.parametrize(
    "sabotage",
    [
        "tells_before_the_commit",
        "reports_commits_early",
        "loses_one_event_in_a_hundred",
        "stores_repeats",
        "forgets_open_tasks",
    ],
)
async def test_a_spoiled_hub_does_not(new_hub: NewHub, tmp_path: Path, sabotage: str) -> None:
    hub = new_hub(sabotage=f"tests.durability.sabotage:{sabotage}", **TIMINGS)
    with pytest.raises(AssertionError, match=SEEN) as failed:
        await kill_often(hub, tmp_path / "dead", seed=sabotage, kills=4)
    say(str(failed.value)[:1000])
