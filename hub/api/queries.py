"""What a query string may say, checked: filters, pages, windows. Unknown names are refused."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from hub.api.cursors import key_of
from hub.api.media import rules
from hub.api.problems import Refused, bad_field
from hub.api.serializers import CamelSerializer
from hub.core.access import is_pattern
from hub.core.errors import Code
from hub.core.values import TaskState
from hub.protocol.fields import LARGEST_INTEGER
from hub.protocol.frames import is_id
from hub.selectors.tasks import TaskFilter

#: Tasks, events or clients on a page.
PAGE: Final = 50
MOST: Final = 200
#: Patterns in one filter.
MAX_PATTERNS: Final = 20
#: Longest text searched for in reasons.
MAX_TEXT: Final = 200
#: Seconds a request may wait for the end of its task.
MAX_WAIT_S: Final = 60
MINUTE_S: Final = 60
#: Buckets in one answer.
MAX_BUCKETS: Final = 1_500

BODIES: Final = ("payload", "result", "reason")
_NAME: Final = r"^[A-Za-z0-9._\-]{1,64}$"


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field[int, Any, Any, Any]):
    """ISO 8601 to milliseconds since the epoch; without an offset: UTC. Before it: 0."""

    def to_internal_value(self, data: Any) -> int:
        """Part of Field."""
        try:
            moment = datetime.fromisoformat(str(data))
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
            since = (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
            return max(0, since)  # what is told of a window has to be a time as well
        except (ValueError, OverflowError):
            raise serializers.ValidationError(
                "must be a time in ISO 8601, like 2026-01-31T12:00:00Z (a + is written %2B)."
            ) from None


class WordsField(serializers.CharField):
    """Words out of a few, with commas between them."""

    def __init__(self, words: tuple[str, ...], **more: Any) -> None:
        self.words = words
        super().__init__(**more)

    def to_internal_value(self, data: Any) -> Any:
        """Part of Field."""
        given = str(data).split(",")
        if not set(given) <= set(self.words):
            raise serializers.ValidationError(
                f"must be out of {', '.join(self.words)}, with commas between them."
            )
        return frozenset(given)


class PatternsField(serializers.CharField):
    """Patterns of actions, with commas between them."""

    def to_internal_value(self, data: Any) -> Any:
        """Part of Field."""
        given = tuple(str(data).split(","))
        if len(given) > MAX_PATTERNS:
            raise serializers.ValidationError(f"takes {MAX_PATTERNS} patterns at most.")
        strict = rules().strict_actions
        if not all(is_pattern(pattern, strict=strict) for pattern in given):
            raise Refused(
                400,
                Code.BAD_ACTION,
                '"action" takes patterns: noun:verb, noun, noun/noun or *, with commas between.',
            )
        return given


class CursorField(serializers.CharField):
    """Out of the ``next`` of a page."""

    def to_internal_value(self, data: Any) -> Any:
        """Part of Field."""
        return key_of(str(data))


class BooleanField(serializers.BooleanField):
    """``true`` or ``false``, as JSON writes them."""

    def to_internal_value(self, data: Any) -> bool:
        """Part of Field."""
        if data not in ("true", "false"):
            raise serializers.ValidationError("must be true or false.")
        return bool(data == "true")


def _limit() -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, default=PAGE, min_value=1, max_value=MOST, help_text="Most on a page."
    )


class IncludeQuery(CamelSerializer):
    """Which bodies are wanted."""

    include = WordsField(
        BODIES,
        required=False,
        help_text="Bodies to be told: `payload`, `result`, `reason`, with commas between them.",
    )


class TaskQuery(IncludeQuery):
    """The filters of ``tasks/``: all that are given must hold."""

    action = PatternsField(
        required=False, help_text="Patterns of actions, with commas between them."
    )
    state = WordsField(
        tuple(map(str, TaskState)), required=False, help_text="States last reached, with commas."
    )
    outcome = WordsField(
        (str(TaskState.SUCCESS), str(TaskState.FAIL)),
        required=False,
        help_text="`success`, `fail` or both; with `state`, either may hold.",
    )
    open = BooleanField(required=False, help_text="true: not ended; false: ended.")
    publisher = serializers.RegexField(_NAME, required=False, help_text="Its client name.")
    service = serializers.RegexField(
        _NAME, required=False, help_text="Client name of a participant."
    )
    task_id = serializers.CharField(
        required=False, max_length=64, help_text="Tasks whose id begins so."
    )
    since = MomentField(required=False, help_text="Published then or later.")
    until = MomentField(required=False, help_text="Published before then.")
    reason = serializers.CharField(
        required=False, max_length=MAX_TEXT, help_text="Text in the reason of a fail."
    )
    limit = _limit()
    cursor = CursorField(required=False, help_text="Out of the `next` of a page.")

    def validate_taskId(self, value: str) -> str:  # noqa: N802  (REST framework's name for it)
        """Part of Serializer."""
        if is_id(value) is None:
            raise serializers.ValidationError("takes A-Z a-z 0-9 . _ : - only.")
        return value


class EventsQuery(CamelSerializer):
    """Where a list of events begins."""

    limit = _limit()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """``from`` cannot be written as an attribute."""
        return {**super().get_fields(), "from": from_seq()}


class StreamQuery(CamelSerializer):
    """Where a stream begins when there is no ``Last-Event-ID``."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """As in EventsQuery."""
        return {"from": from_seq()}


def from_seq() -> serializers.IntegerField:
    """The first seq that is wanted."""
    return serializers.IntegerField(
        required=False,
        default=1,
        min_value=1,
        max_value=LARGEST_INTEGER,
        help_text="The first seq that is wanted.",
    )


class ClientQuery(CamelSerializer):
    """Pages of clients."""

    limit = _limit()
    after = serializers.RegexField(_NAME, required=False, help_text="Names that come after this.")


class ConnectionQuery(CamelSerializer):
    """Connections of one client."""

    client = serializers.RegexField(_NAME, required=False)


class WaitQuery(CamelSerializer):
    """How long to wait for the end of the task."""

    wait = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_WAIT_S,
        help_text="Seconds to wait for the end of the task; like `Prefer: wait=N`.",
    )


class WindowQuery(CamelSerializer):
    """A stretch of time; the last hour unless said otherwise."""

    since = MomentField(required=False, help_text="Its begin; an hour before `until` if not said.")
    until = MomentField(required=False, help_text="Its end; now if not said.")


class ActionsQuery(WindowQuery):
    """Which actions."""

    action = PatternsField(
        required=False, help_text="Patterns of actions, with commas between them."
    )


class StatsQuery(ActionsQuery):
    """How wide the buckets are."""

    width = serializers.IntegerField(
        required=False,
        min_value=MINUTE_S,
        max_value=31 * 86_400,
        help_text="Seconds in a bucket, a multiple of 60; chosen by the window if not said.",
    )


class ActionDetailQuery(WindowQuery):
    """How wide the buckets of one action are."""

    width = serializers.IntegerField(required=False, min_value=MINUTE_S, max_value=31 * 86_400)


class NoQuery(CamelSerializer):
    """Nothing may be said."""


def read_query(request: Request, kind: type[CamelSerializer]) -> dict[str, Any]:
    """The query string, checked. Raises Refused."""
    query = kind(data=request.query_params.dict())
    if unknown := sorted(set(request.query_params) - set(query.fields)):
        known = ", ".join(query.fields) or "none"
        shown = f'"{unknown[0][:40]}"' if is_id(unknown[0][:40]) else "One"
        raise bad_field(f"{shown} is not a parameter here; they are: {known}.")
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def task_filter(query: dict[str, Any]) -> TaskFilter:
    """The filter a query says."""
    return TaskFilter(
        actions=query.get("action", ()),
        states=frozenset(map(TaskState, query.get("state", ()))),
        outcomes=frozenset(map(TaskState, query.get("outcome", ()))),
        open=query.get("open"),
        publisher=query.get("publisher"),
        service=query.get("service"),
        task_id=query.get("task_id"),
        since=query.get("since"),
        until=query.get("until"),
        reason=query.get("reason"),
    )


def window(query: dict[str, Any], now: int) -> tuple[int, int]:
    """Begin and end of a stretch of time in ms. Raises Refused."""
    until = query.get("until", now)
    since = query.get("since", until - 3_600_000)
    if since >= until:
        raise bad_field('"since" must be before "until".')
    return since, until


def bucket_width(query: dict[str, Any], since: int, until: int) -> int:
    """Milliseconds in a bucket: what was asked for, or about a hundred of them. Raises Refused."""
    minute = MINUTE_S * 1000
    asked = query.get("width")
    if asked is None:
        width = max(minute, (until - since) // 100 // minute * minute)
    elif asked % MINUTE_S:
        raise bad_field('"width" must be a multiple of 60.')
    else:
        width = asked * 1000
    if (until - since) // width >= MAX_BUCKETS:
        raise bad_field(f'That is more than {MAX_BUCKETS} buckets; take a larger "width".')
    return int(width)
