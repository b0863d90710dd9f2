"""Each page in each way of looking at it: whole, accessible, and without a word on the console.

Screenshots are written to ``.run/screenshots``, for people to look at.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.stage import Stage, pill

SCREENSHOTS: Final = Path(__file__).resolve().parents[2] / ".run" / "screenshots"

#: Name → path; {running}, {failed} and {odd} are tasks, {connection} is one.
PAGES: Final = {
    "now": "/",
    "tasks": "/tasks/",
    "tasks-failed": "/tasks/?state=failed&range=1h",
    "tasks-none": "/tasks/?q=action:nothing:here",
    "tasks-wrong": "/tasks/?q=state:what since:never",
    "task-running": "/tasks/{running}/",
    "task-failed": "/tasks/{failed}/",
    "task-odd": "/tasks/{odd}/",
    "cancel": "/tasks/{running}/cancel/",
    "again": "/tasks/{failed}/again/",
    "actions": "/actions/",
    "action": "/actions/browser/task:work/",
    "connections": "/connections/",
    "disconnect": "/connections/{connection}/disconnect/",
}
NOT_LIVE: Final = {"cancel", "again", "disconnect"}
WAYS: Final[dict[str, dict[str, Any]]] = {
    "light-wide": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark-wide": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "light-narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
    "dark-narrow": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
}
#: What axe judges by.
WCAG: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
#: A whole page takes long to draw on a busy machine.
SLOW_MS: Final = 30_000
MARKUP: Final = "<script>window.hacked = 1</script><b>bold</b>"


@pytest_asyncio.fixture(loop_scope="session")
async def names(stage: Stage) -> dict[str, str]:
    """Something to look at: tasks that run, that failed, and one of odd contents."""
    running = await stage.publish({"update": {"done": 3, "total": 8}, "to": "ada@example.org"})
    failed = await stage.publish({"to": "nobody"})
    await failed.cancel("declined")
    await failed.ended()
    odd = await stage.done({MARKUP: [MARKUP, "é\u2028\u202e", "x" * 50_000, {"deep": [[[1]]]}]})
    found = {"running": running.task_id, "failed": failed.task_id, "odd": odd.task_id}
    page = await stage.page("/connections/")
    links = page.locator("a[href^='/connections/'][href$='/disconnect/']")
    found["connection"] = (await links.first.get_attribute("href") or "").split("/")[2]
    await page.context.close()
    return found


async def judged(page: Page) -> list[str]:
    """What axe finds, a line each."""
    result = await Axe().run(page, options=WCAG)
    return [
        f"{one['id']}: {one['help']} ({node['html'][:200]})"
        for one in result.response["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("way", WAYS)
async def test_each_page_is_whole_and_accessible(
    stage: Stage, names: dict[str, str], way: str
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = await stage.context("operator", **WAYS[way])
    page = await context.new_page()
    stage.listen(page)
    wrong: list[str] = []
    for name, path in PAGES.items():
        answer = await page.goto(stage.http + path.format(**names))
        assert answer is not None
        assert answer.status == 200, name
        if name not in NOT_LIVE:
            await pill(page, "Live")
        if name == "now":
            await page.wait_for_selector(".chart canvas", state="attached")
        await page.screenshot(
            path=SCREENSHOTS / f"{name}-{way}.png", full_page=True, timeout=SLOW_MS
        )
        wrong += [f"{name}: {found}" for found in await judged(page)]
        wrong += [f"{name}: wider than the page: {found}" for found in await page.evaluate(WIDE)]
        assert await page.evaluate("window.hacked") is None, name
    assert not wrong, "\n".join(wrong)


#: What is wider than the page.
WIDE: Final = """document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => `${one.tagName}.${one.className}#${one.id}`).slice(0, 5)"""


async def test_each_page_says_the_same_without_javascript(
    stage: Stage, names: dict[str, str]
) -> None:
    context = await stage.context("operator", java_script_enabled=False)
    page = await context.new_page()
    for name, path in PAGES.items():
        answer = await page.goto(stage.http + path.format(**names))
        assert answer is not None
        assert answer.status == 200, name
        await page.screenshot(
            path=SCREENSHOTS / f"{name}-plain.png", full_page=True, timeout=SLOW_MS
        )
        assert await page.locator("#live-pill").is_hidden()
        assert len(await page.inner_text("main")) > 20, name
    await page.goto(f"{stage.http}/tasks/{names['odd']}/")
    assert MARKUP in await page.inner_text("main")
    # An absolute time where scripts would make it relative.
    await page.goto(f"{stage.http}/tasks/")
    text = await page.locator("time[data-relative]").first.inner_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text)


async def test_cancel_works_without_javascript(stage: Stage) -> None:
    task = await stage.publish()
    context = await stage.context("operator", java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{stage.http}/tasks/{task.task_id}/")
    await page.click("a.danger")
    assert page.url.endswith("/cancel/")
    await page.click("main button.danger")
    assert "The task is cancelled." in await page.inner_text("main")
    await task.ended()


async def test_a_reader_sees_no_buttons_and_no_payload(stage: Stage, names: dict[str, str]) -> None:
    page = await stage.page(f"/tasks/{names['running']}/", "reader")
    assert "ada@example.org" not in await page.content()
    assert await page.locator("main form, main a.danger, main button").count() == 0
    assert await page.locator("nav a[href='/connections/']").count() == 0
    await page.screenshot(path=SCREENSHOTS / "task-reader.png", full_page=True, timeout=SLOW_MS)
    assert await judged(page) == []
    for name in ("cancel", "again", "connections", "disconnect"):
        answer = await page.request.get(stage.http + PAGES[name].format(**names), max_redirects=0)
        assert answer.status in {302, 403, 404}, name
    for name in ("now", "tasks", "actions"):
        await page.goto(stage.http + PAGES[name])
        await pill(page, "Live")


@pytest.mark.parametrize("user", [None, "nobody"])
async def test_who_may_see_nothing_is_asked_to_sign_in(
    stage: Stage, names: dict[str, str], user: str | None
) -> None:
    stage.expected.append("Failed to load resource")
    page = await stage.page("/tasks/", user, live=False, refused=user is not None)
    for path in PAGES.values():
        answer = await page.request.get(stage.http + path.format(**names), max_redirects=0)
        assert answer.status in ({302} if user is None else {302, 403}), path
        assert names["running"] not in await answer.text()


async def test_signing_in_leads_to_the_page_that_was_asked_for(stage: Stage) -> None:
    page = await stage.page("/tasks/?state=failed", None, live=False)
    assert "/accounts/login/" in page.url
    await page.screenshot(path=SCREENSHOTS / "login.png")
    assert await judged(page) == []
    await page.fill("[name=username]", "admin")
    await page.fill("[name=password]", "wrong")
    await page.click("main button[type=submit]")
    assert await page.locator("[role=alert]").is_visible()
    await page.fill("[name=username]", "admin")
    await page.fill("[name=password]", "secret")
    await page.click("main button[type=submit]")
    await pill(page, "Live")
    assert page.url.endswith("/tasks/?state=failed")
    await page.click("text=Sign out")
    await page.wait_for_url("**/accounts/login/")
