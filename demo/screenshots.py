"""Takes the pictures of the dashboard that the README shows (`python -m demo.screenshots`).

They are of the demo at work, after a made-up day (`manage.py seed`), so that the charts have an
hour to show. What is drawn is the same each time; figures and times are those of the moment.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from demo.errors import DemoFailed
from demo.hub import HOST, hub_running, only_one, port_choose
from demo.play import traffic
from demo.prepare import LOGIN, ROOT, manage, prepare
from demo.view import NoView

_SCHEMES: Final = ("light", "dark")
_WIDTH: Final = 1280
_HEIGHT: Final = 800
#: made-up tasks of one day: about as many a minute as the demo's
_TASKS: Final = 60_000
_STILL_BEGIN_S: Final = 3.0
#: Seconds between tasks: what is on the page can be read before it moves on.
_PACE: Final = 0.6
_LONGEST_MS: Final = 60_000
#: Live, drawn, the newest tasks all the demo's, and one of them well on its way.
_READY: Final = """() => {
  const rows = [...document.querySelectorAll("#newest tr")];
  // Ids of made-up tasks have hyphens.
  const fresh = (row) => !row.querySelector(".id").title.includes("-");
  return document.getElementById("live-pill").textContent === "Live"
    && document.querySelectorAll(".chart canvas").length === 2
    && rows.length === 10
    && rows.every(fresh)
    && rows.some((row) => row.querySelector(".bad"))
    && [...document.querySelectorAll("#newest progress")].some((bar) => bar.value / bar.max >= 0.4);
}"""


async def picture(directory: Path) -> list[Path]:
    """Run the demo and write the pictures; where they are. Raises DemoFailed."""
    with tempfile.TemporaryDirectory(prefix="taskhub-") as made, only_one(Path(made) / "demo"):
        data_dir = Path(made) / "demo"
        prepared = await prepare(data_dir)
        await _begin_of_a_minute()
        await manage(prepared.environment, "seed", "--tasks", str(_TASKS), "--days", "1")
        async with hub_running(
            environment=prepared.environment, port=port_choose(0), log=data_dir / "hub.log"
        ) as hub:
            acting = asyncio.create_task(traffic(NoView(), hub, prepared, None, _PACE))
            looking = asyncio.create_task(
                _look(f"http://{HOST}:{hub.port}/", prepared.password, directory)
            )
            try:
                await asyncio.wait({acting, looking}, return_when=asyncio.FIRST_COMPLETED)
                if acting.done():
                    await acting
                return await looking
            finally:
                acting.cancel()
                looking.cancel()
                await asyncio.gather(acting, looking, return_exceptions=True)


async def _begin_of_a_minute() -> None:
    # The hub starts when the made-up day is over. Were the minute over before it works, that
    # minute would look like an outage.
    into = time.time() % 60
    if into > _STILL_BEGIN_S:
        await asyncio.sleep(60 - into)


async def _look(url: str, password: str, directory: Path) -> list[Path]:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise DemoFailed("The pictures are taken with a browser: install Debian's chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        try:
            page = await _signed_in(browser, url, password)
            await page.wait_for_function(_READY, timeout=_LONGEST_MS)
            return [await _taken(page, scheme, directory) for scheme in _SCHEMES]
        finally:
            await browser.close()


async def _signed_in(browser: Browser, url: str, password: str) -> Page:
    page = await browser.new_page(
        viewport={"width": _WIDTH, "height": _HEIGHT},
        locale="en",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    await page.goto(url)
    await page.fill("[name=username]", LOGIN)
    await page.fill("[name=password]", password)
    await page.click("main button[type=submit]")
    await page.wait_for_selector("#live-pill")
    return page


async def _taken(page: Page, scheme: str, directory: Path) -> Path:
    path = directory / f"dashboard-{scheme}.png"
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.screenshot(path=path, full_page=True, caret="hide")
    return path


def main() -> int:
    """Take them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.screenshots", description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs", help="where they go (docs/)")
    try:
        for path in asyncio.run(picture(parser.parse_args().to)):
            sys.stdout.write(f"{os.path.relpath(path)}  {path.stat().st_size // 1024} KiB\n")
    except DemoFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
