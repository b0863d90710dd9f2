"""Actions and patterns: every odd character, every length, and rights to the letter (§1, §7)."""

import json

from tests.strangers.corpus.case import FAIL, Case, both, init, v1


def _sub(action: str) -> str:
    return json.dumps({"cmd": "sub", "action": action})


def _init(action: str) -> str:
    ids = {"eventId": "$E", "taskId": "$T"}
    return json.dumps({"cmd": "pub", "event": "init", **ids, "action": action, "payload": 1})


#: In the middle of a part, each of these breaks it.
ODD = [
    *" !\"#$%&'()*+,;<=>?@[\\]^`{|}~\t\n\r\0\x0b\x7f\x80",
    "é", "ß", "\u00ad", "\u0130", "\u0391", "\u0405", "\u0661", "\u200b", "\u202e", "\u2028",
    "\u2215", "\ua789", "\ufeff", "\uff1a", "\uff0f", "\U0001d7d8", "\U0001f600",
]  # fmt: skip
#: Wrong as a whole, as an action and as a pattern.
WRONG = [
    "", ":", "/", "::", "weather:", ":x", "weather::x", "weather:x:y", "weather:x/y", "/weather:x",
    "weather/:x", "weather//a:x", "weather/", "weather:x ", " weather:x", "weather:x\n", "*:x",
    "weather:*", "weather/*", "weather*", "**", "* ", ".weather:x", "-weather:x", "_weather:x",
    "weather:.x", "weather:-x", "weather/.a:x", "weather/../email:x", "./weather:x", "weather%3Ax",
]  # fmt: skip
RIGHT = [
    "weather:x", "weather:X", "weather:9", "weather:x.y_z-1", "weather:x.", "weather/9:0",
    "weather/a/b/c/d/e/f:x", "weather/a.b-c_d:x", "weather/" + "a/" * 120 + "b:x",
    "weather:" + "x" * 247,
]  # fmt: skip
#: Covered by nothing that the client was granted, which is ``weather`` and ``email``.
FOREIGN = [
    "other:x", "weatherx:x", "weatherman:x", "weathe:x", "Weather:x", "WEATHER:x", "weather.x:y",
    "weather-x:y", "weather_x:y", "emailx:send", "emai:send", "e:mail", "email.weather:x",
    "the/weather:x", "email2/weather:x", "0weather:x", "x/weather/email:x", "weatheremail:x",
]  # fmt: skip
#: Patterns that reach further than what was granted.
FOREIGN_PATTERNS = [
    "*",
    "other",
    "weatherman",
    "weathe",
    "w",
    "Weather",
    "weather.x",
    "emailx",
    "x/email",
]
COVERED_PATTERNS = ["weather", "email", "weather/a", "weather/a/b", "weather:x", "email/weather:x"]

CASES: list[Case] = [
    *(both(f"sub with {c!r}", _sub(f"weather:a{c}b"), "bad-action") for c in ODD),
    *(both(f"sub with {c!r} in the noun", _sub(f"weath{c}er:a"), "bad-action") for c in ODD),
    *(init(f"init with {c!r}", _init(f"weather:a{c}b"), "bad-action") for c in ODD),
    *(both(f"sub of {a!r}", _sub(a), "bad-action") for a in WRONG),
    *(init(f"init of {a!r}", _init(a), "bad-action") for a in WRONG),
    *(v1(f"{cmd} of {a!r}", json.dumps({"cmd": cmd, "action": a}), "bad-action")
      for cmd in ("unsub", "watch", "unwatch") for a in WRONG),
    *(both(f"sub of {a:.30}", _sub(a), "ok") for a in RIGHT),
    *(init(f"init of {a:.30}", _init(a), "init") for a in RIGHT),
    # 255 characters
    both("sub of 256", _sub("weather:" + "x" * 248), "bad-action"),
    init("init of 256", _init("weather:" + "x" * 248), "bad-action"),
    both("sub of 60,000", _sub("weather:" + "x" * 60_000), "bad-action"),
    both("sub of 20,000 nouns", _sub("a/" * 20_000 + "b:x"), "bad-action"),
    Case("sub of a noun of 255", _sub("weather/" + "x" * 247), "ok", "bad-action"),
    Case("sub of a noun of 256", _sub("weather/" + "x" * 248), "bad-action", "bad-action"),
    # an init names an action, never a pattern
    *(init(f"init of the pattern {p}", _init(p), "bad-action") for p in ("*", "weather", "weather/a")),
    # rights end where the noun ends
    *(both(f"sub of foreign {a}", _sub(a), "forbidden") for a in FOREIGN),
    *(init(f"init of foreign {a}", _init(a), "forbidden") for a in FOREIGN),
    *(v1(f"watch of foreign {a}", json.dumps({"cmd": "watch", "action": a}), "forbidden")
      for a in (*FOREIGN, *FOREIGN_PATTERNS)),
    *(Case(f"sub of the foreign pattern {p}", _sub(p), "forbidden", "bad-action") for p in FOREIGN_PATTERNS),
    *(Case(f"sub of the pattern {p}", _sub(p), "ok", "ok" if ":" in p else "bad-action") for p in COVERED_PATTERNS),
    *(v1(f"watch of the pattern {p}", json.dumps({"cmd": "watch", "action": p}), "ok") for p in COVERED_PATTERNS),
    # what ends may be said of anything: it tells nothing
    *(v1(f"{cmd} of foreign {a}", json.dumps({"cmd": cmd, "action": a}), "ok")
      for cmd in ("unsub", "unwatch") for a in ("other:x", "*", "emailx")),
    # a refusal by several reasons at once
    Case("foreign, and a bad option", '{"cmd":"sub","action":"other:x","lazyPayload":-1}', "bad-field", "forbidden"),
    Case("foreign init without a body", '{"cmd":"pub","event":"init","eventId":"$E","taskId":"$T","action":"other:x"}', "missing-field", "missing-field" + FAIL),
]  # fmt: skip
