"""The client against a scripted hub: what it sends, and what it makes of what it hears."""

import asyncio
import base64
from http import HTTPStatus
from typing import Any

import pytest
import taskhub
from taskhub import _mailbox
from taskhub._address import address_find
from taskhub._patterns import covers

from tests.client.fake_hub import FakeHub, client_of, during, fake_hub, published


class TestAddress:
    def test_arguments_win_over_the_url_and_the_url_over_the_environment(self) -> None:
        environ = {"TASKHUB_URL": "ws://c:3@env/", "TASKHUB_NAME": "d", "TASKHUB_KEY": "4"}
        found = address_find("ws://a:1@host:81/ws/", None, "2", environ)
        assert (found.url, found.name, found.key) == ("ws://host:81/ws/", "a", "2")
        found = address_find(None, None, None, environ)
        assert (found.url, found.name, found.key) == ("ws://env/", "c", "3")
        found = address_find("ws://host/", None, None, environ)
        assert (found.name, found.key) == ("d", "4")

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            (None, "TASKHUB_URL"),
            ("http://host/", "ws://host:port/"),
            ("ws://host:port/", "cannot be read"),
            ("ws://:secret@host/", "TASKHUB_NAME"),
            ("ws://name@host/", "TASKHUB_KEY"),
        ],
    )
    def test_what_is_missing_is_named_and_the_key_is_not(self, url: str | None, says: str) -> None:
        with pytest.raises(taskhub.ConfigurationError, match=says) as caught:
            address_find(url, None, None, {})
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "key", "sent"),
        [
            ("me", "k:e%20y", "me:k:e%20y"),
            ("m:e", "k", "m%3Ae:k"),
            ("me", "schlüssel", "me:schl%C3%BCssel"),
        ],
    )
    def test_only_what_basic_cannot_carry_is_encoded(self, name: str, key: str, sent: str) -> None:
        header = address_find("ws://host/", name, key, {}).authorization
        assert base64.b64decode(header.removeprefix("Basic ")).decode() == sent

    def test_no_repr_shows_the_key(self) -> None:
        client = taskhub.Client("ws://me:s3cret@host/")
        assert "s3cret" not in repr(client) + repr(client._address)
        assert "me" in repr(client)


@pytest.mark.parametrize(
    ("pattern", "action", "named"),
    [
        ("weather:forecast", "weather:forecast", True),
        ("weather", "weather:forecast", True),
        ("weather", "weather/metno:forecast", True),
        ("weather", "weatherman:x", False),
        ("weather/metno", "weather:forecast", False),
        ("weather:fore", "weather:forecast", False),
        ("*", "anything:else", True),
    ],
)
def test_patterns(pattern: str, action: str, named: bool) -> None:
    assert covers(pattern, action) is named


class TestConnecting:
    async def test_sends_basic_and_can_be_entered_again(self, hub: FakeHub) -> None:
        client = client_of(hub)
        for _ in range(2):
            async with client:
                assert hub.authorization == "Basic bWU6azN5"

    @pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
    async def test_refused_credentials(self, hub: FakeHub, status: HTTPStatus) -> None:
        hub.refuse_with = status
        with pytest.raises(taskhub.AuthenticationError, match="revoked") as caught:
            await client_of(hub).__aenter__()
        assert caught.value.status == status
        assert "k3y" not in str(caught.value)

    async def test_other_refusals_are_no_authentication_errors(self, hub: FakeHub) -> None:
        hub.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
        with pytest.raises(taskhub.ConnectionFailed, match="come back") as caught:
            await client_of(hub).__aenter__()
        assert type(caught.value) is taskhub.ConnectionFailed

    async def test_nobody_listens(self) -> None:
        async with fake_hub() as gone:
            pass
        with pytest.raises(taskhub.ConnectionFailed, match="not reached"):
            await client_of(gone).__aenter__()

    async def test_a_first_message_that_is_no_welcome(self, hub: FakeHub) -> None:
        hub.first_message = {"status": "ok", "message": "hello"}
        with pytest.raises(taskhub.ConnectionFailed, match="no welcome"):
            await client_of(hub).__aenter__()

    async def test_using_it_unconnected(self, hub: FakeHub) -> None:
        with pytest.raises(taskhub.ConnectionLost, match="async with"):
            client_of(hub).pub("a:b")


class TestPublishing:
    async def test_options_are_milliseconds_on_the_wire_and_absent_when_not_given(
        self, hub: FakeHub
    ) -> None:
        async with client_of(hub) as client:
            task = client.pub("a:b", end_timeout=1.5, claim=False)
            init = await hub.command()
            assert init.keys() == {
                "cmd", "id", "event", "eventId", "taskId", "action", "payload",
                "endTimeout", "claim",
            }  # fmt: skip
            assert (init["payload"], init["endTimeout"]) == (None, 1500)
            await hub.echo(init)
            assert (await task.accepted()).kind == "init"

    async def test_events_from_the_first_to_the_end_and_the_result(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            task = await published(hub, client)
            await hub.event(task.task_id, "start", by="svc")
            await hub.event(task.task_id, "update", by="svc", update=0)
            await hub.event(task.task_id, "drop", by="x", outcome="success", result=[1])
            await hub.event(task.task_id, "success", by="svc", result=None)
            assert await task.result() is None
            await hub.event(task.task_id, "end", by="hub")
            await task.ended()
            seen = [(event.seq, event.kind, event.by, event.value) async for event in task]
            assert seen == [
                (1, "init", "me", {"a": 1}),
                (2, "start", "svc", None),
                (3, "update", "svc", 0),
                (4, "drop", "x", [1]),
                (5, "success", "svc", None),
                (6, "end", "hub", None),
            ]

    async def test_an_answer_without_the_commands_id_is_known_by_its_event(
        self, hub: FakeHub
    ) -> None:
        async with client_of(hub) as client:
            task = client.pub("a:b")
            init = await hub.command()
            await hub.echo({name: init[name] for name in init if name != "id"})
            await task.accepted()

    @pytest.mark.parametrize(
        ("reason", "code"),
        [({"code": "no-subscriber", "message": "m"}, "no-subscriber"), ("declined", None)],
    )
    async def test_a_fail_carries_its_reason(
        self, hub: FakeHub, reason: Any, code: str | None
    ) -> None:
        async with client_of(hub) as client:
            task = await published(hub, client)
            await hub.event(task.task_id, "fail", by="hub", reason=reason)
            with pytest.raises(taskhub.TaskFailed) as caught:
                await task.result()
            assert (caught.value.reason, caught.value.code) == (reason, code)

    async def test_a_refused_task_leaves_nothing_behind(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            task = client.pub("a:b", task_id="t1")
            await hub.refuse(await hub.command(), "limit", retry=True)
            for asked in (task.accepted, task.result, task.ended, lambda: task.result(default=1)):
                with pytest.raises(taskhub.Refused, match="No") as caught:
                    await asked()
                assert (caught.value.code, caught.value.retry) == ("limit", True)
            await published(hub, client, task_id="t1")
            with pytest.raises(taskhub.Refused, match="duplicate-task"):
                client.pub("a:b", task_id="t1")

    async def test_a_payload_that_is_no_json_is_never_sent(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            with pytest.raises(TypeError):
                client.pub("a:b", object())
            assert hub.nothing_waits()

    async def test_cancel(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            task = await published(hub, client)

            async def accept() -> None:
                cancel = await hub.expect(cmd="cancel", taskId=task.task_id, reason="late")
                reason = {"code": "cancelled"}
                await hub.event(task.task_id, "fail", by="hub", reason=reason, id=cancel["id"])

            await during(task.cancel("late"), accept)
            with pytest.raises(taskhub.TaskFailed):
                await task.result()

    async def test_events_nobody_reads_are_bounded_and_the_result_still_comes(
        self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("taskhub._task.UNREAD_EVENTS", 2)
        async with client_of(hub) as client:
            task = await published(hub, client)
            for value in range(3):
                await hub.event(task.task_id, "update", update=value)
            await hub.event(task.task_id, "success", result="r")
            assert await task.result() == "r"
            events = aiter(task)
            assert [(await anext(events)).kind for _ in range(2)] == ["init", "update"]
            with pytest.raises(taskhub.Overflow, match="first 2 are not kept"):
                await anext(events)


class TestTheEndOfAConnection:
    async def test_a_revoked_key_ends_everything_that_waits(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            task = await published(hub, client)
            unanswered = client.pub("a:b")
            await hub.expect(event="init")
            serving = asyncio.ensure_future(client.serve())
            await hub.say({"status": "error", "error": "PermissionError", "message": "Revoked."})
            await hub.close(4401, "bye")
            for asked in (unanswered.accepted, task.result, task.ended, client.serve):
                with pytest.raises(taskhub.AuthenticationError, match=r"Revoked\. bye") as caught:
                    await asked()
                assert caught.value.status == 4401
            with pytest.raises(taskhub.AuthenticationError):
                client.pub("a:b")
            with pytest.raises(taskhub.AuthenticationError):
                await serving
        assert hub.connections == 1

    async def test_a_message_that_cannot_be_read(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            serving = asyncio.ensure_future(client.serve())
            await hub.say('{"status": 7}')
            with pytest.raises(taskhub.ProtocolError, match="cannot read"):
                await serving

    async def test_closed_from_this_side(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:
            task = await published(hub, client)

            async def accept() -> None:
                await hub.ok(await hub.expect(cmd="watch", action="*"))

            serving = asyncio.ensure_future(client.serve())
            watch = await during(client.watch("*"), accept)
        await serving
        assert [event async for event in watch] == []
        with pytest.raises(taskhub.ConnectionLost, match="closed"):
            await task.result()


class TestWatching:
    async def test_a_watch_gets_what_its_pattern_names_until_unwatched(self, hub: FakeHub) -> None:
        async with client_of(hub) as client:

            async def accept(cmd: str) -> None:
                await hub.ok(await hub.expect(cmd=cmd, action="email"))

            watch = await during(client.watch("email"), lambda: accept("watch"))
            with pytest.raises(taskhub.Refused, match="already"):
                await client.watch("email")
            await hub.event("t1", "init", action="email:send", payload=1)
            await hub.event("t2", "init", action="other:x", payload=1)
            await hub.event("t2", "start")
            await hub.event("t1", "start")
            await hub.event("t0", "start")  # older than the watch: its action is not known
            await during(client.unwatch("email"), lambda: accept("unwatch"))
            seen = [(event.task_id, event.kind, event.action) async for event in watch]
            assert seen == [
                ("t1", "init", "email:send"),
                ("t1", "start", "email:send"),
                ("t0", "start", None),
            ]


async def test_a_mailbox_ends_only_once() -> None:
    box: _mailbox.Mailbox[int] = _mailbox.Mailbox(bound=1, what="Numbers")
    box.put(1)
    box.end()
    box.end(ValueError())
    box.put(2)
    assert await box.next() == 1
    with pytest.raises(StopAsyncIteration):
        await box.next()
