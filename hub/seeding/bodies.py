"""Payloads, results and reasons as programs would send them: JSON of several sizes.

Each maker takes the source of randomness and a number that no other task has.
"""

import json
from collections.abc import Callable
from random import Random

Maker = Callable[[Random, int], str]

_NAMES = (
    "Ada Lovelace",
    "Grace Hopper",
    "Zoë Ångström",
    "José Núñez",
    "李小龍",
    "Надежда Петрова",
    "فاطمة الزهراء",
    "Siân O'Brien",
)
_SUBJECTS = ("Welcome", "Your invoice", "A reminder", "Votre facture", "Ihre Bestellung 📦")
_SENTENCES = (
    "The parcel has left the house.",
    "Bitte prüfen Sie die Rechnung.",
    "Le colis est arrivé à l'heure.",
    "荷物は明日届きます。",
    "Спасибо за заказ!",
    "It costs < 5 € & weighs > 2 kg.",
)
#: Names that users have really given to files: nothing of them may ever be markup.
_FILES = (
    "scan-0001.pdf",
    "Rechnung März.pdf",
    "<script>alert(document.title)</script>.pdf",
    '"><img src=x onerror=alert(1)>.png',
    "../../etc/passwd",
    "履歴書.docx",
)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def message(random: Random, number: int) -> str:
    """A letter, an SMS."""
    name = random.choice(_NAMES)
    to = f"customer{number % 9973}@example.org"
    return f'{{"to":"{to}","name":"{name}","subject":"{random.choice(_SUBJECTS)}"}}'


def address(random: Random, number: int) -> str:
    """Something to check."""
    return f'"customer{number % 9973}@example.{random.choice(("org", "com", "net"))}"'


def amount(random: Random, number: int) -> str:
    """Money. As text where a float would round it."""
    cents = random.randrange(100, 90_000)
    return f'{{"order":{number},"amount":{cents / 100:.2f},"currency":"EUR"}}'


def image(random: Random, number: int) -> str:
    """A picture and what to make of it."""
    width = random.choice((320, 640, 1280, 2560))
    return f'{{"file":"img/{number:08x}.jpg","width":{width},"format":"webp"}}'


def reference(_: Random, number: int) -> str:
    """Only a key."""
    return f'{{"id":{number}}}'


def document(random: Random, number: int) -> str:
    """A file by the name that its owner gave it."""
    return _json({"id": number, "file": random.choice(_FILES), "owner": random.choice(_NAMES)})


def text(random: Random, number: int) -> str:
    """A text of some kilobytes; one in fifty is a whole book."""
    sentences = 3_000 if random.random() < 0.02 else random.randrange(4, 80)
    words = " ".join(random.choices(_SENTENCES, k=sentences))
    return _json({"id": number, "from": "auto", "to": "en", "text": words})


def nested(random: Random, number: int) -> str:
    """What a tree is for."""
    rows = [{"day": day, "sold": random.randrange(500)} for day in range(1, 8)]
    return _json({"report": number, "filters": {"shop": ["de", "fr"], "open": None}, "rows": rows})


def nothing(_: Random, __: int) -> str:
    """As many tasks have none."""
    return "null"


def error(code: str, sentence: str) -> str:
    """A reason as a service gives it."""
    return _json({"code": code, "message": sentence})
