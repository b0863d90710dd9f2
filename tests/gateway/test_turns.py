"""A few of each address at once, some more in line, nobody else held up."""

import asyncio

import pytest

from hub.gateway.turns import Crowded, Turns


async def test_the_next_in_line_takes_a_place_that_is_given_up() -> None:
    turns = Turns(1, waiting=5, patience_s=60)
    served: list[int] = []

    async def come(number: int) -> None:
        async with turns.of("a"):
            served.append(number)

    async with turns.of("a"):
        waiting = [asyncio.create_task(come(number)) for number in range(5)]
        await asyncio.sleep(0)
        async with turns.of("b"):
            assert served == []
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3, 4]
    assert not turns._lines


async def test_a_full_line_refuses_at_once() -> None:
    turns = Turns(1, waiting=0, patience_s=60)
    async with turns.of("a"):
        with pytest.raises(Crowded):
            async with turns.of("a"):
                pytest.fail("there is one place")


async def test_a_turn_that_does_not_come_refuses() -> None:
    turns = Turns(1, waiting=1, patience_s=0.01)
    async with turns.of("a"):
        with pytest.raises(Crowded):
            async with turns.of("a"):
                pytest.fail("there is one place")
    async with turns.of("a"):
        pass
