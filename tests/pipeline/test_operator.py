"""What a person does enters the same pipeline (§5.4)."""

import pytest

from hub.core.errors import Rejection
from tests.pipeline.conftest import World


async def test_an_operator_cancels_a_task_and_everyone_hears_who_did(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    world.pipeline.cancel("t", "ada", '"wrong customer"')
    await world.settle()
    for sink in (publisher, service):
        assert sink.events("t") == ["init", "fail", "end"]
        fail = sink.messages[-2]
        assert fail["by"] == "hub"
        assert fail["reason"] == {
            "code": "cancelled",
            "message": "Cancelled by operator ada.",
            "reason": "wrong customer",
        }
    with pytest.raises(Rejection, match="ended"):
        world.pipeline.cancel("t", "ada")


async def test_nothing_is_decided_once_the_hub_drains(world: World) -> None:
    publisher, service = world.connect("p"), world.connect("s")
    await world.send(service, cmd="sub", action="a")
    await world.publish(publisher, "t")
    await world.pipeline.freeze()
    await world.report(service, "t", "success", result=1)
    world.pipeline.disconnect("s")
    await world.advance(60_000)
    assert publisher.events("t") == ["init"]
    with pytest.raises(Rejection, match="restarting"):
        world.pipeline.cancel("t", "ada")
