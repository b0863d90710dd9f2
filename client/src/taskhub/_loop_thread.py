"""An event loop on a thread of its own, for those who have none."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from taskhub._errors import ConnectionLost

T = TypeVar("T")


class LoopThread:
    """An event loop on a thread of its own, and calls into it that block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="taskhub", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine over there and wait for it; Ctrl-C cancels it."""
        refuse_in_a_loop()
        return self.call_anywhere(work)

    def call_anywhere(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The same where a loop runs, too: for what takes no time."""
        if self._loop.is_closed():
            raise ConnectionLost("The client was closed.")
        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The items of an async iterator, one call each."""

        async def following() -> T:
            return await anext(items)

        while True:
            try:
                item = self.call(following)
            except StopAsyncIteration:
                return
            yield item

    def tell(self, what: Callable[[], None]) -> None:
        """Have something done over there, and do not wait."""
        self._loop.call_soon_threadsafe(what)

    def stop(self) -> None:
        """End the loop and its thread."""
        self.tell(self._loop.stop)
        self._thread.join()


def refuse_in_a_loop() -> None:
    """Raises RuntimeError where an event loop runs, which a call that blocks would stop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "taskhub.sync blocks, and here an event loop is running, which it would stop: "
        "use taskhub.Client and await."
    )
