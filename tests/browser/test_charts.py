"""Charts are drawn from their tables, in the page's colours, and follow them."""

from typing import Any

from playwright.async_api import Page

from tests.browser.stage import Stage

#: How many pixels of a chart have been drawn on, and what they add up to in each colour.
PIXELS = """box => {
  const canvas = document.querySelectorAll('.chart canvas')[box];
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const sum = [0, 0, 0, 0];
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 0) continue;
    sum[3] += 1;
    for (let colour = 0; colour < 3; colour += 1) sum[colour] += data[at + colour];
  }
  return sum;
}"""


async def pixels(page: Page, box: int = 0) -> list[int]:
    drawn: list[int] = await page.evaluate(PIXELS, box)
    return drawn


async def drawn_anew(page: Page, before: list[int], box: int = 0) -> list[int]:
    """What is drawn once it is something else."""
    await page.wait_for_function(
        f"before => String(({PIXELS})({box})) !== String(before)", arg=before
    )
    return await pixels(page, box)


async def now_page(stage: Stage, **options: Any) -> Page:
    await stage.done()
    page = await stage.page("/", **options)
    await page.wait_for_function("() => document.querySelectorAll('.chart canvas').length === 2")
    await page.wait_for_function(f"() => ({PIXELS})(0)[3] > 0")
    return page


async def test_a_chart_stands_beside_its_table_and_hides_from_readers(stage: Stage) -> None:
    page = await now_page(stage)
    charts = page.locator(".chart")
    assert await charts.count() == 2
    for at in range(2):
        assert await charts.nth(at).get_attribute("aria-hidden") == "true"
        following = "chart => chart.nextElementSibling.querySelector('table').dataset.chart"
        assert await charts.nth(at).evaluate(following) == ["throughput", "latency"][at]
    assert "Finished" in await charts.first.inner_text()


async def test_it_follows_its_table_and_stays_the_same_canvas(stage: Stage) -> None:
    page = await now_page(stage)
    before = await pixels(page)
    await page.evaluate("""() => {
      window.canvas = document.querySelector('.chart canvas');
      const cells = document.querySelectorAll('#chart-throughput tbody td');
      cells.forEach((cell, at) => { cell.dataset.value = String(100 + at); });
      document.dispatchEvent(new CustomEvent('live:shown'));
    }""")
    await drawn_anew(page, before)
    assert await page.evaluate("window.canvas === document.querySelector('.chart canvas')")
    assert await page.locator(".chart canvas").count() == 2


async def test_a_change_of_the_table_by_the_server_is_drawn(stage: Stage) -> None:
    page = await now_page(stage)
    before = await pixels(page)
    async with stage.traffic(50):
        await drawn_anew(page, before)


async def test_light_and_dark_draw_in_their_own_colours(stage: Stage) -> None:
    page = await now_page(stage, color_scheme="light")
    light = await pixels(page, 1)
    await page.emulate_media(color_scheme="dark")
    dark = await drawn_anew(page, light, 1)
    assert dark[3] == light[3], "the same lines in other colours"
    await page.emulate_media(color_scheme="light")
    assert await drawn_anew(page, dark, 1) == light


async def test_it_is_as_wide_as_there_is_room(stage: Stage) -> None:
    page = await now_page(stage, viewport={"width": 1200, "height": 800})
    wide = await page.locator(".chart canvas").first.evaluate("canvas => canvas.clientWidth")
    await page.set_viewport_size({"width": 400, "height": 800})
    await page.wait_for_function(
        "wide => document.querySelector('.chart canvas').clientWidth < wide", arg=wide
    )
    await page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")


#: One line from the left edge to the last whole minute, and nothing but a point after it.
AFTER_LAST = """() => {
  const canvas = document.querySelector('.chart canvas');
  const rows = document.querySelectorAll('#chart-throughput tbody tr');
  rows.forEach((row, at) => row.querySelectorAll('td').forEach((cell) => {
    cell.dataset.value = at === rows.length - 1 ? '0' : '100';
  }));
  document.dispatchEvent(new CustomEvent('live:shown'));
  return new Promise((resolve) => requestAnimationFrame(() => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const isGreen = (at) => data[at + 3] > 200 && data[at + 1] > data[at] + 40;
    const high = [];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (isGreen(4 * (y * width + x)) && y > height * 0.2 && y < height * 0.7) high.push([x, y]);
      }
    }
    resolve(high);
  }));
}"""


async def test_the_minute_that_goes_on_is_no_fall(stage: Stage) -> None:
    page = await now_page(stage, color_scheme="light")
    assert await page.evaluate(AFTER_LAST) == []
    rows = page.locator("#chart-throughput tbody th")
    assert await rows.filter(has_text="so far").count() == 1
    assert "so far" in (await rows.last.text_content() or "")


async def test_times_are_the_readers_and_of_24_hours(stage: Stage) -> None:
    page = await now_page(stage, timezone_id="Asia/Kolkata", locale="en-US")
    time = page.locator("#chart-throughput tbody time").last
    at = int(await time.get_attribute("data-ms") or 0)
    hours, minutes = divmod((at // 60_000 + 330) % 1_440, 60)
    written = f"{hours:02}:{minutes:02}"
    assert await time.text_content() == written
    title = await time.get_attribute("title") or ""
    assert f" {written}:00 (" in title
    assert title.endswith(" UTC)")
