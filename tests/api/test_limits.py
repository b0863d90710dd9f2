"""The limits of the API at their number and one further, and what is told of them."""

from contextlib import ExitStack

from hub.api.throttling import Windows
from tests.api.conftest import Start
from tests.api.events import EventStream
from tests.api.http import Api

NEW = {"startTimeout": 30_000}


def test_requests_a_minute(start: Start) -> None:
    hub = start(TASKHUB_API_REQUESTS_PER_MINUTE="3")
    web = Api.of(hub, "web")
    for left in (2, 1, 0):
        answer = web.get("tasks/")
        assert answer.status == 200
        assert answer.headers["ratelimit-policy"] == '"caller";q=3;w=60'
        assert answer.headers["ratelimit"].startswith(f'"caller";r={left};t=')
    over = web.get("tasks/")
    assert over.problem(429, "limit")["retry"]
    assert 1 <= int(over.headers["retry-after"]) <= 60
    assert over.headers["ratelimit"].startswith('"caller";r=0;t=')
    assert Api.of(hub, "shop").get("tasks/").status == 200
    hub.create("slow", pub=["*"])
    assert Api.of(hub, "slow").get("tasks/").headers["ratelimit-policy"] == '"caller";q=3;w=60'


def test_a_minute_begins_with_its_first_request() -> None:
    now = [0.0]
    windows = Windows(lambda: now[0])
    assert [windows.take("a", 2).remaining for _ in range(4)] == [1, 0, -1, -1]
    assert windows.take("b", 2).remaining == 1
    now[0] = 59.5
    assert windows.take("a", 2) == windows.take("a", 2)
    assert windows.take("a", 2).reset == 1
    now[0] = 60.0
    assert windows.take("a", 2).remaining == 1


def test_streams_of_a_client(start: Start) -> None:
    hub = start(TASKHUB_API_STREAMS_PER_CLIENT="2", TASKHUB_API_STREAMS="3")
    web, operator = Api.of(hub, "web"), Api.of(hub, "operator")
    task = web.publish("x:y", **NEW)
    path = f"tasks/{task}/events/stream/"
    with ExitStack() as stack:
        for _ in range(2):
            stream = stack.enter_context(EventStream(web, path))
            assert stream.take(1)
        web.get(path).problem(429, "limit")
        stack.enter_context(EventStream(operator, path)).take(1)
        # The third of three streams of the hub is taken.
        operator.get(path).problem(503, "unavailable")
    # Who has gone is noticed, and leaves room.
    while True:
        with EventStream(web, path) as stream:
            if stream.status == 200:
                assert stream.take(1)
                break


def test_streams_at_a_time() -> None:
    """Held by ``test_streams_of_a_client``, on the same hub."""
