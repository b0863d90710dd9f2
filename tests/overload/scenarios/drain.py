"""Many connections, some of them at work, that hear of the end of the hub."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path

from tests.overload.load import Options, say, told
from tests.overload.peer import Client, OnMessage
from tests.overload.scenarios.stream import Sleeper

#: Tasks of each publisher in flight.
IN_FLIGHT = 8
PUBLISHERS = 20


class Publisher:
    """Keeps a few tasks in flight, and notes what it was told of."""

    def __init__(self, number: int) -> None:
        self._mark = b"d%d-" % number
        self._ids = itertools.count()
        self.acknowledged: list[bytes] = []
        self.client: Client

    def hear(self, message: bytes) -> None:
        at = message.find(b'"eventId":"' + self._mark)
        if at < 0:
            return
        assert not message.startswith(b'{"status":"error"'), message
        self.acknowledged.append(message[at + 11 : message.index(b'"', at + 11)])
        if b'"event":"success"' in message:
            self.publish()

    def publish(self) -> None:
        task = b"%b%d" % (self._mark, next(self._ids))
        self.client.send(
            b'{"cmd":"pub","event":"init","eventId":"%bi","taskId":"%b",'
            b'"action":"drain:do","payload":1}' % (task, task)
        )
        self.client.send(
            b'{"cmd":"pub","event":"success","eventId":"%bs","taskId":"%b","result":1}'
            % (task, task)
        )


async def run(options: Options) -> None:
    """Work until the hub closes everyone, then tell who heard what and when."""
    clients: list[Client] = []
    publishers = [Publisher(number) for number in range(PUBLISHERS)]
    told_why = 0

    async def open_one(hear: OnMessage | None = None) -> Client:
        def listen(message: bytes) -> None:
            nonlocal told_why
            told_why += b'"close":1012' in message
            if hear is not None:
                hear(message)

        client = await Client.connect(
            options["port"], listen, name="many", key=options["keys"]["many"]
        )
        clients.append(client)
        return client

    for publisher in publishers:
        publisher.client = await open_one(publisher.hear)
    while len(clients) < options["clients"]:
        batch = min(50, options["clients"] - len(clients))
        await asyncio.gather(*(open_one() for _ in range(batch)))
    sleeping = None
    if options.get("sleeper"):
        sleeper = Sleeper(options)
        await sleeper.open()
        sleeping = asyncio.create_task(sleeper.only_publishes())
    for publisher in publishers:
        for _ in range(IN_FLIGHT):
            publisher.publish()
    say("working")
    await asyncio.gather(*(client.closed for client in clients))
    names = [name for publisher in publishers for name in publisher.acknowledged]
    Path(options["acknowledged"]).write_bytes(b"\n".join(names))  # noqa: ASYNC240  (all is over)
    say(
        "closed",
        codes=Counter(str(client.code) for client in clients),
        told=told_why,
        last=max(client.closed_at for client in clients),
        acknowledged=len(names),
    )
    await told("stop")
    if sleeping is not None:
        sleeping.cancel()
