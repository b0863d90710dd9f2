"""Over real sockets: connections are cut, and their clients take their places again (§6)."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub_process import SERVERS, HubProcess
from tests.peers import JSON, V1Peer
from tests.wire.stage import LONG, Stage, caught_up, heard, new_id, pub, until, until_state

NewStage = Callable[[HubProcess], Stage]
Check = Callable[[Stage], Awaitable[None]]

NOTHING = {
    "status": "ok",
    "message": "There is no such session to resume; subscribe anew.",
    "resumed": False,
}
#: Milliseconds: longer than any test.
WORK = {"startTimeout": LONG, "endTimeout": 60_000}
CUTS = 8


async def ask(by: V1Peer, lost: V1Peer, **tasks: int) -> JSON:
    """Ask to take the place of a connection; the answer, without its id."""
    welcome = lost.welcome
    fields = {"session": welcome["session"], "epoch": welcome["epoch"], "tasks": tasks}
    answer = await by.request("resume", **fields)
    return {name: value for name, value in answer.items() if name != "id"}


async def resumed(stage: Stage, lost: V1Peer, **tasks: int) -> V1Peer:
    """A new connection of the same client, in the place of the lost one."""
    found = await stage.v1(lost.name)
    assert (await ask(found, lost, **tasks))["resumed"] is True
    return found


def seqs(*peers: V1Peer, task: str) -> list[int]:
    """The seqs of a task as one connection after the other was told them."""
    return [message["seq"] for peer in peers for message in heard(peer, task)]


async def check_service(stage: Stage) -> None:
    """A service is cut off at work: it goes on, and misses nothing."""
    web, task, (a, b) = await stage.at_work("a", "b", **WORK)
    await caught_up(a)
    await a.vanish()
    seen = a.last_seq[task]
    await pub(b, task, "update", update=1)
    found = await resumed(stage, a, **{task: seen})
    await pub(b, task, "update", update=2)
    await pub(found, task, "success", result=5)
    await pub(b, task, "drop")
    await until(found, task)
    await until(web, task)
    whole = list(range(1, 9))
    assert seqs(a, found, task=task) == seqs(web, task=task) == whole
    another = await stage.publish(web)
    await until(found, another, "init")


async def check_publisher(stage: Stage) -> None:
    """A publisher is cut off: it hears how its task went on, one it has not heard of too."""
    web = await stage.v1("web")
    a = await stage.service("a")
    task, unheard = await stage.publish(web, **WORK), new_id()
    init = {"event": "init", "eventId": new_id(), "action": stage.action, "payload": 1, **WORK}
    await web.send({"cmd": "pub", "taskId": unheard, **init})
    await until(a, unheard, "init")
    await web.vanish()
    for one in (task, unheard):
        await pub(a, one, "update", update=1)
    found = await resumed(stage, web, **{task: 1, unheard: 0})
    for one in (task, unheard):
        await pub(a, one, "success", result=5)
        await until(found, one)
    assert seqs(found, task=task) == [2, 3, 4, 5]
    assert seqs(found, task=unheard) == [1, 2, 3, 4, 5]


async def check_watches(stage: Stage) -> None:
    """Who watches goes on watching."""
    _, task, (a,) = await stage.at_work("a", **WORK)
    operator = await stage.v1("operator")
    await operator.request("watch", taskId=task)
    await operator.request("watch", action=stage.noun)
    await until(operator, task, "start")
    await operator.vanish()
    await pub(a, task, "update", update=1)
    found = await resumed(stage, operator, **{task: 2})
    await pub(a, task, "success", result=5)
    await until(found, task)
    assert seqs(operator, found, task=task) == [1, 2, 3, 4, 5]
    another = await stage.publish(await stage.v1("web"))
    await until(found, another, "init")


async def check_half_open(stage: Stage) -> None:
    """The hub takes the old connection for open: it is told, and closed."""
    web, task, (a,) = await stage.at_work("a", **WORK)
    found = await resumed(stage, a, **{task: 2})
    assert await a.closed() == 4409
    said = a.messages[-1]
    assert (said["error"], said["code"], said["close"]) == (
        "StateError",
        "illegal-transition",
        4409,
    )
    assert said["retry"] is False
    await pub(found, task, "success", result=5)
    await until(web, task)
    assert seqs(found, task=task) == [3, 4]


async def check_any_moment(stage: Stage) -> None:
    """One connection after the other is cut, each at any moment of a stream of events."""
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201  (pytest shows it when the check fails)
    chance = random.Random(seed)
    web, task, (a, b) = await stage.at_work("a", "b", **WORK)
    stop = asyncio.Event()

    async def stream() -> int:
        sent = 0
        while not stop.is_set() and sent < stage.hub.limit("max_events_per_task") - 12:
            await pub(b, task, "update", update=sent)
            sent += 1
        return sent

    streaming = asyncio.create_task(stream())
    peers = [a]
    for _ in range(CUTS):
        for _ in range(chance.randrange(4)):
            if not streaming.done():
                await peers[-1].next_message()
        await peers[-1].vanish()
        seen = max([0, *seqs(*peers, task=task)])
        peers.append(await resumed(stage, peers[-1], **{task: seen}))
    stop.set()
    sent = await streaming
    await pub(peers[-1], task, "success", result=5)
    await pub(b, task, "drop")
    await until(peers[-1], task)
    assert seqs(*peers, task=task) == list(range(1, 3 + sent + 4))
    await until(web, task)


async def check_once(stage: Stage) -> None:
    """A session is resumed once."""
    web, task, (a,) = await stage.at_work("a", **WORK)
    await a.vanish()
    found = await resumed(stage, a, **{task: 2})
    assert await ask(await stage.v1("a"), a, **{task: 2}) == NOTHING
    await pub(found, task, "success", result=5)
    await until(web, task)


async def check_strangers(stage: Stage) -> None:
    """Who has no session of its own client learns nothing, and disturbs nobody."""
    web, task, (a,) = await stage.at_work("a", **WORK)
    for name in ("b", "stranger"):
        thief = await stage.v1(name)
        answers = [await ask(thief, a, **{task: 0})]
        for guess in ("", "0" * 32, a.welcome["connectionId"], a.welcome["session"].upper()):
            fields = {"epoch": a.welcome["epoch"], "tasks": {task: 0}}
            answer = await thief.request("resume", session=guess, **fields)
            answers.append({key: value for key, value in answer.items() if key != "id"})
        assert answers == [NOTHING] * 5
        assert heard(thief, task) == []
    await pub(a, task, "success", result=5)
    await until(web, task)
    assert (await ask(await stage.v1("a"), a))["resumed"] is True


CHECKS: dict[str, Check] = {
    "a service": check_service,
    "a publisher": check_publisher,
    "watches": check_watches,
    "half open": check_half_open,
    "any moment": check_any_moment,
    "once": check_once,
    "strangers": check_strangers,
}


#: No peer may be too late for the grace, however slow the machine is.
PATIENT = {
    "TASKHUB_RESUME_GRACE_MS": "30000",
    "TASKHUB_MAX_OUTBOX_BYTES": "150000",
    "TASKHUB_MAX_EVENTS_PER_TASK": "200",
}


@pytest.fixture(scope="module", params=SERVERS)
def patient_hub(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    prepared: HubProcess,
) -> Iterator[HubProcess]:
    """A hub with a long grace and a small outbox, which these tests share."""
    directory = tmp_path_factory.mktemp(f"patient-{request.param}")
    hub = HubProcess(request.param, directory, **PATIENT).copy_of(prepared)
    try:
        yield hub.start()
    finally:
        hub.close()
    assert not hub.troubles()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
async def test_resume(patient_hub: HubProcess, new_stage: NewStage, check: Check) -> None:
    await check(new_stage(patient_hub))


@pytest.fixture
def spoiled(tmp_path: Path, prepared: HubProcess) -> Iterator[Callable[[str], HubProcess]]:
    """Starts a hub that is worse in one thing."""
    started: list[HubProcess] = []

    def start(sabotage: str) -> HubProcess:
        where = f"tests.wire.sabotage:{sabotage}"
        hub = HubProcess("uvicorn", tmp_path, sabotage=where, **PATIENT).copy_of(prepared)
        started.append(hub)
        return hub.start()

    yield start
    for hub in started:
        hub.close()


@pytest.mark.parametrize(
    ("sabotage", "check"),
    [
        ("nothing_told_again", "a service"),
        ("nothing_told_again", "a publisher"),
        ("nothing_told_again", "any moment"),
        ("all_told_again", "a service"),
        ("all_told_again", "watches"),
        ("sessions_for_ever", "once"),
        ("sessions_of_anybody", "strangers"),
    ],
)
async def test_a_worse_hub_is_noticed(
    spoiled: Callable[[str], HubProcess], new_stage: NewStage, sabotage: str, check: str
) -> None:
    stage = new_stage(spoiled(sabotage))
    with pytest.raises(AssertionError):
        await CHECKS[check](stage)


async def test_after_the_grace_the_session_is_gone(
    own_hub: HubProcess, new_stage: NewStage
) -> None:
    stage = new_stage(own_hub)
    web, task, (a,) = await stage.at_work("a", **WORK)
    await a.vanish()
    await until_state(web, task, "a", "lost")
    assert await ask(await stage.v1("a"), a, **{task: 2}) == NOTHING


async def test_more_was_missed_than_an_outbox_takes(
    patient_hub: HubProcess, new_stage: NewStage
) -> None:
    stage = new_stage(patient_hub)
    web, task, (a,) = await stage.at_work("a", **WORK)
    await web.vanish()
    for n in range(100):
        await pub(a, task, "update", update=f"{n}" * 15_000)
    found = await resumed(stage, web, **{task: 2})
    await pub(a, task, "success", result=5)
    await until(found, task)
    assert seqs(found, task=task) == list(range(3, 105))


async def closed(hub: HubProcess, peer: V1Peer) -> None:
    """Wait until the hub has noticed that a connection is gone."""
    said = f'"connection": "{peer.welcome["connectionId"]}"'

    def noticed() -> bool:
        lines = hub.log_since(0).splitlines()
        return any(said in line and "connection_closed" in line for line in lines)

    async with asyncio.timeout(peer.timeout):
        while not noticed():  # noqa: ASYNC110  (a file tells nobody that it has grown)
            await asyncio.sleep(0.01)


async def test_a_client_resumes_as_many_connections_as_it_may_hold(
    patient_hub: HubProcess, new_stage: NewStage
) -> None:
    patient_hub.create("few", sub=["*"], max_connections=2)
    stage = new_stage(patient_hub)
    lost = []
    for _ in range(3):
        lost.append(await stage.service("few"))
        await lost[-1].vanish()
        await closed(patient_hub, lost[-1])
    found = await stage.v1("few")
    assert await ask(found, lost[0]) == NOTHING
    for peer in lost[1:]:
        assert (await ask(found, peer))["resumed"] is True


async def test_rights_withdrawn_while_it_was_away(
    patient_hub: HubProcess, new_stage: NewStage
) -> None:
    stage = new_stage(patient_hub)
    patient_hub.create("part", sub=["*"], pub=["*"])
    web, task, (service,) = await stage.at_work("part", **WORK)
    own = await stage.publish(service, **WORK)
    await service.vanish()
    await closed(patient_hub, service)
    patient_hub.withdraw("part", ["sub"])
    found = await resumed(stage, service, **{task: 2, own: 1})
    told = await until(web, task)
    assert told[2]["reason"]["code"] == "forbidden"
    assert heard(found, task) == [], "it is none of its business any more"
    await found.request("cancel", taskId=own)
    assert [m["event"] for m in await until(found, own)][-2:] == ["fail", "end"]
    await stage.publish(web)
    await caught_up(found)
    assert {m["taskId"] for m in found.messages if "event" in m} == {own}


async def test_a_restart_forgets_sessions_and_the_client_goes_on(
    patient_hub: HubProcess, new_stage: NewStage
) -> None:
    stage = new_stage(patient_hub)
    _, task, (a,) = await stage.at_work("a", **WORK)
    await asyncio.to_thread(patient_hub.restart)
    again = await stage.service("a")
    assert again.welcome["epoch"] == a.welcome["epoch"]
    assert await ask(again, a, **{task: 2}) == NOTHING
    assert heard(again, task) == [], "at work already (D22)"
    await again.request("watch", taskId=task, **{"from": 3})
    await pub(again, task, "success", result=5)
    assert [m["seq"] for m in await until(again, task)] == [3, 4]
    web2 = await stage.v1("web")
    assert (await web2.request("get", taskId=task, what="result"))["result"] == 5


async def test_no_line_of_the_log_shows_a_session(
    patient_hub: HubProcess, new_stage: NewStage
) -> None:
    stage = new_stage(patient_hub)
    begin = stage.hub.log_size()
    a = await stage.service("a")
    await a.vanish()
    found = await resumed(stage, a)
    bad: dict[str, Any] = {"session": a.welcome["session"], "epoch": "x", "tasks": 7}
    assert (await found.request("resume", **bad))["code"] == "bad-field"
    lines = stage.hub.log_since(begin)
    assert "connection_resumed" in lines
    for peer in (a, found):
        assert peer.welcome["session"] not in lines
