"""From a thread to the hub's loop and back."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from hub.core.errors import Code, Rejection

GOING_AWAY = "The hub is restarting; send this again in a moment, with the same ids."

T = TypeVar("T")


def cross(
    loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float
) -> T:
    """Have the loop do this and wait for it. Raises Rejection (unavailable) and what it raises."""
    if _on_a_loop():
        raise RuntimeError("This blocks, and would block the loop it waits for: call it by thread.")
    coroutine = work()
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:  # the loop is closed
        coroutine.close()
        raise Rejection(Code.UNAVAILABLE, GOING_AWAY) from None
    try:
        return future.result(timeout_s)
    except (TimeoutError, CancelledError):
        future.cancel()
        raise Rejection(Code.UNAVAILABLE, GOING_AWAY) from None


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
