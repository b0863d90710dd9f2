"""The AsyncAPI 3.0 document of the WebSocket protocol, made from the message types.

``docs/asyncapi.json`` is ``text(document())``, written by ``manage.py asyncapi``. Whether it says
what the decoder takes and the encoder makes is tested: tests/protocol/test_asyncapi.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from hub.core.errors import ERROR_CLASS, Code
from hub.core.limits import Limits
from hub.protocol import messages
from hub.protocol.asyncapi_prose import (
    CHANNEL,
    CLOSED_BY_RFC,
    EXAMPLES,
    HANDSHAKE_STATUSES,
    INFO,
)
from hub.protocol.commands import V1_COMMANDS, Pub, Type
from hub.protocol.encode import CLOSING
from hub.protocol.fields import LISTED_EVENTS, REFERENCE, schemas
from hub.protocol.frames import Rules, rules_of
from hub.protocol.legacy import LEGACY_COMMANDS, LEGACY_EVENTS, LegacyAnswer, LegacyError

Json = dict[str, Any]

#: what a hub with no settings of its own takes
DEFAULT_RULES: Final = rules_of(Limits(), strict_actions=True)

_LEGACY_MESSAGES: Final[tuple[Type, ...]] = (*LEGACY_EVENTS, LegacyAnswer, LegacyError)
_WATCHED: Final = (messages.PatternAnswer, messages.TaskAnswer)
_GOT: Final = (
    messages.PayloadAnswer,
    messages.ResultAnswer,
    messages.SummaryAnswer,
    messages.EventsAnswer,
)

#: What answers each v1 command, but for ``Error``, which may answer every one (§3).
V1_ANSWERED_BY: Final[dict[str, tuple[Type, ...]]] = {
    "sub": (messages.PatternAnswer,),
    "unsub": (messages.PatternAnswer,),
    "pub": (*messages.V1_EVENTS, messages.Unchanged),
    "cancel": (messages.FailEvent,),
    "watch": _WATCHED,
    "unwatch": _WATCHED,
    "get": _GOT,
    "resume": (messages.Resumed,),
}
LEGACY_ANSWERED_BY: Final[dict[str, tuple[Type, ...]]] = {
    "sub": (LegacyAnswer,),
    "pub": LEGACY_EVENTS,
}


def document(*, rules: Rules = DEFAULT_RULES, version: str = "0.1.0") -> Json:
    """The document of a hub with these rules. Plain JSON values; ``version`` is the hub's."""
    types: tuple[Type, ...] = (*V1_COMMANDS.values(), *LEGACY_COMMANDS.values())
    told: tuple[Type, ...] = (*messages.V1_MESSAGES, *_LEGACY_MESSAGES)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "TaskHub",
            "version": version,
            "description": INFO,
        },
        "defaultContentType": "application/json",
        "servers": {"plain": _server("ws"), "tls": _server("wss")},
        "channels": {"hub": _channel((*types, *told))},
        "operations": _operations(),
        "components": {
            "schemas": _schemas((*types, *told), rules),
            "messages": {kind.__name__: _message(kind) for kind in (*types, *told)},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Client name and key (§2.1).",
                }
            },
            "correlationIds": {
                "id": {
                    "description": "The answer carries the id of its command, if it had one (§3).",
                    "location": "$message.payload#/id",
                }
            },
        },
    }


def text(document: Json) -> bytes:
    """The document as indented JSON in UTF-8, ending with a line feed."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


# Where and how to connect (§2)


def _server(protocol: str) -> Json:
    return {
        "host": "{host}",
        "protocol": protocol,
        "protocolVersion": "13",
        "variables": {"host": {"default": "localhost:8000", "description": "Host and port."}},
        "security": [{"$ref": "#/components/securitySchemes/key"}],
    }


def _channel(kinds: Iterable[Type]) -> Json:
    names = [kind.__name__ for kind in kinds]
    return {
        "address": "/{path}",
        "title": "One connection",
        "description": CHANNEL,
        "parameters": {
            "path": {"enum": ["", "ws/"], "default": "", "description": "Both are the same (§2.1)."}
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "ws": {"method": "GET", "headers": _handshake_headers(), "bindingVersion": "0.1.0"}
        },
        "x-handshake-statuses": dict(HANDSHAKE_STATUSES),
        "x-close-codes": {
            **{str(code): _close_code(code) for code in sorted(CLOSING)},
            **CLOSED_BY_RFC,
        },
    }


def _handshake_headers() -> Json:
    return {
        "type": "object",
        "required": ["Authorization"],
        "properties": {
            "Authorization": {
                "type": "string",
                "pattern": "^Basic ",
                "description": "Client name and key, as HTTP Basic has it (§2.1).",
            },
            "Sec-WebSocket-Protocol": {
                "type": "string",
                "enum": ["taskhub.v1", "ws"],
                "description": "taskhub.v1 selects v1; ws, or no such header, legacy (§2.3).",
            },
        },
    }


def _close_code(close: int) -> Json:
    code, message = CLOSING[close]
    return {"error": ERROR_CLASS[code], "code": code.value, "description": message}


# What is said on it, from the hub's point of view


def _operations() -> Json:
    v1 = {
        cmd: _received(cmd, _of(V1_COMMANDS, cmd), (*answers, messages.Error), "v1")
        for cmd, answers in V1_ANSWERED_BY.items()
    }
    legacy = {
        f"legacy{cmd.capitalize()}": _received(
            cmd, _of(LEGACY_COMMANDS, cmd), (*answers, LegacyError), "legacy"
        )
        for cmd, answers in LEGACY_ANSWERED_BY.items()
    }
    return {
        **v1,
        "welcome": _sent("The first message (§2.5).", [messages.Welcome], "v1"),
        "events": _sent("What happens to tasks (§4.3).", messages.V1_EVENTS, "v1"),
        "errors": _sent("A frame that is no command (§7).", [messages.Error], "v1"),
        "closing": _sent("Why the connection ends (§2.7).", [messages.Closing], "v1"),
        **legacy,
        "legacyEvents": _sent("What happens to tasks (§4.3).", LEGACY_EVENTS, "legacy"),
        "legacyErrors": _sent("A frame that is no command (§7).", [LegacyError], "legacy"),
    }


def _of(commands: Mapping[str, Type], cmd: str) -> list[Type]:
    return [kind for name, kind in commands.items() if name.partition(" ")[0] == cmd]


def _received(cmd: str, kinds: Iterable[Type], answers: Iterable[Type], version: str) -> Json:
    kinds = list(kinds)
    # pub is several messages with one base
    summary = _summary(Pub if len(kinds) > 1 else kinds[0])
    return {
        "action": "receive",
        "title": cmd,
        "summary": summary,
        "channel": {"$ref": "#/channels/hub"},
        "tags": [{"name": version}],
        "messages": _refs(kinds),
        "reply": {"channel": {"$ref": "#/channels/hub"}, "messages": _refs(answers)},
    }


def _sent(summary: str, kinds: Iterable[Type], version: str) -> Json:
    return {
        "action": "send",
        "summary": summary,
        "channel": {"$ref": "#/channels/hub"},
        "tags": [{"name": version}],
        "messages": _refs(kinds),
    }


def _refs(kinds: Iterable[Type]) -> list[Json]:
    return [{"$ref": f"#/channels/hub/messages/{kind.__name__}"} for kind in kinds]


def _message(kind: Type) -> Json:
    name = kind.__name__
    message = {
        "name": name,
        "title": name,
        "summary": _summary(kind),
        "tags": [{"name": "legacy" if name.startswith("Legacy") else "v1"}],
        "payload": {"$ref": REFERENCE + name},
        "examples": [{"payload": msgspec.json.decode(frame)} for frame in EXAMPLES[name]],
    }
    if "id" in kind.__struct_encode_fields__:
        message["correlationId"] = {"$ref": "#/components/correlationIds/id"}
    return message


def _summary(kind: Type) -> str:
    return " ".join(str(kind.__doc__).split())


# Schemas


def _schemas(kinds: Iterable[Type], rules: Rules) -> Json:
    _, made = msgspec.json.schema_components(list(kinds), ref_template=REFERENCE + "{name}")
    named = schemas(
        strict_actions=rules.strict_actions,
        max_start_timeout=rules.max_start_timeout,
        max_end_timeout=rules.max_end_timeout,
    )
    for kind, condition in _CONDITIONS.items():
        made[kind.__name__] |= condition
    named["StoredEvents"] = {
        "description": "As v1 connections got them, without an id (§3).",
        "type": "array",
        "maxItems": LISTED_EVENTS,
        "items": {"oneOf": [{"$ref": REFERENCE + kind.__name__} for kind in messages.V1_EVENTS]},
    }
    named["CloseCode"] = {
        "description": "The code of the close frame that follows.",
        "enum": sorted(CLOSING),
    }
    plain: Json = _plain({**made, **named})
    return plain


def _plain(schema: Any) -> Any:
    """Without what stands beside a ``$ref``: draft 7 ignores it."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return {"$ref": schema["$ref"]}
        return {name: _plain(value) for name, value in schema.items()}
    if isinstance(schema, list | tuple):
        return [_plain(value) for value in schema]
    return schema


def _fixed(**fields: object) -> Json:
    return {"properties": {name: {"const": value} for name, value in fields.items()}}


def _code_of_class(error: str) -> Json:
    codes = [code.value for code in Code if ERROR_CLASS[code] == error]
    return {"properties": {"error": {"const": error}, "code": {"enum": codes}}}


_ONE_OF_TWO: Final[Json] = {"oneOf": [{"required": ["taskId"]}, {"required": ["action"]}]}
#: What holds between the fields of a message, which a struct cannot say.
_CONDITIONS: Final[dict[Type, Json]] = {
    V1_COMMANDS["watch"]: _ONE_OF_TWO,
    V1_COMMANDS["unwatch"]: _ONE_OF_TWO,
    messages.Error: {
        "oneOf": [_code_of_class(error) for error in sorted(set(ERROR_CLASS.values()))]
    },
    messages.Closing: {
        "oneOf": [
            _fixed(close=close, error=ERROR_CLASS[code], code=code.value, message=message)
            for close, (code, message) in sorted(CLOSING.items())
        ]
    },
}
