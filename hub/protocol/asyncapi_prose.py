"""What the AsyncAPI document says in words, and its examples, which are golden vectors."""

from typing import Final

INFO: Final = """\
A client publishes tasks, services that subscribe to their actions work on them, and everyone \
concerned sees each event as it happens. One WebSocket frame is one JSON object.

Section numbers (§) are those of docs/protocol.md, which binds the hub and every client and says \
what no schema can: the lifecycle of a task, rights, repeats and reconnecting.

The schemas of commands name the fields that a command uses. Others are ignored, whatever their \
type (§3). The schemas of messages name every field that this version of the hub sends.

Three things are not in the schemas: whole numbers are written without fraction or exponent (§7); \
of two members with one name the last one counts (§4.1); a frame has at most 1 MiB and 64 levels \
of nesting, unless the hub is set otherwise (§7)."""

CHANNEL: Final = """\
The subprotocol of the handshake selects the version (§2.3): messages and operations are tagged \
with `v1` or `legacy`. A legacy connection has `sub` and `pub` only, gets no welcome and no error \
before a close, and no message of its own carries an `id`.

Answers may come in any order among events; a command's `id` comes back in its answer. A command \
without one is answered without one."""

HANDSHAKE_STATUSES: Final = {
    "101": "Connected; the subprotocol that was selected is echoed (§2.3).",
    "401": "Unknown name, wrong, revoked or expired key, or disabled client (§2.2).",
    "403": "In place of the other refusals, where the server software knows no other.",
    "429": "Too many connections of this client, or wrong keys from this address (§2.2).",
    "503": "The hub is stopping (§2.2), or too many handshakes wait.",
}
#: Closed without an error before it (§2.4).
CLOSED_BY_RFC: Final = {
    "1002": {"description": "What was sent breaks RFC 6455."},
    "1007": {"description": "A text frame was not UTF-8."},
}

_E: Final = '"eventId":"0e37df36-f698-11e6-8dd4-cb9ced3df976"'
_T: Final = '"taskId":"7c9e6679-7425-40de-944b-e07fc1f90ae7"'
_AT: Final = '"at":1753000000000'
_TIMES: Final = (
    '"startTimeout":100,"endTimeout":60000,'
    '"startDeadline":1753000000100,"endDeadline":1753000060000'
)
_INIT: Final = f'{{"status":"ok",{_E},"event":"init","action":"email:send"'


def _pub(event: str, more: str = "") -> str:
    return f'{{"cmd":"pub","event":"{event}",{_E},{_T}{more}}}'


def _event(words: str, seq: int, by: str = "mailer") -> str:
    return f'{{"status":"ok",{_E},"event":{words},{_T},"seq":{seq},{_AT},"by":"{by}"}}'


def _legacy(words: str) -> str:
    return f'{{"status":"ok",{_E},"event":{words},{_T}}}'


_START: Final = _event('"start"', 2)
_PLAIN_INIT: Final = ',"action":"email:send","payload":'
#: by the name of the type; each is a frame or a message of tests/vectors
EXAMPLES: Final[dict[str, list[str]]] = {
    "Sub": [
        '{"cmd":"sub","action":"*"}',
        '{"cmd":"sub","id":"s-1","action":"email","group":true,"lazyPayload":65536}',
    ],
    "Unsub": ['{"id":"2","cmd":"unsub","action":"email"}'],
    "PubInit": [
        _pub("init", f"{_PLAIN_INIT}null"),
        _pub(
            "init",
            f'{_PLAIN_INIT}[],"id":"p-1","startTimeout":500,"endTimeout":30000,'
            '"expect":"delivery","settle":"all","claim":true',
        ),
    ],
    "PubStart": [_pub("start")],
    "PubUpdate": [_pub("update", ',"update":false')],
    "PubDrop": [_pub("drop"), _pub("drop", ',"reason":"busy"')],
    "PubSuccess": [_pub("success", ',"result":"","id":"r"')],
    "PubFail": [_pub("fail", ',"reason":{"why":"no such address"}')],
    "PubEnd": [_pub("end")],
    "Cancel": [f'{{"cmd":"cancel",{_T},"reason":{{"by":"me"}}}}'],
    "Watch": [f'{{"cmd":"watch",{_T},"from":12,"id":"w"}}', '{"cmd":"watch","action":"email"}'],
    "Unwatch": [f'{{"cmd":"unwatch",{_T}}}', '{"cmd":"unwatch","action":"*"}'],
    "Get": [
        f'{{"cmd":"get","id":"g",{_T},"what":"payload"}}',
        f'{{"cmd":"get",{_T},"what":"events","from":1001}}',
    ],
    "Resume": [
        (
            '{"cmd":"resume","id":"r","session":"0123456789abcdef","epoch":"e1",'
            '"tasks":{"7c9e6679-7425-40de-944b-e07fc1f90ae7":7,"b":0}}'
        )
    ],
    "LegacySub": ['{"cmd":"sub","action":"email:send"}'],
    "LegacyPubInit": [_pub("init", f'{_PLAIN_INIT}{{"to":"a@example.org"}}')],
    "LegacyPubStart": [_pub("start")],
    "LegacyPubUpdate": [_pub("update", ',"update":false')],
    "LegacyPubDrop": [_pub("drop")],
    "LegacyPubSuccess": [_pub("success", ',"result":{"sent":1}')],
    "LegacyPubFail": [_pub("fail", ',"reason":{"why":"no such address"}')],
    "LegacyPubEnd": [_pub("end")],
    "Welcome": [
        (
            '{"status":"ok","type":"welcome","connectionId":"c1","session":"s1","epoch":"e1",'
            '"protocol":"taskhub.v1","hub":"0.1.0","limits":{"maxFrameBytes":1048576},'
            '"now":1753000000000}'
        )
    ],
    "PatternAnswer": [
        '{"status":"ok","message":"Subscribed to email.","action":"email","id":"s-1"}'
    ],
    "TaskAnswer": [f'{{"status":"ok","message":"Watching.",{_T},"id":"w"}}'],
    "Unchanged": [f'{{"status":"ok","message":"nothing changed",{_T},{_E},"id":"7"}}'],
    "Resumed": ['{"status":"ok","message":"Resumed.","resumed":true,"id":"r"}'],
    "PayloadAnswer": ['{"status":"ok","payload":{"to": 1},"id":"g"}'],
    "ResultAnswer": ['{"status":"ok","result":null}'],
    "SummaryAnswer": [
        (
            f'{{"status":"ok","task":{{{_T},"action":"email:send","publisher":"shop","state":"success",'
            '"outcome":"success","seq":3,"createdAt":1753000000000,"startedAt":1753000000020,'
            '"settledAt":1753000000500,"endedAt":null,"startDeadline":1753000000100,'
            '"endDeadline":1753000060000,"participants":[{"client":"mailer","state":"succeeded",'
            '"startedAt":1753000000020,"doneAt":1753000000500,"result":[1, 2]},{"client":"spare",'
            '"state":"timed out","startedAt":null,"doneAt":1753000000100}]},"id":"g"}'
        )
    ],
    "EventsAnswer": [f'{{"status":"ok","events":[{_START}],"id":"g"}}'],
    "InitEvent": [
        f'{_INIT},"payload":{{"to": "Zoë", "n":1.50}},{_T},"seq":1,{_AT},"by":"shop",{_TIMES}}}'
    ],
    "LazyInitEvent": [f'{_INIT},"payloadSize":24,{_T},"seq":1,{_AT},"by":"shop",{_TIMES}}}'],
    "StartEvent": [_START],
    "UpdateEvent": [_event('"update","update":false', 3)],
    "DropEvent": [
        _event('"drop","reason":"busy"', 3),
        _event('"drop","reason":{"code":"service-lost","message":"m"}', 3, "hub"),
    ],
    "FailedDropEvent": [_event('"drop","outcome":"fail","reason":"bounced"', 3)],
    "SucceededDropEvent": [_event('"drop","outcome":"success","result":{"sent":1}', 5)],
    "SuccessEvent": [_event('"success","result":[1, 2]', 3)],
    "FailEvent": [_event('"fail","reason":"bounced"', 3)],
    "EndEvent": [_event('"end"', 4, "hub")],
    "Error": [
        (
            '{"status":"error","error":"StateError","code":"duplicate-task",'
            f'"message":"A sentence.","request":"{{\\"cmd\\":\\"pub\\"}}",'
            f'"id":"7",{_T},{_E},"retry":false}}'
        )
    ],
    "Closing": [
        (
            '{"status":"error","error":"HubError","code":"unavailable","message":"The hub is going '
            'away; connect again.","request":"","retry":true,"close":1001}'
        )
    ],
    "LegacyAnswer": ['{"status":"ok","message":"Subscribed to email:send.","action":"email:send"}'],
    "LegacyInitEvent": [f'{_INIT},"payload":{{"to": "Zoë", "n":1.50}},{_T}}}'],
    "LegacyStartEvent": [_legacy('"start"')],
    "LegacyUpdateEvent": [_legacy('"update","update":false')],
    "LegacyDropEvent": [_legacy('"drop"')],
    "LegacySuccessEvent": [_legacy('"success","result":[1, 2]')],
    "LegacyFailEvent": [_legacy('"fail","reason":"bounced"')],
    "LegacyEndEvent": [_legacy('"end"')],
    "LegacyError": [
        (
            '{"status":"error","error":"StateError","message":"A sentence.",'
            '"request":"{\\"cmd\\":\\"pub\\"}"}'
        )
    ],
}
