"""From an empty directory to a running hub with traffic, and back."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import taskhub

from demo.errors import DemoFailed
from demo.hub import HOST, Hub, hub_running, only_one, port_choose
from demo.prepare import LOGIN, Prepared, prepare
from demo.services import Services, publish
from demo.view import View

#: Seconds for the hub's exit to be seen after its connections have broken.
_SECONDS_TO_SEE_WHY = 3.0


async def demonstrate(
    *, view: View, data_dir: Path, port: int | None, seconds: float | None, pace: float
) -> None:
    """Everything, until cancelled or for this long. Raises DemoFailed."""
    with only_one(data_dir):
        view.say(f"Preparing the demo in {data_dir} …")
        prepared = await prepare(data_dir)
        log = data_dir / "hub.log"
        async with hub_running(
            environment=prepared.environment, port=port_choose(port), log=log
        ) as hub:
            view.say(
                f"\n  Dashboard  http://{HOST}:{hub.port}/"
                f"\n  Admin      http://{HOST}:{hub.port}/admin/"
                f"\n  Login      {LOGIN}"
                f"\n  Password   {prepared.password}"
                f"\n  Hub log    {log}"
                "\n  Stop       Ctrl-C\n"
            )
            await traffic(view, hub, prepared, seconds, pace)


async def traffic(
    view: View, hub: Hub, prepared: Prepared, seconds: float | None, pace: float
) -> None:
    """Services at work and a shop that publishes, until cancelled or for this long.

    Raises DemoFailed.
    """
    death = asyncio.create_task(hub.died())
    actors = asyncio.create_task(_act(view, hub.port, prepared, pace))
    both = {death, actors}
    try:
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if actors.done() and not death.done():
            await asyncio.wait({death}, timeout=_SECONDS_TO_SEE_WHY)
    finally:
        for task in both:
            task.cancel()
        ends = await asyncio.gather(death, actors, return_exceptions=True)
    # The hub's death comes first: it explains what happened to the actors.
    for end in ends:
        if isinstance(end, DemoFailed):
            raise end
        if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
            raise DemoFailed(f"The demo broke: {_first(end)}") from end


async def _act(view: View, port: int, prepared: Prepared, pace: float) -> None:
    """All clients on their connections; the first that breaks ends all."""
    url = f"ws://{HOST}:{port}/"
    clients = {name: taskhub.Client(url, name=name, key=key) for name, key in prepared.keys.items()}
    services = Services(pace=pace)
    services.mailer(clients["mailer"])
    services.reporter(clients["reporter"])
    services.cashier(clients["cashier"])
    async with AsyncExitStack() as stack:
        # The observer is there before anything happens, and leaves last.
        for name in ("observer", "mailer", "reporter", "cashier", "shop"):
            await stack.enter_async_context(clients[name])
        events = await clients["observer"].watch("*")
        stack.enter_context(view)
        async with asyncio.TaskGroup() as group:
            group.create_task(view.follow(events))
            for name in ("mailer", "reporter", "cashier"):
                group.create_task(clients[name].serve(handle_signals=False))
            group.create_task(publish(clients["shop"], pace=pace))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
