"""What a browser test needs: pages that tell what went wrong in them, and traffic to look at."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

import taskhub
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    WebSocket,
    WebSocketRoute,
)

from tests.hub_process import HubProcess

TIMEOUT_S: Final = 10.0

#: Notes when an element's text first matches, by the clock of this machine (ms).
SEEN: Final = """([selector, text]) => new Promise((resolve) => {
  const look = () => {
    for (const found of document.querySelectorAll(selector)) {
      if (!found.textContent.includes(text)) continue;
      watch.disconnect();
      resolve(performance.timeOrigin + performance.now());
      return true;
    }
    return false;
  };
  const watch = new MutationObserver(look);
  watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
  look();
})"""


class Stage:
    """A hub with a publisher and a service, and browsers that look at it."""

    def __init__(self, hub: HubProcess, chromium: Browser) -> None:
        self.hub = hub
        self.http = f"http://127.0.0.1:{hub.port}"
        self.publisher = taskhub.Client(hub.url, name="web", key=hub.keys["web"])
        self.service = taskhub.Client(hub.url, name="a", key=hub.keys["a"])
        #: what went wrong in the pages, beside what a test expects
        self.errors: list[str] = []
        #: parts of messages that a test brings about itself
        self.expected = ["Canvas2D: Multiple readback operations"]
        #: tasks that wait for ``release``
        self._gates: dict[str, asyncio.Event] = {}
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        self._chromium = chromium
        self._contexts: list[BrowserContext] = []
        self.service.sub("browser/task:work", concurrency=50, auto_cancel=True)(self._work)
        self.service.sub("browser/task:quick", concurrency=50)(self._quick)

    async def _work(self, job: taskhub.Job) -> Any:
        """Reports what it is told to, then waits to be released."""
        gate = self._gates.setdefault(job.task_id, asyncio.Event())
        payload = await job.get_payload()
        if isinstance(payload, dict) and "update" in payload:
            await job.update(payload["update"])
        try:
            await gate.wait()
        except asyncio.CancelledError:
            self.cancelled.put_nowait(job.task_id)
            raise
        return payload

    async def _quick(self, job: taskhub.Job) -> Any:
        return await job.get_payload()

    async def __aenter__(self) -> Self:
        await self.service.__aenter__()
        await self.publisher.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for gate in self._gates.values():
            gate.set()
        for context in self._contexts:
            await context.close()
        await self.publisher.__aexit__(None, None, None)
        await self.service.__aexit__(None, None, None)
        unexpected = [
            line for line in self.errors if not any(part in line for part in self.expected)
        ]
        assert unexpected == [] or error is not None, unexpected

    # Traffic

    async def publish(self, payload: Any = None, action: str = "browser/task:work") -> taskhub.Task:
        """A task that its service is at work on, once this returns."""
        task = self.publisher.pub(action, payload, end_timeout=100)
        if action.endswith(":work"):
            await reached(task, "start")
        return task

    async def done(self, payload: Any = None) -> taskhub.Task:
        """A task that has ended."""
        task = await self.publish(payload, "browser/task:quick")
        await task.ended()
        return task

    def release(self, task: taskhub.Task) -> None:
        """Let the service finish with it."""
        self._gates.setdefault(task.task_id, asyncio.Event()).set()

    @contextlib.asynccontextmanager
    async def traffic(self, tasks_a_second: float) -> AsyncIterator[Callable[[], int]]:
        """Tasks of four events each, until left; gives how many there were."""
        count = 0

        async def publish() -> None:
            nonlocal count
            loop = asyncio.get_running_loop()
            began = loop.time()
            while True:
                count += 1
                task = self.publisher.pub("browser/task:quick", {"number": count})
                await asyncio.sleep(max(0.0, began + count / tasks_a_second - loop.time()))
                if count % 50 == 0:
                    await task.ended()

        publishing = asyncio.ensure_future(publish())
        try:
            yield lambda: count
            assert not publishing.done(), publishing
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    async def withdraw(self, user: str) -> None:
        """Take all permissions from a user, behind the back of everyone who looks."""
        of_user = "user_id = (SELECT id FROM auth_user WHERE username = ?)"
        database = self.hub.directory / "taskhub.sqlite3"
        with contextlib.closing(sqlite3.connect(database, timeout=TIMEOUT_S)) as connection:
            connection.execute(f"DELETE FROM auth_user_user_permissions WHERE {of_user}", [user])
            connection.commit()

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    # Pages

    async def context(self, user: str | None = "operator", **options: Any) -> BrowserContext:
        """A browser of its own, signed in."""
        context = await self._chromium.new_context(**options)
        context.set_default_timeout(TIMEOUT_S * 1000)
        self._contexts.append(context)
        if user is not None:
            cookie = {"name": "sessionid", "value": self.hub.keys[user], "url": self.http}
            await context.add_cookies([cookie])  # type: ignore[list-item]
        return context

    async def page(
        self,
        path: str,
        user: str | None = "operator",
        *,
        live: bool = True,
        refused: bool = False,
        routes: Mapping[str, Callable[[WebSocketRoute], Any]] | None = None,
        sent: list[str] | None = None,
        got: list[str] | None = None,
        **options: Any,
    ) -> Page:
        """One page; ``live``: wait until it is. ``sent`` and ``got`` fill with its frames."""
        page = await (await self.context(user, **options)).new_page()
        self.listen(page)
        for pattern, handler in (routes or {}).items():
            await page.route_web_socket(pattern, handler)

        def note(frames: list[str] | None) -> Callable[[str | bytes], None]:
            return lambda frame: None if frames is None else frames.append(str(frame))

        def opened(socket: WebSocket) -> None:
            socket.on("framesent", note(sent))
            socket.on("framereceived", note(got))

        page.on("websocket", opened)
        answer = await page.goto(self.http + path)
        assert answer is not None
        assert answer.ok or refused, f"{path}: {answer.status}"
        if live:
            await pill(page, "Live")
        return page

    def listen(self, page: Page) -> None:
        """Whatever the page complains of fails the test."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"{error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.text} ({message.location.get('url')})")


async def text_of(page: Page, selector: str) -> str:
    """What an element shows."""
    return await page.locator(selector).first.inner_text()


async def reached(task: taskhub.Task, kind: str) -> taskhub.Event:
    """The task's first event of this kind."""
    async with asyncio.timeout(TIMEOUT_S):
        async for event in task:
            if event.kind == kind:
                return event
    raise AssertionError(f"the task ended without {kind}")


async def pill(page: Page, word: str) -> None:
    """Wait until the pill says so."""
    await page.wait_for_function(
        "word => document.getElementById('live-pill')?.textContent === word", arg=word
    )


def seen(page: Page, selector: str, text: str) -> "asyncio.Task[float]":
    """When the page first shows this text there: milliseconds since the epoch."""
    looking = page.evaluate(SEEN, [selector, text])
    return asyncio.ensure_future(asyncio.wait_for(looking, 2 * TIMEOUT_S))
