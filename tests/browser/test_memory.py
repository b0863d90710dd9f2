"""A tab that watches does not grow, whatever happens.

For longer, by hand: ``WATCH_S=300 pytest --log-cli-level=INFO`` with this file.
"""

import asyncio
import logging
import os

from playwright.async_api import CDPSession

from tests.browser.stage import Stage

#: 500 events a second.
TASKS_A_SECOND = 125
WATCH_S = float(os.environ.get("WATCH_S", "15"))
#: Until every part of the page has been drawn a few times.
WARM_UP_S = WATCH_S / 5
MOST_BYTES = 1_000_000
MOST_NODES = 1_000


async def _held(tab: CDPSession) -> dict[str, float]:
    """What the tab holds once everything that can go is gone."""
    for _ in range(3):
        await tab.send("HeapProfiler.collectGarbage")
    metrics = (await tab.send("Performance.getMetrics"))["metrics"]
    return {one["name"]: one["value"] for one in metrics}


async def test_a_tab_that_watches_does_not_grow(stage: Stage) -> None:
    await stage.done()
    got: list[str] = []
    page = await stage.page("/", got=got)
    await page.wait_for_selector(".uplot canvas", state="attached")
    tab = await page.context.new_cdp_session(page)
    await tab.send("Performance.enable")
    async with stage.traffic(TASKS_A_SECOND) as published:
        await asyncio.sleep(WARM_UP_S)
        before, batches, tasks = await _held(tab), len(got), published()
        await asyncio.sleep(WATCH_S - WARM_UP_S)
        after = await _held(tab)
    seconds, batches = WATCH_S - WARM_UP_S, len(got) - batches
    grown = {
        name: after[name] - before[name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners")
    }
    heap = [round(held["JSHeapUsedSize"] / 1e6, 2) for held in (before, after)]
    events = 4 * (published() - tasks) / seconds
    logging.getLogger(__name__).info("%.0f events/s, heap %s MB, %s", events, heap, grown)
    assert seconds <= batches <= 4 * seconds + 2
    assert grown["JSHeapUsedSize"] < MOST_BYTES
    assert grown["Nodes"] < MOST_NODES
    assert grown["JSEventListeners"] < 50
