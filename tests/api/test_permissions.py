"""Who may ask what: each right from both sides."""

import base64
import uuid

import pytest

from tests.api.conftest import STAFF, Staff, Start
from tests.api.http import Api, basic, signed_in
from tests.api.test_reading import noun
from tests.hub_process import HubProcess

NEW = {"startTimeout": 30_000}
READS = ["tasks/", "actions/", "stats/", "clients/", "connections/", "actions/a:b/"]
OF_A_TASK = ["", "payload/", "events/", "events/stream/", "result/"]


@pytest.mark.parametrize("path", [*READS, "tasks/t/", *(f"tasks/t/{path}" for path in OF_A_TASK)])
def test_nobody_reads_without_a_key(hub: HubProcess, path: str) -> None:
    answer = Api(hub).get(path)
    answer.problem(401, "unauthenticated")
    # Not Basic: a browser would keep the password for requests that other sites make.
    assert answer.headers["www-authenticate"] == 'Bearer realm="TaskHub"'


@pytest.mark.parametrize("path", ["tasks/", "tasks/t/cancel/", "tasks/t/again/"])
def test_nobody_writes_without_a_key(hub: HubProcess, path: str) -> None:
    Api(hub).post(path, {"action": "x:y", "payload": 1}).problem(401, "unauthenticated")


def test_a_key_as_basic_or_alone(hub: HubProcess) -> None:
    key = hub.keys["web"]
    good = [
        basic("web", key),
        f"Bearer {key}",
        f"bearer  {key}",
        basic("web", key.replace("_", "%5F")),
    ]
    for header in good:
        assert Api(hub).call("GET", "tasks/", Authorization=header).status == 200, header
    bad = [
        basic("shop", key),
        basic("web", key[:-1]),
        basic("", ""),
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"\xff:x").decode(),
        "Bearer",
        "Bearer x",
        f"Bearer {key[:-1]}",
        f"Token {key}",
    ]
    for header in bad:
        Api(hub).call("GET", "tasks/", Authorization=header).problem(401, "unauthenticated")


def test_wrong_keys_are_limited_by_address_and_right_ones_too_then(start: Start) -> None:
    hub = start(TASKHUB_WRONG_KEYS_PER_NAME="3", TASKHUB_WRONG_KEYS_PER_ADDRESS="5")
    ask = Api(hub).call
    for name in ("web", "%77eb", "we%62"):
        ask("GET", "tasks/", Authorization=basic(name, "wrong")).problem(401, "unauthenticated")
    locked = ask("GET", "tasks/", Authorization=basic("web", hub.keys["web"]))
    assert locked.problem(429, "limit")["retry"]
    assert int(locked.headers["retry-after"]) == 60
    assert Api.of(hub, "shop").get("tasks/").status == 200
    forged = hub.keys["web"][:-1]
    for _ in range(2):
        ask("GET", "tasks/", Authorization=f"Bearer {forged}").problem(401, "unauthenticated")
    Api.of(hub, "shop").get("tasks/").problem(429, "limit")


def test_a_withdrawn_key_is_good_for_nothing_at_once(start: Start) -> None:
    hub = start()
    web = Api.of(hub, "web")
    assert web.get("tasks/").status == 200
    hub.revoke("web")
    web.get("tasks/").problem(401, "unauthenticated")


def test_a_client_sees_its_own_tasks_and_those_it_may_watch(hub: HubProcess, web: Api) -> None:
    mine = web.publish("secret:work", {"a": 1}, **NEW)
    weather = web.publish("weather:work", {"a": 1}, **NEW)
    stranger, shop = Api.of(hub, "stranger"), Api.of(hub, "shop")
    for caller, task in ((stranger, mine), (shop, mine), (shop, weather)):
        for path in OF_A_TASK:
            unknown = caller.get(f"tasks/{task}/{path}")
            absent = caller.get(f"tasks/{uuid.uuid4()}/{path}")
            unknown.problem(404, "unknown-task")
            assert unknown.body == absent.body
        for path in ("cancel/", "again/"):
            unknown = caller.post(f"tasks/{task}/{path}")
            unknown.problem(404, "unknown-task")
            assert unknown.body == caller.post(f"tasks/{uuid.uuid4()}/{path}").body
        listed = caller.get("tasks/", limit=200).json["tasks"]
        assert task not in {one["taskId"] for one in listed}
    for path in ("", "payload/", "events/"):
        assert stranger.get(f"tasks/{weather}/{path}").status == 200
    stranger.post(f"tasks/{weather}/cancel/").problem(403, "forbidden")


def test_a_client_publishes_what_it_may(hub: HubProcess, operator: Api) -> None:
    body = {"action": "other:work", "payload": 1}
    Api.of(hub, "stranger").post("tasks/", body).problem(403, "forbidden")
    operator.post("tasks/", body).problem(403, "forbidden")
    body["action"] = "weather:work"
    assert Api.of(hub, "stranger").post("tasks/", body).status == 201


def test_a_client_sees_figures_of_what_it_may_subscribe_to_or_watch(
    hub: HubProcess, web: Api, operator: Api
) -> None:
    base = noun()
    for action in (f"{base}:do", f"weather/{base}:do"):
        web.post("tasks/", {"action": action, "payload": 1, "taskId": uuid.uuid4().hex, **NEW})
    for task in web.get("tasks/", action=f"{base},weather/{base}").json["tasks"]:
        web.post(f"tasks/{task['taskId']}/cancel/")
    stranger = Api.of(hub, "stranger")

    def seen(caller: Api, **query: str) -> set[str]:
        return {one["action"] for one in caller.get("actions/", **query).json["actions"]}

    assert {f"{base}:do", f"weather/{base}:do"} <= seen(operator)
    assert f"weather/{base}:do" in seen(stranger)
    assert f"{base}:do" not in seen(stranger)
    assert seen(stranger, action=base) == set()
    assert seen(stranger, action=f"weather/{base}") == {f"weather/{base}:do"}
    assert f"weather/{base}:do" in seen(stranger, action="*")
    assert seen(web) == set()
    web.get("stats/").problem(403, "forbidden")
    stranger.get("stats/", action=base).problem(403, "forbidden")
    assert stranger.get("stats/").status == 200
    assert stranger.get(f"actions/weather/{base}:do/").status == 200
    stranger.get(f"actions/{base}:do/").problem(404, "not-found")


#: Endpoint → what it takes of staff.
NEEDS = {
    "tasks/": "hub.view_task",
    "actions/": "hub.view_task",
    "actions/a:b/": "hub.view_task",
    "stats/": "hub.view_task",
    "connections/": "hub.view_connection",
    "clients/": "credentials.view_client",
}


@pytest.mark.parametrize("path", NEEDS)
def test_staff_read_what_they_may(staff: Staff, path: str) -> None:
    for name in ("nobody", "viewer", "porter", "registrar", "boss"):
        answer = staff[name].get(path)
        if STAFF[name] == "all" or NEEDS[path] in STAFF[name]:
            assert answer.status == 200
        else:
            assert NEEDS[path] in answer.problem(403, "forbidden")["detail"]


def test_staff_see_bodies_only_with_their_permission(staff: Staff, web: Api) -> None:
    task = web.publish("x:y", {"secret": "s3cr3t"}, **NEW)
    viewer, reader = staff["viewer"], staff["reader"]
    for path in (f"tasks/{task}/", f"tasks/{task}/events/", "tasks/"):
        answer = viewer.get(path)
        assert answer.status == 200
        assert b"s3cr3t" not in answer.body
    viewer.get(f"tasks/{task}/payload/").problem(403, "forbidden")
    viewer.get(f"tasks/{task}/result/").problem(403, "forbidden")
    viewer.get("tasks/", include="payload").problem(403, "forbidden")
    viewer.get(f"tasks/{task}/", include="result").problem(403, "forbidden")
    staff["nobody"].get(f"tasks/{task}/").problem(403, "forbidden")
    staff["nobody"].get(f"tasks/{task}/events/stream/").problem(403, "forbidden")
    for path in (f"tasks/{task}/?include=payload", f"tasks/{task}/events/"):
        assert b"s3cr3t" in reader.call("GET", path).body
    assert b"s3cr3t" in reader.get(f"tasks/{task}/payload/").body


def test_reasons_are_searched_only_by_who_may_read_them(staff: Staff) -> None:
    staff["viewer"].get("tasks/", reason="x").problem(403, "forbidden")
    assert staff["reader"].get("tasks/", reason="x").status == 200


def test_staff_do_what_they_may_with_a_csrf_token(staff: Staff, web: Api) -> None:
    task = web.publish("x:y", **NEW)
    for name in ("nobody", "viewer", "publisher", "blind"):
        staff[name].post(f"tasks/{task}/cancel/").problem(403, "forbidden")
    for name in ("nobody", "viewer", "canceller", "blind"):
        staff[name].post(f"tasks/{task}/again/").problem(403, "forbidden")
    boss = staff["boss"]
    forged = Api(boss.hub, {"Cookie": boss.headers["Cookie"]})
    for path in (f"tasks/{task}/cancel/", f"tasks/{task}/again/"):
        assert "CSRF" in forged.post(path).problem(403, "forbidden")["detail"]
    assert web.get(f"tasks/{task}/").json["outcome"] is None
    assert staff["publisher"].post(f"tasks/{task}/again/").status == 201
    assert staff["canceller"].post(f"tasks/{task}/cancel/").status == 200
    boss.post("tasks/", {"action": "x:y", "payload": 1}).problem(403, "forbidden")


def test_who_is_not_staff_is_nobody(start: Start) -> None:
    hub = start()
    hub.staff(guest=["hub.view_task"])
    guest = signed_in(hub, "guest")
    assert guest.get("tasks/").status == 200
    hub.staff(guest=None)
    guest.get("tasks/").problem(403, "forbidden")
