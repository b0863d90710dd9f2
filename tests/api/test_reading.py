"""``tasks/`` and what is below it: lists, pages, bodies byte for byte."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from hub.api.bodies import MAX_BODY
from tests.api.conftest import Start, service
from tests.api.http import Api
from tests.hub_process import HubProcess
from tests.peers import V1Peer

#: JSON that a parser and a printer would change.
ODD = [
    b'{"b":1,"a":2,"b":3}',
    b"12345678901234567890123",
    b"1e400",
    b"-0.0",
    b"1.10",
    b'"\\u0000"',
    b'"\\u00e9 \xc3\xa9 \\/"',
    b'{ "spaced" :\n[ 1 ,\t2 ] }',
    b"null",
    b"[]",
]
FIELDS = {
    "taskId", "action", "publisher", "state", "outcome", "seq", "createdAt", "startedAt",
    "settledAt", "endedAt", "startDeadline", "endDeadline", "settle", "expect", "claim", "services",
}  # fmt: skip


def noun() -> str:
    """A noun nobody else uses."""
    return f"test/{uuid.uuid4().hex}"


@pytest.mark.parametrize("body", ODD)
async def test_bodies_are_told_byte_for_byte(hub: HubProcess, web: Api, body: bytes) -> None:
    action = f"{noun()}:do"
    async with V1Peer(hub.url, "a", hub.keys["a"]) as peer:
        await peer.request("sub", action=action)
        sent = b'{"action":"%s","payload":%s,"startTimeout":30000}' % (action.encode(), body)
        task = (await asyncio.to_thread(web.post, "tasks/", sent)).json["taskId"]
        await peer.task_until(task, "init")
        told = b'{"cmd":"pub","event":"success","eventId":"%s","taskId":"%s","result":%s}'
        await peer.send(told % (uuid.uuid4().hex.encode(), task.encode(), body))
        await peer.task_until(task, "end")

    payload, result = web.get(f"tasks/{task}/payload/"), web.get(f"tasks/{task}/result/")
    assert (payload.body, result.body) == (body, body)
    assert payload.headers["content-type"] == "application/json"
    listed = web.get("tasks/", action=action, include="payload,result").body
    assert b'"payload":' + body in listed
    assert b'"result":' + body in listed
    assert b'"result":' + body in web.get(f"tasks/{task}/").body
    events = web.get(f"tasks/{task}/events/").body
    assert b'"payload":' + body in events
    assert b'"result":' + body in events


def test_a_task_is_told_as_on_the_wire(web: Api) -> None:
    action = f"{noun()}:do"
    task = web.publish(action, {"secret": 1}, startTimeout=30_000, endTimeout=60_000, claim=True)
    (listed,) = web.get("tasks/", action=action).json["tasks"]
    assert set(listed) == FIELDS
    detail = web.get(f"tasks/{task}/").json
    assert set(detail) == FIELDS | {"participants"}
    assert detail | listed == detail
    assert detail["taskId"] == task
    assert (detail["action"], detail["publisher"]) == (action, "web")
    assert (detail["state"], detail["outcome"], detail["claim"]) == ("init", None, True)
    created = datetime.fromisoformat(detail["createdAt"])
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
    assert detail["createdAt"].endswith("Z")
    assert len(detail["createdAt"]) == len("2026-01-31T12:00:00.000Z")
    waits = datetime.fromisoformat(detail["startDeadline"]) - created
    assert waits.total_seconds() == 30


def test_filters(web: Api, operator: Api) -> None:
    base = noun()
    first = web.publish(f"{base}/a:do", startTimeout=30_000)
    second = web.publish(f"{base}/b:do", startTimeout=30_000, taskId=f"{base[5:]}:x")
    web.post(f"tasks/{second}/cancel/", {"reason": "Needle"})

    def found(**query: object) -> list[str]:
        answer = operator.get("tasks/", action=base, **query)
        assert answer.status == 200, answer
        return [task["taskId"] for task in answer.json["tasks"]]

    assert found() == [second, first]
    assert found(state="init") == [first]
    assert found(state="init,end") == [second, first]
    assert found(outcome="fail") == [second]
    assert found(open="true") == [first]
    assert found(open="false") == [second]
    assert found(publisher="web") == [second, first]
    assert found(publisher="shop") == []
    assert found(service="a") == []
    assert found(taskId=base[5:]) == [second]
    assert found(reason="needle") == [second]
    assert found(since="2020-01-01T00:00:00Z", until="2100-01-01") == [second, first]
    assert found(until="2020-01-01T00:00:00+02:00") == []
    both = operator.get("tasks/", action=f"{base}/a,{base}/b:do").json["tasks"]
    assert [task["taskId"] for task in both] == [second, first]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("colour=red", "colour"),
        ("state=gone", "init"),
        ("outcome=end", "success"),
        ("open=1", "true"),
        ("since=yesterday", "ISO 8601"),
        ("since=0001-01-01T00:00:00%2B14:00", "ISO 8601"),
        ("until=9999-12-31T23:59:59-14:00", "ISO 8601"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=abc", "next"),
        ("cursor=AAAAAAAAAAAAAAAAAAA", "next"),
        ("include=everything", "payload"),
        ("publisher=a%20b", "publisher"),
        ("taskId=%00", "taskId"),
        ("reason=%00", "reason"),
    ],
)
def test_a_wrong_parameter_is_refused(web: Api, query: str, word: str) -> None:
    assert word in web.call("GET", f"tasks/?{query}").problem(400, "bad-field")["detail"]


def test_a_wrong_pattern_is_refused(web: Api) -> None:
    web.get("tasks/", action="a b").problem(400, "bad-action")


def test_pages_give_everything_once_newest_first(web: Api, operator: Api) -> None:
    action = f"{noun()}:do"
    published = [web.publish(action, number, startTimeout=30_000) for number in range(7)]
    pages = list(operator.walk("tasks/", "tasks", action=action, limit=3, include="payload"))
    told = [task for page in pages for task in page]
    assert [task["taskId"] for task in told] == published[::-1]
    assert [task["payload"] for task in told] == [6, 5, 4, 3, 2, 1, 0]
    assert max(map(len, pages)) == 3


def test_a_page_of_large_payloads_ends_early(start: Start) -> None:
    hub = start(TASKHUB_MAX_FRAME_BYTES=str(8 * MAX_BODY))
    web = Api.of(hub, "web")
    sizes = [700_000, 700_000, 700_000, MAX_BODY + 10, 10]
    for size in sizes:
        web.publish("large:do", "x" * (size - 2), startTimeout=30_000)
    pages = list(web.walk("tasks/", "tasks", include="payload"))
    told = [task for page in pages for task in page][::-1]
    assert [len(task.get("payload", "")) + 2 for task in told] == [*sizes[:3], 2, sizes[4]]
    assert told[3]["payloadSize"] == sizes[3]
    assert "payload" not in told[3]
    assert [len(page) for page in pages] == [4, 1]
    whole = web.get(f"tasks/{told[3]['taskId']}/payload/")
    assert len(whole.body) == sizes[3]
    (event,) = web.get(f"tasks/{told[3]['taskId']}/events/").json["events"]
    assert event["bodySize"] == sizes[3]
    assert "payload" not in event


async def test_events_in_pages(hub: HubProcess, web: Api) -> None:
    action = f"{noun()}:do"
    async with V1Peer(hub.url, "a", hub.keys["a"]) as peer:
        await peer.request("sub", action=action)
        task = await asyncio.to_thread(lambda: web.publish(action, startTimeout=30_000))
        await peer.task_until(task, "init")
        await peer.event(task, "update", update=1)
        await peer.event(task, "fail", reason={"why": "no"})
        await peer.task_until(task, "end")
    pages = list(web.walk(f"tasks/{task}/events/", "events", limit=2))
    events = [event for page in pages for event in page]
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
    assert [event["event"] for event in events] == ["init", "start", "update", "fail", "end"]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert events[2]["update"] == 1
    assert events[3]["reason"] == {"why": "no"}
    assert [event["by"] for event in events] == ["web", "a", "a", "a", "hub"]
    later = web.get(f"tasks/{task}/events/", from_=4).json["events"]
    assert later == events[3:]
    (part,) = web.get(f"tasks/{task}/").json["participants"]
    assert (part["client"], part["state"], part["number"]) == ("a", "failed", 1)
    assert web.get(f"tasks/{task}/").json["reason"] == {"why": "no"}
    web.get(f"tasks/{task}/result/").problem(409, "illegal-transition")


async def test_figures(hub: HubProcess, web: Api, operator: Api) -> None:
    base = noun()
    action = f"{base}:do"
    async with service(hub, action, lambda one: {"event": "success", "result": 1}):
        for _ in range(3):
            answer = await asyncio.to_thread(
                web.post, "tasks/?wait=10", {"action": action, "payload": 1, "startTimeout": 5000}
            )
            assert answer.json["outcome"] == "success"
    (one,) = operator.get("actions/", action=base).json["actions"]
    assert (one["action"], one["succeeded"], one["failed"]) == (action, 3, 0)
    assert 0.04 < one["perMinute"] < 0.06  # three in about an hour
    assert 0 <= one["p50"] <= one["p95"]
    detail = operator.get(f"actions/{action}/", width=3600).json
    for field in set(one) - {"perMinute"}:  # of an hour that ends a moment later
        assert detail[field] == one[field]
    assert sum(bucket["succeeded"] for bucket in detail["buckets"]) == 3
    stats = operator.get("stats/", action=base, width=60).json
    assert sum(bucket["succeeded"] for bucket in stats["buckets"]) == 3
    assert {bucket["width"] for bucket in stats["buckets"]} == {60}
    assert operator.get("actions/nothing:here/").json["succeeded"] == 0
    assert operator.get("actions/nothing:here/").json["p50"] is None
    operator.get("stats/", width=61).problem(400, "bad-field")
    operator.get("stats/", since="2000-01-01", width=60).problem(400, "bad-field")
    operator.get("stats/", since="2030-01-01", until="2029-01-01").problem(400, "bad-field")
    operator.get("actions/", until="9999-12-31T23:59:59-14:00").problem(400, "bad-field")
    first = {"since": "0001-01-01", "until": "0100-01-01", "width": 31 * 86_400}
    operator.get("stats/", **first).problem(400, "bad-field")
    assert operator.get("actions/", until="1970-01-01T00:30:00").json["since"].startswith("1969")
    assert operator.get("actions/", since="0001-01-01").json["since"] == "1970-01-01T00:00:00.000Z"
    operator.get("actions/no action/".replace(" ", "%20")).problem(400, "bad-field")


async def test_connections_and_clients(hub: HubProcess, web: Api, staff: dict[str, Api]) -> None:
    action = f"{noun()}:do"
    async with V1Peer(hub.url, "b", hub.keys["b"]) as peer:
        await peer.request("sub", action=action)
        own = (await asyncio.to_thread(Api.of(hub, "b").get, "connections/")).json["connections"]
        all_ = (await asyncio.to_thread(staff["porter"].get, "connections/")).json["connections"]
        (one,) = own
        assert one["connection"] == peer.welcome["connectionId"]
        assert (one["client"], one["protocol"]) == ("b", "taskhub.v1")
        assert one["subscriptions"] == [action]
        assert one["connection"] in {other["connection"] for other in all_}
        told = (await asyncio.to_thread(Api.of(hub, "b").get, "clients/")).json["clients"]
        assert [(client["name"], client["connections"]) for client in told] == [("b", 1)]
        other = await asyncio.to_thread(lambda: web.get("connections/", client="b"))
        assert other.json["connections"] == []
    pages = list(staff["registrar"].walk("clients/", "clients", limit=5))
    names = [client["name"] for page in pages for client in page]
    assert names == sorted(hub.keys)
    assert len(pages) > 1
