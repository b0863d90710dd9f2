"""The figures tell what happened, to those who may read them, and never by a client's own words."""

import asyncio
import json
from collections.abc import Callable, Iterable

import pytest
from websockets.exceptions import InvalidStatus

from hub.counts import Histogram
from hub.metrics import FIGURES
from tests.hub_process import HubProcess
from tests.observability.conftest import Start
from tests.observability.http import TOKEN, get, scrape
from tests.peers import LegacyPeer, V1Peer
from tests.raw_peer import basic

Figures = dict[str, float]
#: Seconds until the figures have to tell; a hub that forgets them is waited for as long.
TIMEOUT_S = 5.0


class Change:
    """By how much each figure of a hub has grown since it was made."""

    def __init__(self, hub: HubProcess) -> None:
        self._hub = hub
        self._before = scrape(hub)

    def now(self) -> Figures:
        """The differences that are not zero."""
        return {
            name: value - self._before.get(name, 0.0)
            for name, value in scrape(self._hub).items()
            if value != self._before.get(name, 0.0)
        }

    async def reach(self, expected: Figures) -> None:
        """Wait until the figures have grown so."""
        await self._until(lambda: expected.items() <= self.now().items(), expected)

    async def until(self, holds: Callable[[Figures], bool]) -> None:
        """Wait until this holds for the figures as they are."""
        await self._until(lambda: holds(scrape(self._hub)), ())

    async def _until(self, holds: Callable[[], bool], shown: Iterable[str]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + TIMEOUT_S
        while not holds():
            found = self.now()
            assert loop.time() < until, {name: found.get(name) for name in shown} or found
            await asyncio.sleep(0.02)


async def check_a_task_is_counted(hub: HubProcess) -> None:
    """Each step of two tasks is in the figures, and the histograms hold each commit."""
    change = Change(hub)
    async with (
        V1Peer(hub.url, "web", hub.keys["web"]) as web,
        V1Peer(hub.url, "a", hub.keys["a"]) as service,
        LegacyPeer(hub.url, "old", hub.keys["old"]),
    ):
        await service.request("sub", action="mail:send")
        init = {"cmd": "pub", "event": "init", "payload": 1}
        await web.send({**init, "eventId": "i1", "taskId": "t1", "action": "mail:send"})
        await service.task_until("t1", "init")
        success = {"cmd": "pub", "taskId": "t1", "event": "success", "eventId": "s1", "result": 1}
        await service.send(success)
        await web.task_until("t1")
        await web.send({**init, "eventId": "i2", "taskId": "t2", "action": "mail:none"})
        await service.request("unsub", action="mail:send")
        await service.send({**success, "eventId": "s2", "taskId": "t9"})
        await web.request("get", taskId="t1", what="task")
        await web.request("cancel", taskId="t2")
        await web.task_until("t2")
        await web.request("resume", session="none", epoch="none", tasks={})
        await change.reach(
            {
                "taskhub_connections_open{protocol=taskhub.v1}": 2,
                "taskhub_connections_open{protocol=legacy}": 1,
                "taskhub_handshakes_accepted_total{protocol=taskhub.v1}": 2,
                "taskhub_handshakes_accepted_total{protocol=legacy}": 1,
                "taskhub_frames_received_total": 9,
                "taskhub_commands_total{cmd=pub}": 4,
                "taskhub_commands_total{cmd=sub}": 1,
                "taskhub_commands_total{cmd=unsub}": 1,
                "taskhub_commands_total{cmd=get}": 1,
                "taskhub_commands_total{cmd=cancel}": 1,
                "taskhub_commands_total{cmd=resume}": 1,
                "taskhub_refusals_total{code=unknown-task}": 1,
                "taskhub_tasks_opened_total": 2,
                "taskhub_tasks_ended_total": 2,
                "taskhub_tasks_settled_total{outcome=success,reason=service}": 1,
                "taskhub_tasks_settled_total{outcome=fail,reason=cancelled}": 1,
                "taskhub_events_committed_total{event=init}": 2,
                "taskhub_events_committed_total{event=start}": 1,
                "taskhub_events_committed_total{event=success}": 1,
                "taskhub_events_committed_total{event=fail}": 1,
                "taskhub_events_committed_total{event=end}": 2,
                "taskhub_task_loads_total": 2,
            }
        )
        found = change.now()
        assert found["taskhub_deliveries_total"] >= 11
        assert found["taskhub_sent_bytes_total"] > 17 * 30
        commits = found["taskhub_commit_decisions_count"]
        assert 3 <= commits == found["taskhub_commit_duration_seconds_count"]
        assert found["taskhub_commit_decisions_bucket{le=+Inf}"] == commits
        assert found["taskhub_commit_duration_seconds_sum"] > 0


async def test_a_task_is_counted(start: Start) -> None:
    await check_a_task_is_counted(start(TASKHUB_METRICS_TOKEN=TOKEN))


async def test_that_check_sees_a_forgetful_hub(start: Start) -> None:
    with pytest.raises(AssertionError):
        await check_a_task_is_counted(start("forgetful", TASKHUB_METRICS_TOKEN=TOKEN))


async def test_what_time_and_loss_do_is_counted(start: Start) -> None:
    hub = start(TASKHUB_METRICS_TOKEN=TOKEN, TASKHUB_START_TIMEOUT_MS="50")
    change = Change(hub)
    init = {"cmd": "pub", "event": "init", "payload": 1, "action": "mail:send"}
    async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
        await web.send({**init, "eventId": "i1", "taskId": "t1"})
        await web.task_until("t1")
        async with V1Peer(hub.url, "a", hub.keys["a"]) as service:
            await service.request("sub", action="mail:send")
            await web.send({**init, "eventId": "i2", "taskId": "t2"})
            await web.task_until("t2")
            await web.send({**init, "eventId": "i3", "taskId": "t3"})
            await service.task_until("t3", "init")
            await service.event("t3", "start")
            await web.task_until("t3", "start")
            await service.vanish()
        await web.task_until("t3")
        await change.reach(
            {
                "taskhub_tasks_settled_total{outcome=fail,reason=no-subscriber}": 1,
                "taskhub_tasks_settled_total{outcome=fail,reason=start-timeout}": 1,
                "taskhub_tasks_settled_total{outcome=fail,reason=service-lost}": 1,
                "taskhub_deadlines_fired_total": 4,  # three start windows and a grace
            }
        )


# Limits (docs/protocol.md §7): each that is reached is counted by its name

LIMITS = {
    "TASKHUB_MAX_NESTING": "3",
    "TASKHUB_MAX_SUBSCRIPTIONS": "1",
    "TASKHUB_MAX_WATCHES": "1",
    "TASKHUB_MAX_OPEN_TASKS_PER_CLIENT": "2",
    "TASKHUB_MAX_OPEN_TASKS": "3",
    "TASKHUB_MAX_EVENTS_PER_TASK": "3",
    "TASKHUB_MAX_PARTICIPANTS_PER_TASK": "1",
    "TASKHUB_BAD_FRAMES_PER_MINUTE": "2",
    "TASKHUB_WRONG_KEYS_PER_NAME": "1",
    "TASKHUB_START_TIMEOUT_MS": "30000",
    "TASKHUB_END_TIMEOUT_MS": "30000",
}


async def check_limits_are_counted(hub: HubProcess) -> None:
    """One breach of each limit that a client can reach here."""
    change = Change(hub)
    event = {"cmd": "pub", "payload": 1, "action": "mail:send", "event": "init"}
    async with (
        V1Peer(hub.url, "a", hub.keys["a"]) as service,
        V1Peer(hub.url, "operator", hub.keys["operator"]) as operator,
        V1Peer(hub.url, "web", hub.keys["web"]) as web,
        V1Peer(hub.url, "shop", hub.keys["shop"]) as shop,
        V1Peer(hub.url, "old", hub.keys["old"]) as broken,
        V1Peer(hub.url, "b", hub.keys["b"]) as large,
    ):
        await service.request("sub", action="mail:send")
        await service.request("sub", action="mail:none")
        await operator.request("watch", action="a")
        await operator.request("watch", action="b")
        for number in range(3):
            await web.send({**event, "eventId": f"w{number}", "taskId": f"w{number}"})
        await web.collect(lambda message: message["status"] == "error")
        await service.task_until("w1", "init")
        for number in range(2):
            await shop.send({**event, "eventId": f"s{number}", "taskId": f"s{number}"})
        await shop.collect(lambda message: message["status"] == "error")
        update = {"cmd": "pub", "event": "update", "taskId": "w0"}
        for number in range(2):
            await service.send({**update, "eventId": f"u{number}", "update": 1})
        await service.collect(lambda message: message["status"] == "error")
        await service.send('{"cmd":"pub","x":[[[[1]]]]}')
        await service.collect(lambda message: message["status"] == "error")
        for _ in range(3):
            await broken.send("{")
        assert await broken.closed() == 1008
        await large.send(" " * 70_000)
        assert await large.closed() == 1009
        for _ in range(2):
            get(hub, "/ws/", Authorization="none")
            with pytest.raises(InvalidStatus):
                await V1Peer(hub.url, "c", "wrong").connect()
        reached = (
            *("max_nesting", "max_subscriptions", "max_watches", "max_open_tasks_per_client"),
            *("max_open_tasks", "max_events_per_task", "bad_frames_per_minute", "max_frame_bytes"),
        )
        await change.reach(
            {
                **{f"taskhub_limits_reached_total{{limit={name}}}": 1 for name in reached},
                "taskhub_limits_reached_total{limit=max_participants_per_task}": 3,
                "taskhub_handshakes_refused_total{reason=wrong-key}": 1,
                "taskhub_handshakes_refused_total{reason=locked}": 1,
                "taskhub_connections_closed_total{code=1008}": 1,
                "taskhub_connections_closed_total{code=1009}": 1,
                "taskhub_refusals_total{code=limit}": 5,
                "taskhub_refusals_total{code=bad-json}": 4,
            }
        )


async def test_each_limit_that_is_reached_is_counted(start: Start) -> None:
    await check_limits_are_counted(start(TASKHUB_METRICS_TOKEN=TOKEN, **LIMITS))


async def test_that_check_sees_a_hub_that_forgets_limits(start: Start) -> None:
    with pytest.raises(AssertionError):
        await check_limits_are_counted(start("forgetful", TASKHUB_METRICS_TOKEN=TOKEN, **LIMITS))


async def test_a_dead_writer_shows(start: Start) -> None:
    hub = start("killed_writer", TASKHUB_METRICS_TOKEN=TOKEN)
    change = Change(hub)
    init = {"cmd": "pub", "event": "init", "payload": 1, "action": "a:b", "eventId": "i"}
    async with V1Peer(hub.url, "web", hub.keys["web"]) as web:
        refused = -1
        answer: dict[str, object] = {}
        while answer.get("status") != "ok":  # it is refused until the tasks have been read anew
            refused += 1
            await web.send({**init, "taskId": "t"})
            answer = (await web.collect(lambda message: message.get("eventId") == "i"))[-1]
        await web.task_until("t")
        assert refused >= 1
        await change.reach(
            {
                "taskhub_commit_failures_total": 1,
                "taskhub_tasks_read_anew_total": 1,
                "taskhub_refusals_total{code=unavailable}": refused,
                "taskhub_tasks_ended_total": 1,
            }
        )
    assert "commit_broke" in hub.troubles()


async def test_background_work_that_fails_shows_and_goes_on(start: Start) -> None:
    hub = start("presence_that_fails_once", TASKHUB_METRICS_TOKEN=TOKEN)
    works = ("presence", "retention", "disk watch", "rights watch", "lag watch", "writer watch")
    expected = {f"taskhub_background_restarts_total{{work={work}}}": 0.0 for work in works}
    failed = "taskhub_background_restarts_total{work=presence}"
    async with V1Peer(hub.url, "web", hub.keys["web"]):
        await Change(hub).until(lambda found: found[failed] == 1)
        found = scrape(hub)
    assert {name: found.get(name) for name in expected} == {**expected, failed: 1}
    (trouble,) = map(json.loads, hub.troubles().splitlines())
    assert (trouble["event"], trouble["work"]) == ("background_failed", "presence")


# Who may read them


def check_closed(hub: HubProcess) -> None:
    """To a stranger there is nothing, whatever it presents."""
    for presented in ("", "Bearer", "Bearer ", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}"):
        status, body = get(hub, "/metrics", Authorization=presented)
        assert status == 404
        assert "taskhub_" not in body
    status, _ = get(hub, "/metrics", Authorization=basic("web", hub.keys["web"]))
    assert status == 404


def test_nobody_reads_them_without_a_token(start: Start) -> None:
    hub = start()
    check_closed(hub)
    assert get(hub, "/metrics", Authorization="Bearer None")[0] == 404


def test_nor_with_a_wrong_one(start: Start) -> None:
    hub = start(TASKHUB_METRICS_TOKEN=TOKEN)
    check_closed(hub)
    assert get(hub, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_that_check_sees_an_open_door(start: Start) -> None:
    with pytest.raises(AssertionError):
        check_closed(start("open_figures"))


def test_process_and_build_are_in_it(start: Start) -> None:
    found = scrape(start(TASKHUB_METRICS_TOKEN=TOKEN))
    assert found["process_resident_memory_bytes"] > 10**7
    assert found["process_cpu_seconds_total"] > 0
    assert any(name.startswith("taskhub_build_info{") for name in found)
    assert found["taskhub_background_restarts_total{work=presence}"] == 0


# Names


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_names_follow_the_conventions(figure: object) -> None:
    name = getattr(figure, "name", "")
    assert name.startswith("taskhub_")
    assert not set(getattr(figure, "labels", ())) & {"task", "client", "action", "connection"}


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.0, 0), (1, 0), (1.1, 1), (2, 1), (3, 2), (10**9, 2)]
)
def test_a_bound_belongs_to_its_bucket(value: float, bucket: int) -> None:
    histogram = Histogram(1, 2)
    histogram.observe(value)
    assert histogram.counts.index(1) == bucket
    assert histogram.total == value
