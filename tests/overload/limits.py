"""Every limit of a hub: how it is held to its number, and to its answer one further (§7).

A check talks to a hub with the small limits below, alone on it, and leaves no task open. A limit
that is a time, or a size that only the inside sees, names the test that holds it.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from hub.gateway.silent_sockets import CROWDED_TIMEOUT_S
from tests.overload.limit_tools import (
    MINUTE_S,
    NOTICE_S,
    SMALL,
    cancel,
    disk_has,
    eventually,
    knock,
    nothing_stored,
    publish,
    published,
    refused,
)
from tests.overload.process import sockets
from tests.peers import V1Peer
from tests.wire.stage import LONG, Stage, heard, new_id, pub, states, until

Check = Callable[[Stage], Awaitable[None]]


# Times an init may name, and those it gets


async def start_timeout(stage: Stage) -> None:
    """Without a start timeout of its own, a task has this one."""
    await _default_timeout(stage, "startTimeout", "startDeadline", endTimeout=LONG)


async def end_timeout(stage: Stage) -> None:
    """Without an end timeout of its own, a task has this one."""
    await stage.service("a")
    await _default_timeout(stage, "endTimeout", "endDeadline", startTimeout=LONG)


async def _default_timeout(stage: Stage, field: str, deadline: str, **other: int) -> None:
    web, task = await stage.v1("web"), new_id()
    await web.event(task, "init", action=stage.action, payload=None, **other)
    (init, *_, failed, _) = await until(web, task)
    limit = {"startTimeout": "start_timeout_ms", "endTimeout": "end_timeout_ms"}[field]
    assert init[field] == SMALL[limit]
    assert init[deadline] == init["at"] + SMALL[limit]
    assert failed["event"] == "fail"
    assert init[deadline] <= failed["at"]


async def max_start_timeout(stage: Stage) -> None:
    """No task may wait longer for its start."""
    await _longest_timeout(stage, "startTimeout", SMALL["max_start_timeout_ms"])


async def max_end_timeout(stage: Stage) -> None:
    """No task may wait longer for its outcome."""
    await _longest_timeout(stage, "endTimeout", SMALL["max_end_timeout_ms"])


async def _longest_timeout(stage: Stage, field: str, most: int) -> None:
    web = await stage.v1("web")
    with nothing_stored(stage.hub):
        message = refused(await publish(stage, web, **{field: most + 1}), "bad-field", retry=False)
    assert field in message
    await cancel(web, await published(stage, web, **{field: most}))


async def resume_grace(stage: Stage) -> None:
    """So long a lost connection has to come back; then its work is lost, and not before."""
    web, task, (a,) = await stage.at_work("a", endTimeout=LONG)
    # To the millisecond it is only told: how late the hub sees the loss is the system's affair.
    grace = web.welcome["limits"]["resumeGraceMs"]
    assert grace == SMALL["resume_grace_ms"]
    await a.vanish()
    (_, start, drop, fail, _) = await until(web, task)
    assert (drop["reason"]["code"], fail["reason"]["code"]) == ("service-lost", "service-lost")
    assert drop["at"] - start["at"] >= grace


# Frames


def padded(size: int) -> str:
    """A question about nothing, in so many bytes."""
    text = json.dumps({"cmd": "get", "id": "p", "taskId": "nowhere", "what": "task", "pad": ""})
    return f"{text[:-2]}{'x' * (size - len(text))}{text[-2:]}"


async def frame_bytes(stage: Stage) -> None:
    """A longer frame closes its connection, and no other one."""
    most, web, shop = SMALL["max_frame_bytes"], await stage.v1("web"), await stage.v1("shop")
    await web.send(padded(most))
    assert (await web.next_message())["code"] == "unknown-task"
    with nothing_stored(stage.hub):
        await web.send(padded(most + 1))
        assert await web.closed(NOTICE_S) == 1009
        answer = await web.next_message()
        assert (answer["code"], answer["close"]) == ("too-big", 1009)
    for peer in (shop, await stage.v1("web")):
        await peer.send(padded(most))
        assert (await peer.next_message())["code"] == "unknown-task"


async def nesting(stage: Stage) -> None:
    """Deeper JSON is not read; the connection stays."""
    web = await stage.v1("web")
    for depth, code in ((0, "unknown-task"), (1, "bad-json"), (0, "unknown-task")):
        levels = SMALL["max_nesting"] - 1 + depth  # the frame's own braces are the first
        text = padded(100).replace('"pad": "', '"pad": ' + "[" * levels + "]" * levels + ', "_": "')
        with nothing_stored(stage.hub):
            await web.send(text)
            assert (await web.next_message())["code"] == code


async def bad_frames(stage: Stage) -> None:
    """One more within a minute closes the connection; a minute later they are forgiven."""
    most = SMALL["bad_frames_per_minute"]
    rude, patient = await stage.v1("web"), await stage.v1("shop")
    for peer in (rude, patient):
        for _ in range(most):
            await _unreadable(peer)
    await rude.send("{")
    assert await rude.closed(NOTICE_S) == 1008
    assert [(m["code"], m["close"]) for m in rude.untaken()] == [("bad-json", 1008)]
    await asyncio.sleep(MINUTE_S + 0.1)  # the time is what it is about
    for _ in range(most):
        await _unreadable(patient)
    await patient.send(padded(100))
    assert (await patient.next_message())["code"] == "unknown-task"


async def _unreadable(peer: V1Peer) -> None:
    await peer.send("{")
    answer = await peer.next_message()
    assert answer["code"] == "bad-json"
    assert "close" not in answer


# What a connection holds


async def subscriptions(stage: Stage) -> None:
    """One more is refused and not made; those that are there go on."""
    a, web = await stage.v1("a"), await stage.v1("web")
    actions = [f"{stage.noun}:n{number}" for number in range(SMALL["max_subscriptions"] + 1)]
    for action in actions[:-1]:
        assert (await a.request("sub", action=action))["status"] == "ok"
    refused(await a.request("sub", action=actions[-1]), "limit", retry=False)
    first = await published(stage, web, action=actions[0])
    last = await published(stage, web, action=actions[-1])
    await a.task_until(first, "init")
    assert not heard(a, last)
    assert (await a.request("sub", action=actions[0]))["status"] == "ok", "it has this one"
    await a.request("unsub", action=actions[0])
    assert (await a.request("sub", action=actions[-1]))["status"] == "ok"
    await a.task_until(last, "init")
    for task in (first, last):
        await cancel(web, task)


async def watches(stage: Stage) -> None:
    """One more is refused and not made."""
    operator, web = await stage.v1("operator"), await stage.v1("web")
    actions = [f"{stage.noun}:n{number}" for number in range(SMALL["max_watches"] + 1)]
    for action in actions[:-1]:
        assert (await operator.request("watch", action=action))["status"] == "ok"
    refused(await operator.request("watch", action=actions[-1]), "limit", retry=False)
    tasks = [await published(stage, web, action=action) for action in (actions[-1], actions[0])]
    await operator.task_until(tasks[1], "init")
    assert not heard(operator, tasks[0])
    await operator.request("unwatch", action=actions[0])
    assert (await operator.request("watch", action=actions[-1]))["status"] == "ok"
    for task in tasks:
        await cancel(web, task)
    await until(operator, tasks[0])


# Open tasks


async def open_tasks_of_a_client(stage: Stage) -> None:
    """A client has no more open tasks, on whichever connection; others have theirs."""
    web, again, shop = await stage.v1("web"), await stage.v1("web"), await stage.v1("shop")
    most = SMALL["max_open_tasks_per_client"]
    tasks = [await published(stage, web) for _ in range(most)]
    for peer in (web, again):
        with nothing_stored(stage.hub):
            message = refused(await publish(stage, peer), "limit", retry=True)
        assert f"This client has {most} open tasks" in message
    await cancel(shop, await published(stage, shop))
    await cancel(web, tasks.pop())
    tasks.append(await published(stage, web))
    for task in tasks:
        await cancel(web, task)


async def open_tasks(stage: Stage) -> None:
    """The hub has no more open tasks, whoever asks."""
    peers = [await stage.v1(name) for name in ("web", "web", "shop", "shop", "many")]
    tasks = [(peer, await published(stage, peer)) for peer in peers]
    last = await stage.v1("quiet")
    with nothing_stored(stage.hub):
        message = refused(await publish(stage, last), "limit", retry=True)
    assert f"The hub has {SMALL['max_open_tasks']} open tasks" in message
    await cancel(*tasks.pop())
    tasks.append((last, await published(stage, last)))
    for peer, task in tasks:
        await cancel(peer, task)


async def open_bytes(stage: Stage) -> None:
    """Payloads of open tasks take no more memory (D19)."""
    web, most = await stage.v1("web"), SMALL["max_open_bytes"]
    quotes_and_more = sys.getsizeof('""')
    first = await published(stage, web, payload="x" * (1_000 - quotes_and_more))
    rest = "x" * (most - 1_000 - quotes_and_more)
    with nothing_stored(stage.hub):
        refused(await publish(stage, web, payload=rest + "x"), "limit", retry=True)
        refused(await publish(stage, web, payload="x" * most), "limit", retry=False)
    second = await published(stage, web, payload=rest)
    with nothing_stored(stage.hub):
        refused(await publish(stage, web), "limit", retry=True)
    await cancel(web, first)
    third = await published(stage, web)
    for task in (second, third):
        await cancel(web, task)


async def free_disk(stage: Stage) -> None:
    """With less room on the disk no new task is taken; what is open goes on."""
    web, least = await stage.v1("web"), SMALL["min_free_disk_bytes"]
    before = await published(stage, web)

    async def taken() -> bool:
        answer = await publish(stage, web)
        if answer["status"] == "ok":
            await cancel(web, answer["taskId"])
            return True
        refused(answer, "unavailable", retry=True)
        return False

    async def turned_away() -> bool:
        return not await taken()

    try:
        disk_has(stage.hub, least - 1)
        await eventually(turned_away, NOTICE_S, "refused")
        with nothing_stored(stage.hub):
            assert "disk" in (await publish(stage, web))["message"]
        await cancel(web, before)
        disk_has(stage.hub, least)
        await eventually(taken, NOTICE_S, "taken again")
    finally:
        disk_has(stage.hub, 1 << 40)


# One task


async def events(stage: Stage) -> None:
    """One more update is refused; outcomes pass."""
    web, most = await stage.v1("web"), SMALL["max_events_per_task"]
    task = await published(stage, web)
    for number in range(most - 2):  # beside its init and start
        assert (await pub(web, task, "update", update=number))["status"] == "ok"
    with nothing_stored(stage.hub):
        refused(await pub(web, task, "update", update=None), "limit", retry=False)
    await web.event(task, "success", result=1)
    assert [m["seq"] for m in await until(web, task)] == list(range(1, most + 3))


async def participants(stage: Stage) -> None:
    """One more subscriber is not offered the task; it gets the next one."""
    most = SMALL["max_participants_per_task"]
    services = [await stage.service(name) for name in ("a", "b", "c")]
    assert len(services) == most + 1
    web = await stage.v1("web")
    full = await published(stage, web)
    for service in services:
        await service.request("get", taskId="nowhere", what="task")  # told all there was
    assert [bool(heard(service, full)) for service in services] == [True] * most + [False]
    assert len(await states(web, full)) == most
    await services[0].request("unsub", action=stage.action)
    free = await published(stage, web)
    await services[-1].task_until(free, "init")
    for task in (full, free):
        await cancel(web, task)


# Handshakes


async def wrong_keys_of_a_name(stage: Stage) -> None:
    """One name from one address waits a minute; other names and other addresses do not."""
    here = "127.77.0.1"
    for _ in range(SMALL["wrong_keys_per_name"]):
        assert await knock(stage, here, "web", key_of="shop") == 401
    assert await knock(stage, here, "web") == 429, "also with the right key"
    assert await knock(stage, here, "shop") == 101
    assert await knock(stage, "127.77.0.2", "web") == 101
    await _comes_back(stage, here)


async def wrong_keys_of_an_address(stage: Stage) -> None:
    """Whatever the names, the address waits a minute; other addresses do not."""
    here, names = "127.77.0.3", ["a", "b", "c", "team"]
    assert len(names) == SMALL["wrong_keys_per_address"]
    for name in names:
        assert await knock(stage, here, name, key_of="shop") == 401
    assert await knock(stage, here, "web") == 429
    assert await knock(stage, "127.77.0.4", "web") == 101
    await _comes_back(stage, here)


async def _comes_back(stage: Stage, address: str) -> None:
    async def let_in() -> bool:
        return await knock(stage, address, "web") == 101

    await eventually(let_in, MINUTE_S + NOTICE_S, "let in")


async def silent_sockets(stage: Stage) -> None:
    """Of the sockets of an address that say nothing, those over the limit are hung up on soon."""
    here, most = "127.77.0.5", SMALL["unauthenticated_per_address"]
    before = sockets(stage.hub)

    async def gone() -> bool:
        return sockets(stage.hub) == before

    for _ in range(2):  # when they are gone there is room again
        await eventually(gone, NOTICE_S, "gone")
        async with contextlib.AsyncExitStack() as stack:
            early = [await stack.enter_async_context(_silent(stage, here)) for _ in range(most)]
            late = await stack.enter_async_context(_silent(stage, here))
            assert (await _word(late, CROWDED_TIMEOUT_S + NOTICE_S)).startswith(b"HTTP/1.1 408 ")
            assert [await _word(reader, 0.02) for reader in early] == [b""] * most
            assert await knock(stage, here, "web") == 101


async def _word(reader: asyncio.StreamReader, within: float) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(100), within)
    except TimeoutError:
        return b""


@contextlib.asynccontextmanager
async def _silent(stage: Stage, address: str) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", stage.hub.port, local_addr=(address, 0)
    )
    try:
        yield reader
    finally:
        writer.transport.abort()


#: Field of ``Limits`` → its check, or the test that holds it.
LIMITS: Final[dict[str, Check | str]] = {
    "start_timeout_ms": start_timeout,
    "end_timeout_ms": end_timeout,
    "max_start_timeout_ms": max_start_timeout,
    "max_end_timeout_ms": max_end_timeout,
    "resume_grace_ms": resume_grace,
    "max_frame_bytes": frame_bytes,
    "max_nesting": nesting,
    "max_outbox_bytes": "tests/gateway/test_session.py::test_a_reader_that_does_not_read_is_cut",
    "max_subscriptions": subscriptions,
    "max_watches": watches,
    "max_open_tasks_per_client": open_tasks_of_a_client,
    "max_open_tasks": open_tasks,
    "max_open_bytes": open_bytes,
    "max_events_per_task": events,
    "max_participants_per_task": participants,
    "ping_interval_ms": "tests/gateway/test_slow_peers.py::test_who_talks_is_not_pinged",
    "pong_timeout_ms": (
        "tests/gateway/test_slow_peers.py::test_a_silent_peer_is_pinged_and_then_dropped"
    ),
    "wrong_keys_per_name": wrong_keys_of_a_name,
    "wrong_keys_per_address": wrong_keys_of_an_address,
    "unauthenticated_per_address": silent_sockets,
    "bad_frames_per_minute": bad_frames,
    "min_free_disk_bytes": free_disk,
    "drain_timeout_ms": "tests/overload/test_drain.py::test_a_drain_beside_a_stuck_disk",
    "api_requests_per_minute": "tests/api/test_limits.py::test_requests_a_minute",
    "api_streams": "tests/api/test_limits.py::test_streams_of_a_client",
    "api_streams_per_client": "tests/api/test_limits.py::test_streams_of_a_client",
}
#: Limits of a client in the admin, and the test that holds each.
OF_A_CLIENT: Final = {
    "max_connections": "tests/gateway/test_admission.py::test_max_connections_and_its_end",
    "rate": "tests/gateway/test_conversation.py::test_a_rate_delays_and_loses_nothing",
}
