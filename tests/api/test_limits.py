"""The limits of the API at their number and one further, and what is told of them."""

import contextlib
import http.client
import socket
from contextlib import ExitStack

from hub.api.throttling import Windows
from hub.gateway.bodies import LEAST_BYTES
from tests.api.conftest import Start
from tests.api.events import EventStream
from tests.api.http import ROOT, TIMEOUT_S, Api

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
        for _ in range(4):  # a look at the headers takes no place
            looking = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=TIMEOUT_S)
            stack.callback(looking.close)
            looking.request("HEAD", ROOT + path, headers=web.headers)
            assert looking.getresponse().status == 200
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


def test_no_body_is_kept_that_is_too_long_for_anybody(start: Start) -> None:
    hub = start()
    stranger = Api(hub)
    piece = b"x" * 65_536
    pieces = LEAST_BYTES // len(piece)

    def send(count: int, *, chunked: bool) -> int:
        with socket.create_connection(("127.0.0.1", hub.port), TIMEOUT_S) as peer:
            size = f"Content-Length: {count * len(piece)}"
            kind = "Transfer-Encoding: chunked" if chunked else size
            head = f"POST /api/v1/tasks/ HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n\r\n"
            with contextlib.suppress(OSError):  # it is cut off, which is the point
                peer.sendall(head.encode())
                for _ in range(count):
                    peer.sendall(b"10000\r\n%s\r\n" % piece if chunked else piece)
                peer.sendall(b"0\r\n\r\n" if chunked else b"")
            return int(peer.recv(12).split()[1])

    for chunked in (False, True):
        assert send(pieces, chunked=chunked) == 401
        assert send(pieces + 1, chunked=chunked) == 413
    assert stranger.get("tasks/").status == 401
