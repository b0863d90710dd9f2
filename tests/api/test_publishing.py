"""Publishing, cancelling and publishing again over HTTP."""

import asyncio
import json
import threading
import uuid
from typing import Any

import pytest

from tests.api.conftest import Start, service
from tests.api.http import Api
from tests.api.test_reading import noun
from tests.hub_process import SERVERS, HubProcess
from tests.peers import V1Peer

NEW = {"startTimeout": 30_000}


def test_a_new_task_is_created_at_an_address(web: Api) -> None:
    answer = web.post("tasks/", {"action": "x:y", "payload": None, **NEW})
    assert answer.status == 201
    task = answer.json["taskId"]
    assert answer.headers["location"].endswith(f"/api/v1/tasks/{task}/")
    assert answer.json == web.get(f"tasks/{task}/").json


def test_all_options_of_an_init(web: Api) -> None:
    given = {"expect": "delivery", "settle": "all", "claim": True, "taskId": f"t-{uuid.uuid4()}"}
    times = {"startTimeout": 1234, "endTimeout": 5678}
    told = web.post("tasks/", {"action": "x:y", "payload": 1, **given, **times}).json
    assert told | given == told


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        (b"", "bad-json", ""),
        (b"{", "bad-json", "JSON"),
        (b"[]", "bad-field", "object"),
        (b'{"action":"x:y","payload":NaN}', "bad-json", "JSON"),
        (b'{"action":"x:y","payload":"\\ud800"}', "bad-json", "JSON"),
        (b'{"action":"x:y","payload":"\xff"}', "bad-json", "UTF-8"),
        (b'{"action":"x:y","payload":' + b"[" * 64 + b"]" * 64 + b"}", "bad-json", "nested"),
        (b'{"action":"x:y","payload":1}x', "bad-json", "JSON"),
        (b'{"payload":1}', "missing-field", "action"),
        (b'{"action":"x:y"}', "missing-field", "payload"),
        (b'{"action":7,"payload":1}', "bad-field", "action"),
        (b'{"action":"nonsense","payload":1}', "bad-action", "noun:verb"),
        (b'{"action":"x:y","payload":1,"taskId":"a b"}', "bad-field", "taskId"),
        (b'{"action":"x:y","payload":1,"startTimeout":0}', "bad-field", "startTimeout"),
        (b'{"action":"x:y","payload":1,"startTimeout":1.5}', "bad-field", "startTimeout"),
        (b'{"action":"x:y","payload":1,"endTimeout":null}', "bad-field", "endTimeout"),
        (b'{"action":"x:y","payload":1,"expect":"x"}', "bad-field", "expect"),
        (b'{"action":"x:y","payload":1,"settle":"x"}', "bad-field", "settle"),
        (b'{"action":"x:y","payload":1,"claim":"yes"}', "bad-field", "claim"),
    ],
)
def test_a_wrong_body_is_refused(web: Api, body: bytes, code: str, word: str) -> None:
    assert word in web.post("tasks/", body).problem(400, code)["detail"]


def test_nesting_to_the_limit_and_a_chunked_body_are_taken(web: Api) -> None:
    deep = b'{"action":"x:y","payload":' + b"[" * 63 + b"]" * 63 + b"}"
    assert web.post("tasks/", deep).status == 201
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(deep), deep)
    assert web.call("POST", "tasks/", chunked, Transfer_Encoding="chunked").status == 201


def test_a_body_is_as_long_as_a_frame_may_be(hub: HubProcess, web: Api) -> None:
    limit = hub.limit("max_frame_bytes")
    frame = b'{"action":"x:y","payload":"%s"}'
    fits = frame % (b"x" * (limit - 400))
    assert web.post("tasks/", fits).status == 201
    web.post("tasks/", frame % (b"x" * limit)).problem(413, "too-big")
    web.post("tasks/", b"{}", Content_Type="text/plain").problem(415, "bad-media-type")
    web.post("tasks/", b"a=1", Content_Type="application/x-www-form-urlencoded").problem(
        415, "bad-media-type"
    )


def test_a_key_makes_a_repeat_safe(web: Api, hub: HubProcess) -> None:
    body = {"action": "x:y", "payload": [1], **NEW}
    key = uuid.uuid4().hex
    first = web.post("tasks/", body, Idempotency_Key=key)
    again = web.post("tasks/", body, Idempotency_Key=key)
    assert (first.status, again.status) == (201, 200)
    assert first.json["taskId"] == again.json["taskId"]
    other = web.post("tasks/", {**body, "payload": [2]}, Idempotency_Key=key)
    other.problem(409, "event-conflict")
    fresh = web.post("tasks/", body, Idempotency_Key=uuid.uuid4().hex)
    stranger = Api.of(hub, "shop").post("tasks/", body, Idempotency_Key=key)
    ids = {answer.json["taskId"] for answer in (first, fresh, stranger)}
    assert len(ids) == 3
    assert {fresh.status, stranger.status} == {201}
    web.post("tasks/", body, Idempotency_Key="é").problem(400, "bad-field")


def test_a_key_keeps_over_a_restart_and_many_at_once(start: Start) -> None:
    hub = start()
    web = Api.of(hub, "web")
    body = {"action": "x:y", "payload": [1], **NEW}
    before = web.post("tasks/", body, Idempotency_Key="k")
    hub.restart()
    answers: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(web.post("tasks/", body, Idempotency_Key="k"))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 8
    assert {answer.json["taskId"] for answer in answers} == {before.json["taskId"]}
    web.post("tasks/", {**body, "payload": 2}, Idempotency_Key="k").problem(409, "event-conflict")
    assert len(web.get("tasks/").json["tasks"]) == 1


def test_a_task_id_of_ones_own_is_taken_once(web: Api) -> None:
    body = {"action": "x:y", "payload": 1, "taskId": uuid.uuid4().hex, **NEW}
    assert web.post("tasks/", body).status == 201
    web.post("tasks/", body).problem(409, "duplicate-task")


@pytest.mark.parametrize("server", SERVERS)
async def test_wait_for_a_service_on_a_socket(start: Start, server: str) -> None:
    hub = await asyncio.to_thread(start, server)
    web = Api.of(hub, "web")
    action = f"{noun()}:do"
    body = {"action": action, "payload": {"n": 4}, "startTimeout": 5000}

    def double(task: dict[str, Any]) -> dict[str, Any]:
        return {"event": "success", "result": task["payload"]["n"] * 2}

    async with service(hub, action, double):
        told = await asyncio.to_thread(web.post, "tasks/?wait=10", body)
        preferred = await asyncio.to_thread(lambda: web.post("tasks/", body, Prefer="wait=10"))
    for answer in (told, preferred):
        assert answer.status == 201, answer
        assert answer.json["outcome"] == "success"
        assert answer.json["result"] == 8
        assert answer.json["state"] == "end"
        assert answer.json["services"] == ["a"]
    assert "preference-applied" not in told.headers
    assert preferred.headers["preference-applied"] == "wait=10"


def test_a_wait_that_ends_before_the_task_says_where_to_ask(web: Api) -> None:
    body = {"action": "x:y", "payload": 1, **NEW}
    answer = web.post("tasks/", body, Prefer="respond-async, wait=1; x=y")
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.headers["location"].endswith(f"/api/v1/tasks/{answer.json['taskId']}/")
    assert answer.json["state"] == "init"
    assert web.post("tasks/", body, Prefer="wait=soon").status == 201
    web.post("tasks/?wait=61", body).problem(400, "bad-field")


async def test_others_see_what_is_published_over_http(hub: HubProcess, web: Api) -> None:
    action = f"{noun()}:do"
    async with V1Peer(hub.url, "operator", hub.keys["operator"]) as watcher:
        await watcher.request("watch", action=action)
        task = await asyncio.to_thread(lambda: web.publish(action, "hello", **NEW))
        await asyncio.to_thread(web.post, f"tasks/{task}/cancel/", {"reason": {"b": 1, "a": 2}})
        told = await watcher.task_until(task, "end")
    assert [(one["event"], one["by"]) for one in told] == [
        ("init", "web"),
        ("fail", "web"),
        ("end", "hub"),
    ]
    assert told[1]["reason"]["code"] == "cancelled"
    assert told[1]["reason"]["reason"] == {"b": 1, "a": 2}


def test_cancel(web: Api, operator: Api, staff: dict[str, Api]) -> None:
    task = web.publish("x:y", **NEW)
    operator.post(f"tasks/{task}/cancel/").problem(403, "forbidden")
    web.post(f"tasks/{task}/cancel/", b'{"reason":NaN}').problem(400, "bad-json")
    done = web.post(f"tasks/{task}/cancel/")
    assert (done.status, done.json["outcome"], done.json["state"]) == (200, "fail", "end")
    assert done.json["reason"]["code"] == "cancelled"
    web.post(f"tasks/{task}/cancel/").problem(409, "task-ended")
    other = web.publish("x:y", **NEW)
    answer = staff["canceller"].post(f"tasks/{other}/cancel/", {"reason": "because"})
    assert answer.status == 200
    reason = json.loads(web.get(f"tasks/{other}/").body)["reason"]
    assert reason["reason"] == "because"


def test_again(web: Api, operator: Api, staff: dict[str, Api]) -> None:
    task = web.publish("x:y", {"n": 1}, **NEW)
    for caller in (web, staff["publisher"]):
        answer = caller.post(f"tasks/{task}/again/")
        assert answer.status == 201, answer
        new = answer.json["taskId"]
        assert new != task
        assert answer.headers["location"].endswith(f"/tasks/{new}/")
        assert answer.json["publisher"] == "web"
        assert web.get(f"tasks/{new}/payload/").json == {"n": 1}
    operator.post(f"tasks/{task}/again/").problem(403, "forbidden")
    web.post(f"tasks/{task}/again/", Idempotency_Key="k").problem(400, "bad-field")
