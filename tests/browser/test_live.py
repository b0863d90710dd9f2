"""The live module in a browser: what is seen, how soon, and what happens when something fails."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute

from tests.browser.stage import Stage, pill, reached, seen, text_of

#: From an event's own time to the page that shows it.
SOON_MS = 1_000
LIVE = "**/live/**"


def row(task_id: str) -> str:
    """The row of a task in a list."""
    return f"tr:has(a[href*='{task_id}'])"


async def test_events_are_seen_within_a_second(stage: Stage) -> None:
    task = await stage.publish({"update": {"done": 1, "total": 4}})
    page = await stage.page("/tasks/")
    waiting = seen(page, row(task.task_id), "succeeded")
    stage.release(task)
    success = await reached(task, "success")
    assert await waiting - success.at < SOON_MS


async def test_new_tasks_are_counted_and_no_row_jumps(stage: Stage) -> None:
    await stage.done()
    page = await stage.page("/tasks/")
    rows = await page.locator("#tasks tr").all_inner_texts()
    waiting = seen(page, "#new-tasks", "1 new task")
    task = await stage.publish()
    init = await reached(task, "init")
    assert await waiting - init.at < SOON_MS
    assert len(await page.locator("#tasks tr").all()) == len(rows)
    await page.click("#new-tasks a")
    await page.wait_for_selector(row(task.task_id))


async def test_it_heals_after_the_hub_was_killed(own_stage: Stage) -> None:
    stage = own_stage
    stage.expected += ["WebSocket connection to", "net::ERR", "Failed to load resource"]
    task = await stage.publish()
    page = await stage.page("/tasks/")
    await page.evaluate("window.sameDocument = true")
    stage.hub.kill()
    await pill(page, "Offline")
    waiting = seen(page, row(task.task_id), "succeeded")
    await asyncio.to_thread(stage.hub.start)
    stage.release(task)
    await waiting
    await pill(page, "Live")
    assert await page.evaluate("window.sameDocument"), "it was not loaded again"


async def test_a_stopped_hub_is_come_back_to(own_stage: Stage) -> None:
    stage = own_stage
    stage.expected += ["WebSocket connection to", "net::ERR", "Failed to load resource"]
    page = await stage.page("/tasks/")
    assert await asyncio.to_thread(stage.hub.terminate) == 0
    await pill(page, "Offline")
    await asyncio.to_thread(stage.hub.start)
    await pill(page, "Live")
    closed = [line for line in stage.hub.log_since(0).splitlines() if "live_closed" in line]
    assert (json.loads(closed[0])["code"], json.loads(closed[0])["by"]) == (1012, "hub")


async def test_a_lost_message_is_noticed_and_everything_asked_for(stage: Stage) -> None:
    said: list[str] = []
    drop = False
    dropped = 0

    def between(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()

        def from_server(message: str | bytes) -> None:
            nonlocal drop, dropped
            if drop:
                drop, dropped = False, dropped + 1
            else:
                browser.send(message)

        def from_browser(message: str | bytes) -> None:
            said.append(str(message))
            server.send(message)

        server.on_message(from_server)
        browser.on_message(from_browser)

    first, second = await stage.publish(), await stage.publish()
    page = await stage.page("/tasks/", routes={LIVE: between})
    drop = True
    stage.release(first)
    await first.ended()
    await stage.until(lambda: dropped == 1)
    assert "succeeded" not in await text_of(page, row(first.task_id))
    waiting = seen(page, row(first.task_id), "succeeded")
    stage.release(second)
    await waiting
    await seen(page, row(second.task_id), "succeeded")
    assert [json.loads(word) for word in said] == [{"refresh": True}]


async def test_without_a_websocket_the_page_is_fetched_again(stage: Stage) -> None:
    async def refuse(browser: WebSocketRoute) -> None:
        await browser.close()

    task = await stage.publish()
    page = await stage.page("/tasks/", live=False, routes={LIVE: refuse})
    await pill(page, "Polling")
    waiting = seen(page, row(task.task_id), "succeeded")
    stage.release(task)
    success = await reached(task, "success")
    assert await waiting - success.at < 7_000


async def test_cancel_reaches_the_handler_that_runs(stage: Stage) -> None:
    task = await stage.publish()
    page = await stage.page(f"/tasks/{task.task_id}/")
    await page.click("a[data-dialog='cancel-dialog']")
    await pill(page, "Paused")
    await page.fill("#cancel-dialog [name=reason]", "not <b>wanted</b>")
    await page.click("#cancel-dialog button.danger")
    async with asyncio.timeout(10):
        assert await stage.cancelled.get() == task.task_id
    fail = await reached(task, "fail")
    assert "operator" in fail.value["message"]
    await seen(page, "#page", "not <b>wanted</b>")
    # A socket that is closed while it opens would be complained of.
    await pill(page, "Live")


SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>&amp;\u2028</td>"


async def test_contents_are_text_and_nothing_else(stage: Stage) -> None:
    task = await stage.publish({SCRIPT: [SCRIPT], "update": SCRIPT})
    page = await stage.page(f"/tasks/{task.task_id}/")
    text = await page.inner_text("#page")
    assert "<script>window.hacked" in text
    waiting = seen(page, "#events", "success")
    stage.release(task)
    success = await reached(task, "success")
    assert await waiting - success.at < SOON_MS
    await seen(page, "#page", "<img src=x onerror=")
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("#page img, #page script").count() == 0


async def test_events_come_in_their_order_at_the_end_of_the_table(stage: Stage) -> None:
    task = await stage.publish({"update": {"done": 1, "total": 2}})
    page = await stage.page(f"/tasks/{task.task_id}/")
    waiting = seen(page, "#events", "end")
    stage.release(task)
    await waiting
    names = await page.locator("#events tr").evaluate_all("rows => rows.map(row => row.id)")
    assert names == [f"event-{seq}" for seq in range(1, 6)]


HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


async def _hidden(page: Page) -> None:
    await page.evaluate(HIDE, True)


async def _shown(page: Page) -> None:
    await page.evaluate(HIDE, False)


async def _click_pill(page: Page) -> None:
    await page.click("#live-pill")


async def _ask_for_keys(page: Page) -> None:
    await page.keyboard.press("?")
    assert await page.locator("#keys-help").is_visible()


async def _escape(page: Page) -> None:
    await page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("begin", "end", "word"),
    [
        (_hidden, _shown, "Live"),
        (_click_pill, _click_pill, "Paused"),
        (_ask_for_keys, _escape, "Paused"),
    ],
    ids=["hidden", "by hand", "dialog"],
)
async def test_nothing_moves_while_it_is_paused(
    stage: Stage, begin: Any, end: Any, word: str
) -> None:
    task, sent, got = await stage.publish(), list[str](), list[str]()
    page = await stage.page("/tasks/", sent=sent, got=got)
    await begin(page)
    await pill(page, word)
    await stage.until(lambda: '{"pause":true}' in sent)
    before = len(got)
    stage.release(task)
    await task.ended()
    await asyncio.sleep(0.6)  # two batches would have come by now
    assert len(got) == before
    assert "succeeded" not in await text_of(page, row(task.task_id))
    waiting = seen(page, row(task.task_id), "succeeded")
    await end(page)
    await waiting
    await pill(page, "Live")


async def test_who_may_not_look_any_more_is_told(stage: Stage) -> None:
    page = await stage.page("/tasks/", "leaver")
    await stage.withdraw("leaver")
    await pill(page, "Offline")
    assert "signed out" in (await page.get_attribute("#live-pill", "title") or "")


async def test_times_are_relative_with_the_absolute_one_at_hand(stage: Stage) -> None:
    task = await stage.publish()
    start = await reached(task, "start")
    page = await stage.page("/tasks/")
    time = page.locator(f"{row(task.task_id)} time[data-relative]").first
    assert await time.get_attribute("data-ms") == str(start.at)
    await page.wait_for_function(
        "time => /^[2-5] s ago$/.test(time.textContent)", arg=await time.element_handle()
    )
    title = await time.get_attribute("title") or ""
    assert title.endswith(" UTC")
    stage.release(task)
    await seen(page, row(task.task_id), "succeeded")
    assert (await time.inner_text()).endswith("s ago")
    assert await time.get_attribute("title") == title


async def test_keys_move_open_and_search(stage: Stage) -> None:
    first, second = await stage.done(), await stage.done()
    page = await stage.page("/tasks/")
    current = page.locator("tr.is-current")
    await page.keyboard.press("j")
    assert second.task_id in (await current.get_attribute("data-href") or "")
    await page.keyboard.press("j")
    assert first.task_id in (await current.get_attribute("data-href") or "")
    await page.keyboard.press("k")
    assert second.task_id in (await current.get_attribute("data-href") or "")
    assert await current.count() == 1
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "search"
    await page.keyboard.type("jk?/")
    assert await page.input_value("#search") == "jk?/"
    assert second.task_id in (await current.get_attribute("data-href") or "")


async def test_a_slash_leads_to_the_search_from_a_page_without_one(stage: Stage) -> None:
    page = await stage.page("/")
    await page.keyboard.press("/")
    await page.wait_for_url("**/tasks/#search")
    await page.wait_for_function("() => document.activeElement.id === 'search'")
