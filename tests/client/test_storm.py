"""No publish twice, no outcome lost, no handle left waiting, whichever of the three dies.

`STORM_TASKS=10000 STORM_KILLS=5 pytest tests/client/test_storm.py --timeout 1800` is the long run.
"""

import logging
import os
import random

import pytest

from tests.client.conftest import NewHub
from tests.client.storm import TIMINGS, storm

log = logging.getLogger(__name__)

TASKS = int(os.environ.get("STORM_TASKS", "300"))
KILLS = int(os.environ.get("STORM_KILLS", "2"))


async def test_each_task_once_and_each_outcome_recorded(new_hub: NewHub) -> None:
    seed = os.environ.get("STORM_SEED", str(random.randrange(10**6)))
    log.info("STORM_SEED=%s", seed)
    story = await storm(new_hub(**TIMINGS), tasks=TASKS, kills=KILLS, seed=seed)
    log.info(
        "%d tasks in %.1f s: %d connections cut, the hub killed %d times, %d commands sent again",
        *(TASKS, story.seconds, story.cuts, story.kills, story.sent_again),
    )
    assert len(story.told) == TASKS


async def test_a_hub_that_spoils_results_is_found_out(new_hub: NewHub) -> None:
    hub = new_hub(sabotage="tests.client.sabotage:spoil_results", **TIMINGS)
    with pytest.raises(AssertionError, match=r"told .*spoiled.*, handled"):
        await storm(hub, tasks=100, kills=0, seed="1")
