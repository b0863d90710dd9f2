"""A process with a hub that publishes a task as a view would, and waits for its end."""

import asyncio
import sys
import threading

import django

django.setup()

from django.core.management import call_command  # noqa: E402  (models need the line above)

from hub import runtime as hub_runtime  # noqa: E402
from hub.core.access import access  # noqa: E402
from hub.services import NewTask, task_publish  # noqa: E402


def main() -> None:
    """Publish, wait for at most half a minute, tell what came of it."""
    if "migrate" in sys.argv:
        call_command("migrate", verbosity=0)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(hub_runtime.running(), loop).result()
    task = NewTask(action="mail:send", task_id="t-1", event_id="e-1", start_timeout=2_000)
    done = task_publish(access=access("web", pub=["mail"]), task=task, wait_s=30)
    asyncio.run_coroutine_threadsafe(hub_runtime.stop_running(), loop).result()
    print(f"repeated={done.repeated} ended={done.ended}")  # noqa: T201


if __name__ == "__main__":
    main()
