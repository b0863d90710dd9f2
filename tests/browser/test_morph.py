"""What a patch does to the page, and what it leaves alone."""

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.stage import Stage

#: Puts ``before`` into the page, patches the element ``it`` with ``after``; what is there then.
PATCH = """async ([before, prepare, after]) => {
  const { patch } = await import('/static/dashboard/morph.js');
  const page = document.getElementById('page');
  page.innerHTML = before;
  const marked = document.querySelector('.marked');
  if (prepare === 'focus') marked.focus();
  else if (prepare === 'type') marked.value = 'typed';
  else if (prepare === 'open') marked.open = true;
  else if (prepare === 'keep') {
    const ours = document.createElement('i');
    ours.dataset.keep = '';
    marked.before(ours);
  }
  for (const html of after) patch('it', html);
  const still = document.querySelector('.marked');
  return {
    html: page.innerHTML,
    same: marked === still,
    focused: marked !== null && document.activeElement === marked,
    value: still?.value,
    open: still?.open,
  };
}"""


async def patched(page: Page, before: str, *after: str, prepare: str = "") -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate(PATCH, [before, prepare, list(after)])
    return found


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        ("<p id='it'>1</p>", ["<p id='it'>2</p>"], '<p id="it">2</p>'),
        ("<p id='it' class='a' lang='x'>1</p>", ["<p id='it' class='b'>1</p>"], None),
        ("<p id='it'>1</p><p>2</p>", [""], "<p>2</p>"),
        ("<p>2</p>", [""], "<p>2</p>"),
        ("<p>2</p>", ["<p id='it'>1</p>"], "<p>2</p>"),
        ("<p id='it'>1</p>", ["<div id='it'>1</div>"], '<div id="it">1</div>'),
        (
            "<ul id='l'><li>1</li></ul>",
            ["<li id='it' data-into='l'>2</li>"],
            '<ul id="l"><li>1</li><li id="it" data-into="l">2</li></ul>',
        ),
        (
            "<ul id='l'><li>1</li></ul>",
            ["<li id='it' data-into='l' data-at-start>2</li>"],
            '<ul id="l"><li id="it" data-into="l" data-at-start="">2</li><li>1</li></ul>',
        ),
        (
            "<ul id='it'><li id='a'>a<li id='b'>b<li id='c'>c</ul>",
            ["<ul id='it'><li id='d'>d<li id='c'>c<li id='a'>A</ul>"],
            '<ul id="it"><li id="d">d</li><li id="c">c</li><li id="a">A</li></ul>',
        ),
        (
            "<table><tbody><tr id='it'><td>1</td></tr></tbody></table>",
            ["<tr id='it'><td>2</td><td>3</td></tr>"],
            '<table><tbody><tr id="it"><td>2</td><td>3</td></tr></tbody></table>',
        ),
        (
            "<p id='it'>a<b>b</b>c</p>",
            ["<p id='it'><!-- x --><b>B</b><i>i</i></p>", "<p id='it'>z</p>"],
            '<p id="it">z</p>',
        ),
        ("<p id='it'>1</p>", ["no element"], '<p id="it">1</p>'),
    ],
)
async def test_the_element_becomes_what_the_server_says(
    stage: Stage, before: str, after: list[str], result: str | None
) -> None:
    page = await stage.page("/tasks/")
    found = (await patched(page, before, *after))["html"]
    assert found == (result or '<p id="it" class="b">1</p>')


async def test_the_elements_that_stay_are_the_same(stage: Stage) -> None:
    page = await stage.page("/tasks/")
    lists = [f"<tbody id='it'>{rows}</tbody>" for rows in ("{0}{1}", "{2}{1}", "{2}{0}{1}{3}")]
    rows = [f"<tr id='r{n}'><td><a href='/' {{}}>{n}</a></td></tr>" for n in range(4)]
    rows = [row.format("class='marked'" if n == 1 else "") for n, row in enumerate(rows)]
    before, *after = [one.format(*rows) for one in lists]
    found = await patched(page, f"<table>{before}</table>", *after, prepare="focus")
    assert found["same"]
    assert found["focused"]


@pytest.mark.parametrize(
    ("prepare", "marked"),
    [
        ("focus", "<input class='marked'>"),
        ("type", "<input class='marked' value='old'>"),
        ("type", "<textarea class='marked'>old</textarea>"),
        ("open", "<details class='marked'><summary>s</summary>d</details>"),
        ("keep", "<b class='marked'></b>"),
    ],
)
async def test_what_the_viewer_did_stays(stage: Stage, prepare: str, marked: str) -> None:
    page = await stage.page("/tasks/")
    before = f"<div id='it'><p>1</p>{marked}</div>"
    after = f"<div id='it'><p>2</p>{marked.replace('old', 'new')}</div>"
    found = await patched(page, before, after, prepare=prepare)
    assert "<p>2</p>" in found["html"]
    assert found["same"]
    assert {
        "focus": found["focused"],
        "type": found["value"] == "typed",
        "open": found["open"],
        "keep": 'data-keep=""' in found["html"],
    }[prepare]


async def test_the_marked_row_stays_marked(stage: Stage) -> None:
    page = await stage.page("/tasks/")
    before = "<table><tbody><tr id='it' class='is-current'><td>1</td></tr></tbody></table>"
    found = await patched(page, before, "<tr id='it' class='new'><td>2</td></tr>")
    assert '<tr id="it" class="new is-current"><td>2</td></tr>' in found["html"]


async def test_scripts_that_are_put_in_do_not_run(stage: Stage) -> None:
    page = await stage.page("/tasks/")
    await patched(
        page,
        "<p id='it'>1</p>",
        "<p id='it'><script>window.hacked = 1</script><script src='/static/x.js'></script></p>",
    )
    assert await page.evaluate("window.hacked") is None
