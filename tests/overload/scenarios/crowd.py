"""Many clients that are connected, lose their hub, and all come back at once."""

import asyncio
import time
from collections import Counter

from tests.overload.load import Options, say, told
from tests.overload.peer import Client, percentile

#: Between two attempts while nobody listens.
RETRY_S = 0.05
#: A handshake that takes longer has timed out: what clients give it by default.
HANDSHAKE_TIMEOUT_S = 10.0


class Member:
    """One client, which comes back until it is subscribed again."""

    def __init__(self, number: int, options: Options) -> None:
        names = options["names"]
        self._name = names[number % len(names)]
        self._options = options
        # As many machines as there are clients, or one.
        own = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
        self._address = own if options.get("spread", True) else "127.0.0.1"
        self._subscribed: asyncio.Future[None]
        self.client: Client
        self.took: float = 0.0

    async def arrive(self, failures: Counter[str]) -> None:
        """Connect and subscribe; while nobody listens, again and again."""
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                    await self._open()
            except ConnectionRefusedError:
                pass
            except TimeoutError:
                failures["timeout"] += 1
            except ConnectionError as error:
                failures[str(error).split("\r\n")[0]] += 1
            else:
                self.took = time.monotonic() - began
                return
            await asyncio.sleep(RETRY_S)

    async def _open(self) -> None:
        self._subscribed = asyncio.get_running_loop().create_future()
        key = self._options["keys"][self._name]
        self.client = await Client.connect(
            self._options["port"], self._hear, name=self._name, key=key, address=self._address
        )
        self.client.send(b'{"cmd":"sub","id":"s","action":"crowd"}')
        await self._subscribed

    def _hear(self, message: bytes) -> None:
        if b'"id":"s"' in message and not self._subscribed.done():
            self._subscribed.set_result(None)


async def run(options: Options) -> None:
    """Everybody arrives, hears of the end of the hub, and comes back."""
    members = [Member(number, options) for number in range(options["clients"])]
    first: Counter[str] = Counter()
    for start in range(0, len(members), 100):
        await asyncio.gather(*(member.arrive(first) for member in members[start : start + 100]))
    say("here", failures=first)
    await asyncio.gather(*(member.client.closed for member in members))
    say("lost")
    failures: Counter[str] = Counter()
    began = time.monotonic()
    await asyncio.gather(*(member.arrive(failures) for member in members))
    took = [member.took for member in members]
    say(
        "back",
        seconds=time.monotonic() - began,
        failures=failures,
        handshake_p50_s=percentile(took, 50),
        handshake_max_s=max(took),
    )
    await told("stop")
