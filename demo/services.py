"""The clients of the demo: three services, a shop that publishes, and what they say."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any, Final

import taskhub

#: What the shop publishes, over and over: an action and what its payload holds.
ROUND: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("email:send", {"to": "ada@example.org", "subject": "Welcome"}),
    ("payment:charge", {"amount": 120, "currency": "EUR"}),
    ("email:send", {"to": "grace@example.org", "subject": "Your invoice"}),
    ("payment:charge", {"amount": 950, "currency": "EUR"}),
    ("report:build", {"month": "May", "pages": 10}),
    ("email:send", {"to": "alan@example.org", "subject": "A reminder"}),
    ("payment:charge", {"amount": 75, "currency": "CHF"}),
    ("email:send", {"to": "edsger@example.org", "subject": "Your invoice"}),
    # Long enough to be opened and cancelled in a browser.
    ("report:build", {"month": "All-of-2026", "pages": 100}),
    ("email:send", {"to": "barbara@example.org", "subject": "Welcome"}),
    ("payment:charge", {"amount": 45, "currency": "EUR"}),
    ("email:send", {"to": "donald@example.org", "subject": "Your invoice"}),
    ("payment:charge", {"amount": 230, "currency": "EUR"}),
    ("report:build", {"month": "June", "pages": 6}),
    ("email:send", {"to": "ken@example.org", "subject": "A reminder"}),
    ("payment:charge", {"amount": 60, "currency": "EUR"}),
)
#: The cashier declines what is above.
CARD_LIMIT: Final = 500


class CardDeclinedError(Exception):
    """The charge is over the card's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Three clients with their handlers, not connected yet."""

    #: Seconds that everything in the demo is measured by.
    pace: float

    def mailer(self, client: taskhub.Client) -> None:
        """Quick: one step, one result."""

        @client.sub("email:send", concurrency=8)
        async def send(job: taskhub.Job) -> dict[str, str]:
            await asyncio.sleep(self.pace / 5)
            return {"sent": job.payload["to"]}

    def reporter(self, client: taskhub.Client) -> None:
        """Slow, and tells how far it is."""

        @client.sub("report:build", concurrency=12)
        async def build(job: taskhub.Job) -> dict[str, str]:
            pages = job.payload["pages"]
            for done in range(pages):
                await job.update({"done": done, "total": pages})
                await asyncio.sleep(self.pace * 0.6)
            return {"file": f"{job.payload['month'].lower()}.pdf"}

    def cashier(self, client: taskhub.Client) -> None:
        """Fails what is too much, and leaves foreign money to others."""

        @client.sub("payment:charge", concurrency=4)
        async def charge(job: taskhub.Job) -> dict[str, int]:
            await asyncio.sleep(self.pace)
            if job.payload["currency"] != "EUR":
                raise taskhub.Drop(f"no {job.payload['currency']} account")
            if job.payload["amount"] > CARD_LIMIT:
                raise CardDeclinedError(f"{job.payload['amount']} EUR is over the limit")
            return {"charged": job.payload["amount"]}


def orders() -> Iterator[tuple[str, dict[str, Any]]]:
    """Actions and payloads without end, each payload with a number of its own."""
    for number, (action, payload) in zip(count(1), cycle(ROUND), strict=False):
        yield action, {"order": number, **payload}


async def publish(client: taskhub.Client, *, pace: float) -> None:
    """One task at each beat, until cancelled."""
    for action, payload in orders():
        client.pub(action, payload, start_timeout=5)
        await asyncio.sleep(pace)
