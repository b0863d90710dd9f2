"""``events/stream/``: what is stored, then what happens, over a real socket."""

import json
from contextlib import ExitStack
from typing import Any

import pytest

from hub.api import sse
from tests.api.conftest import Staff, Start
from tests.api.events import Event, EventStream
from tests.api.http import Api
from tests.hub_process import HubProcess
from tests.peers import V1Peer

NEW = {"startTimeout": 30_000, "endTimeout": 60_000}


def path_of(task: str) -> str:
    """The stream of a task."""
    return f"tasks/{task}/events/stream/"


def names(events: list[Event]) -> list[tuple[str, str]]:
    """Ids and names."""
    return [(event.id, event.name) for event in events]


def test_stored_events_then_live_ones_until_the_end(web: Api) -> None:
    task = web.publish("x:y", {"a": [1, 2]}, **NEW)
    with EventStream(web, path_of(task)) as stream:
        assert stream.status == 200
        first = stream.take(1)
        assert names(first) == [("1", "init")]
        assert json.loads(first[0].data)["payload"] == {"a": [1, 2]}
        web.post(f"tasks/{task}/cancel/", {"reason": "enough"})
        rest = list(stream.events())
    assert names(rest) == [("2", "fail"), ("3", "end")]
    told = web.get(f"tasks/{task}/events/").json["events"]
    assert [json.loads(event.data) for event in first + rest] == told
    with EventStream(web, path_of(task)) as stream:
        assert list(stream.events()) == first + rest
    with EventStream(web, path_of(task) + "?from=2") as stream:
        assert list(stream.events()) == rest


def test_a_body_over_several_lines_is_one_event(web: Api) -> None:
    body = b'{"action":"x:y","startTimeout":30000,"payload":{\n"a" :\n\n 1e400}}'
    task = web.post("tasks/", body).json["taskId"]
    with EventStream(web, path_of(task)) as stream:
        (event,) = stream.take(1)
    assert '"payload":{\n"a" :\n\n 1e400}' in event.data


def test_it_goes_on_after_the_last_event_that_was_seen(web: Api) -> None:
    task = web.publish("x:y", **NEW)
    with EventStream(web, path_of(task)) as stream:
        (seen,) = stream.take(1)
    web.post(f"tasks/{task}/cancel/")
    with EventStream(web, path_of(task), last=seen.id) as stream:
        assert names(list(stream.events())) == [("2", "fail"), ("3", "end")]
    with EventStream(web, path_of(task), last="3") as stream:
        assert stream.status == 204  # or a browser would come back for ever
    for last in ("x", "-1", "1.5", "9" * 30, "0" * 5_000):
        with EventStream(web, path_of(task), last=last) as stream:
            stream.answer().problem(400, "bad-field")


def test_a_reader_that_asks_for_what_is_to_come_hears_nothing_before(web: Api) -> None:
    task = web.publish("x:y", **NEW)
    with EventStream(web, path_of(task), last="2") as stream:
        web.post(f"tasks/{task}/cancel/")
        assert names(list(stream.events())) == [("3", "end")]


def test_it_ends_with_the_task_also_for_who_waits_for_more(web: Api) -> None:
    task = web.publish("x:y", **NEW)
    with EventStream(web, path_of(task) + "?from=100") as stream:
        web.post(f"tasks/{task}/cancel/")
        for line in stream.lines():
            assert line != ": still here"


def test_who_takes_compressed_answers_hears_all_events(web: Api) -> None:
    task = web.publish("x:y", "a" * 1000, **NEW)
    web.post(f"tasks/{task}/cancel/")
    answer = web.call("GET", path_of(task), Accept_Encoding="gzip")
    # Compressed piece by piece, a browser would read the first one only.
    assert "content-encoding" not in answer.headers
    assert answer.body.count(b"\nevent: ") == 3


def test_many_readers_of_one_task_hear_the_same(web: Api, operator: Api, staff: Staff) -> None:
    task = web.publish("x:y", **NEW)
    with ExitStack() as stack:
        streams = [
            stack.enter_context(EventStream(api, path_of(task)))
            for api in (web, operator, staff["reader"])
        ]
        web.post(f"tasks/{task}/cancel/")
        told = [list(stream.events()) for stream in streams]
    assert names(told[0]) == [("1", "init"), ("2", "fail"), ("3", "end")]
    assert told == [told[0]] * 3
    with EventStream(staff["viewer"], path_of(task)) as stream:
        assert all("reason" not in json.loads(event.data) for event in stream.events())


def test_others_are_told_of_no_task(hub: HubProcess, web: Api) -> None:
    task = web.publish("x:y", **NEW)
    with EventStream(Api.of(hub, "stranger"), path_of(task)) as stream:
        stream.answer().problem(404, "unknown-task")


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_over_a_restart_and_to_the_end_of_the_hub(start: Start, server: str) -> None:
    hub = start(server)
    web = Api.of(hub, "web")
    task = web.publish("x:y", **NEW)
    seen: list[Event] = []
    with EventStream(web, path_of(task)) as stream:
        seen += stream.take(1)
        hub.restart()
        assert list(stream.events()) == []
    with EventStream(web, path_of(task), last=seen[-1].id) as stream:
        web.post(f"tasks/{task}/cancel/")
        seen += stream.events()
    assert names(seen) == [("1", "init"), ("2", "fail"), ("3", "end")]
    other = web.publish("x:y", **NEW)
    with EventStream(web, path_of(other)) as stream:
        assert names(stream.take(1)) == [("1", "init")]
        if server == "uvicorn":
            assert hub.terminate() == 0  # which waits for the streams, and they end
            assert list(stream.events()) == []
    assert not hub.troubles()


def test_it_ends_when_the_right_to_see_is_taken(start: Start) -> None:
    hub = start()
    web = Api.of(hub, "web")
    task = web.publish("weather:x", **NEW)
    with ExitStack() as stack:
        streams = [
            stack.enter_context(EventStream(Api.of(hub, name), path_of(task)))
            for name in ("stranger", "old")
        ]
        for stream in streams:
            stream.take(1)
        hub._provision({"withdraw": {"stranger": ["watch"]}, "revoke": ["old"]})
        for stream in streams:  # though nothing happens to the task
            assert list(stream.events()) == []
    assert web.get(f"tasks/{task}/").json["outcome"] is None


async def test_it_ends_within_what_is_stored_when_the_key_is_revoked(start: Start) -> None:
    hub = start(TASKHUB_MAX_FRAME_BYTES="1048576", TASKHUB_MAX_OUTBOX_BYTES="50000000")
    web, old = Api.of(hub, "web"), Api.of(hub, "old")
    async with V1Peer(hub.url, "a", hub.keys["a"]) as peer:
        await peer.request("sub", action="x")
        long, short = (web.publish(f"x:{verb}", **NEW) for verb in ("long", "short"))
        await peer.task_until(long, "init")
        for _ in range(40):  # more than the sockets between us keep
            await peer.event(long, "update", update="a" * 1_000_000)
            await peer.task_until(long, "update")
        with EventStream(old, path_of(long)) as slow, EventStream(old, path_of(short)) as idle:
            assert idle.take(1)
            hub.revoke("old")
            assert list(idle.events()) == []
            assert 0 < len(list(slow.events())) < 42


def test_a_silent_stream_has_a_heartbeat(start: Start) -> None:
    hub = start(sabotage="tests.api.sabotage:short_heartbeat")
    web = Api.of(hub, "web")
    task = web.publish("x:y", **NEW)
    with EventStream(web, path_of(task)) as stream:
        lines: Any = stream.lines()
        assert any(line.startswith(": still here") for line in lines)
    assert sse.HEARTBEAT_S == 15
