"""The company: who publishes what when, who serves it, and how that goes. One table."""

from dataclasses import dataclass
from typing import Final

from hub.core.values import Expect, Settle
from hub.seeding import bodies
from hub.seeding.bodies import Maker, error

#: How much is published in each hour of the day (UTC).
Rhythm = tuple[int, ...]
FLAT: Final[Rhythm] = (10,) * 24
SHOPPING: Final[Rhythm] = (
    *(3, 2, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13),
    *(14, 13, 12, 12, 13, 15, 17, 19, 20, 17, 11, 6),
)
OFFICE: Final[Rhythm] = (
    *(1, 1, 1, 1, 1, 2, 4, 10, 18, 20, 20, 17),
    *(13, 18, 20, 19, 16, 9, 4, 3, 2, 2, 1, 1),
)
NIGHT: Final[Rhythm] = (
    *(20, 25, 25, 15, 5, 2, 1, 1, 1, 1, 1, 1),
    *(1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 12),
)

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of work, under one action."""

    action: str
    publisher: str
    #: of a thousand tasks, about
    share: float
    rhythm: Rhythm = SHOPPING
    payload: Maker = bodies.reference
    result: Maker = bodies.nothing
    #: how long it takes: half of the tasks take less; the others up to some times as long
    median_ms: int = 50
    #: how far durations lie apart (sigma of their logarithm)
    spread: float = 0.6
    #: updates that tell how far it is
    steps: int = 0
    #: of a hundred, and why
    fails: float = 0.5
    reasons: tuple[str, ...] = (error("internal", "Something went wrong; see the log."),)
    #: of a hundred: the service leaves it to others, or its program hangs and says nothing more
    drops: float = 0.2
    hangs: float = 0.05
    #: of a hundred, by its publisher while it is worked on
    cancelled: float = 0.1
    start_timeout: int | None = SECOND
    end_timeout: int | None = None
    expect: Expect = Expect.RESULT
    settle: Settle = Settle.ANY
    claim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A client that works."""

    name: str
    patterns: tuple[str, ...]
    connections: int = 1
    group: bool = False
    #: looks at everything and leaves nearly all of it to others
    onlooker: bool = False
    #: hours of the day in which it is connected; None: always
    hours: tuple[int, int] | None = None


_DECLINED = error("card-declined", "The bank declined the charge.")
_NO_FUNDS = error("no-funds", "The account does not cover 129.00 EUR.")
_HTTP = tuple(
    error(f"http-{status}", f"The receiver answered {status} {name}.")
    for status, name in (
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
        (404, "Not Found"),
        (410, "Gone"),
    )
)
_TIMED_OUT = error("timeout", "The receiver did not answer within 10 s.")

PUBLISHERS: Final = ("web", "shop", "scheduler", "partner")

SERVICES: Final[tuple[Service, ...]] = (
    Service(name="mailer", patterns=("email",), connections=2, group=True),
    Service(name="texter", patterns=("sms",)),
    Service(name="cashier", patterns=("payment",), connections=2),
    Service(name="auditor", patterns=("payment",), onlooker=True),
    Service(name="resizer", patterns=("image",), connections=3, group=True),
    Service(name="encoder", patterns=("video",)),
    Service(name="reporter", patterns=("report", "invoice")),
    Service(name="indexer", patterns=("search",)),
    Service(name="spellchecker", patterns=("search",)),
    Service(name="translator", patterns=("translate",)),
    Service(name="courier", patterns=("webhook",), connections=2, group=True),
    Service(name="edge", patterns=("cache",), connections=3),
    Service(name="exporter", patterns=("user",)),
    Service(name="scanner", patterns=("document",)),
    Service(name="archivist", patterns=("log",), hours=(1, 5)),
)

#: Published for the archivist, who comes at night: it waits.
WAITING: Final = Work(
    action="log:archive",
    publisher="scheduler",
    share=2,
    rhythm=FLAT,
    median_ms=20 * SECOND,
    start_timeout=DAY,
    end_timeout=2 * DAY,
)

#: Takes minutes, and tells how far it is.
LONG: Final = Work(
    action="video:encode",
    publisher="web",
    share=6,
    payload=bodies.image,
    result=bodies.image,
    median_ms=3 * MINUTE,
    spread=0.7,
    steps=16,
    fails=4,
    cancelled=3,
    reasons=(error("codec", "The audio track has an unknown codec."),),
    end_timeout=30 * MINUTE,
)

WORKS: Final[tuple[Work, ...]] = (
    Work(
        action="email:send",
        publisher="shop",
        share=270,
        payload=bodies.message,
        result=bodies.reference,
        median_ms=180,
        fails=0.8,
        reasons=(
            error("mailbox-full", "452 4.2.2 The recipient's mailbox is full."),
            error("refused", "550 5.7.1 Rejected by policy."),
        ),
    ),
    Work(
        action="email/address:validate",
        publisher="web",
        share=120,
        payload=bodies.address,
        median_ms=25,
        fails=3,
        reasons=(error("no-mx", "The domain takes no mail."),),
    ),
    Work(
        action="sms:send",
        publisher="shop",
        share=45,
        payload=bodies.message,
        median_ms=420,
        fails=2,
        reasons=(error("unreachable", "The number is not in service."),),
    ),
    Work(
        action="payment:charge",
        publisher="shop",
        share=110,
        payload=bodies.amount,
        result=bodies.reference,
        median_ms=650,
        spread=0.8,
        fails=6,
        reasons=(_DECLINED, _DECLINED, _NO_FUNDS),
        claim=True,
    ),
    Work(
        action="payment:refund",
        publisher="shop",
        share=9,
        rhythm=OFFICE,
        payload=bodies.amount,
        median_ms=700,
        fails=1,
        reasons=(_DECLINED,),
        claim=True,
    ),
    Work(
        action="image:resize",
        publisher="web",
        share=130,
        payload=bodies.image,
        result=bodies.image,
        median_ms=90,
        fails=0.6,
        reasons=(error("unreadable", "This is no image."),),
    ),
    Work(action="image/thumbnail:make", publisher="web", share=75, payload=bodies.image),
    LONG,
    Work(
        action="report:build",
        publisher="scheduler",
        share=8,
        rhythm=OFFICE,
        payload=bodies.nested,
        result=bodies.nested,
        median_ms=22 * SECOND,
        steps=8,
        fails=2,
        cancelled=2,
        reasons=(_TIMED_OUT,),
        end_timeout=5 * MINUTE,
    ),
    Work(
        action="report/daily:send",
        publisher="scheduler",
        share=3,
        rhythm=NIGHT,
        payload=bodies.nested,
        median_ms=4 * SECOND,
        steps=2,
    ),
    Work(action="invoice:render", publisher="shop", share=35, payload=bodies.amount, median_ms=900),
    Work(
        action="search/index:refresh",
        publisher="web",
        share=55,
        median_ms=40,
        settle=Settle.ALL,
        result=bodies.reference,
    ),
    Work(
        action="translate:text",
        publisher="partner",
        share=25,
        rhythm=OFFICE,
        payload=bodies.text,
        result=bodies.text,
        median_ms=1_400,
        spread=0.9,
        hangs=0.4,
    ),
    Work(
        action="webhook:deliver",
        publisher="shop",
        share=70,
        payload=bodies.nested,
        median_ms=260,
        spread=1.2,
        fails=9,
        reasons=(*_HTTP, _TIMED_OUT),
    ),
    Work(
        action="cache:purge",
        publisher="web",
        share=18,
        median_ms=12,
        expect=Expect.DELIVERY,
    ),
    Work(
        action="user:export",
        publisher="web",
        share=2,
        rhythm=OFFICE,
        result=bodies.nested,
        median_ms=50 * SECOND,
        steps=10,
        hangs=1,
        cancelled=4,
        end_timeout=10 * MINUTE,
    ),
    Work(
        action="document:scan",
        publisher="partner",
        share=16,
        rhythm=OFFICE,
        payload=bodies.document,
        median_ms=320,
        fails=2.5,
        reasons=(
            error("infected", "The file holds <Eicar-Test-Signature>."),
            error("encrypted", "The file is encrypted; ask its owner for the password."),
        ),
    ),
    # Nobody has served this for years.
    Work(action="fax:send", publisher="partner", share=0.6, rhythm=OFFICE, payload=bodies.message),
    WAITING,
)
