"""How the hub's rows are told: fields named as on the wire, times in ISO 8601.

They only write; requests are read by ``hub.protocol.requests`` and ``hub.api.queries``.
"""

from datetime import UTC, datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.core.values import EventKind, Expect, ParticipantState, Settle, TaskState

_OUTCOMES: Final = (TaskState.SUCCESS, TaskState.FAIL)


def iso(ms: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def camel(name: str) -> str:
    """A field's name on the wire."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@extend_schema_field(OpenApiTypes.DATETIME)
class TimeField(serializers.Field[int, Any, str, int]):
    """Milliseconds in a row, ISO 8601 in UTC in a document."""

    def to_representation(self, value: int) -> str:
        """Part of Field."""
        return iso(value)


@extend_schema_field({"description": "Any JSON value, byte for byte as it was received."})
class AnyJsonField(serializers.Field[Any, Any, Any, Any]):
    """A body: ``msgspec.Raw``."""

    def to_representation(self, value: Any) -> Any:
        """Part of Field."""
        return value


class CamelSerializer(serializers.Serializer[Any]):
    """Its fields are named in camelCase outside."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Part of Serializer."""
        told = {}
        for name, field in super().get_fields().items():
            outside = camel(name)
            if outside != name and field.source is None:
                field.source = name
            told[outside] = field
        return told


def _choice(words: Any, **more: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=[str(word) for word in words], **more)


class TaskSerializer(CamelSerializer):
    """A task; its bodies are added by ``hub.api.bodies.with_bodies``."""

    task_id = serializers.CharField()
    action = serializers.CharField()
    publisher = serializers.CharField()
    state = _choice(TaskState, help_text="The state last reached.")
    outcome = _choice(_OUTCOMES, allow_null=True, help_text="null: not settled.")
    seq = serializers.IntegerField(help_text="Of its last event.")
    created_at = TimeField()
    started_at = TimeField(allow_null=True)
    settled_at = TimeField(allow_null=True)
    ended_at = TimeField(allow_null=True)
    start_deadline = TimeField()
    end_deadline = TimeField()
    settle = _choice(Settle)
    expect = _choice(Expect)
    claim = serializers.BooleanField()
    services = serializers.ListField(
        child=serializers.CharField(), help_text="Client names of its participants."
    )
    payload = AnyJsonField(required=False, help_text="Where `include` asks for it.")
    result = AnyJsonField(required=False, help_text="Of a success, where `include` asks for it.")
    reason = AnyJsonField(required=False, help_text="Of a fail, where `include` asks for it.")
    payload_size = serializers.IntegerField(
        required=False, help_text="Bytes; in place of a payload too large for this document."
    )
    result_size = serializers.IntegerField(
        required=False, help_text="Bytes; in place of a result too large for this document."
    )
    reason_size = serializers.IntegerField(
        required=False, help_text="Bytes; in place of a reason too large for this document."
    )


class ParticipantSerializer(CamelSerializer):
    """One participant's part in a task."""

    number = serializers.IntegerField()
    client = serializers.CharField()
    group = serializers.BooleanField()
    state = _choice(ParticipantState)
    offered_at = TimeField()
    started_at = TimeField(allow_null=True)
    done_at = TimeField(allow_null=True)


class TaskDetailSerializer(TaskSerializer):
    """A task with its participants, which are in ``context["participants"]``."""

    participants = ParticipantSerializer(many=True, required=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Part of Serializer."""
        told: dict[str, Any] = super().to_representation(instance)
        parts = ParticipantSerializer(self.context["participants"], many=True).data
        return told | {"participants": parts}


class TaskPageSerializer(CamelSerializer):
    """One page of a list."""

    tasks = TaskSerializer(many=True)
    next = serializers.URLField(
        allow_null=True, help_text="Address of the next page; null: this is the last one."
    )
    searched_to = TimeField(
        allow_null=True,
        help_text=(
            "The page ended early, having looked at enough tasks: at those published since then. "
            "Go on with `next`."
        ),
    )


class EventSerializer(CamelSerializer):
    """An event; its body under the name that the wire gives it."""

    seq = serializers.IntegerField()
    event = _choice(EventKind, source="kind")
    event_id = serializers.CharField()
    at = TimeField()
    by = serializers.CharField(help_text="Client name, or `hub`.")
    state = _choice(TaskState, help_text="Of the task after this event.")
    outcome = _choice(
        (EventKind.SUCCESS, EventKind.FAIL),
        source="stands_for",
        required=False,
        allow_null=True,
        help_text="Of a drop: what was sent, when it did not settle the task.",
    )
    payload = AnyJsonField(required=False)
    result = AnyJsonField(required=False)
    reason = AnyJsonField(required=False)
    body_size = serializers.IntegerField(source="size", help_text="Bytes of its body; 0: none.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """``update`` is also a method of serializers: the field is added by name."""
        return {**super().get_fields(), "update": AnyJsonField(required=False)}


class EventPageSerializer(CamelSerializer):
    """Events of a task in order."""

    events = EventSerializer(many=True)
    next = serializers.URLField(
        allow_null=True, help_text="Address of what follows; null: nothing yet, or nothing more."
    )


class ActionSerializer(CamelSerializer):
    """One action over a window."""

    action = serializers.CharField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    per_minute = serializers.FloatField(help_text="Ended tasks a minute.")
    p50 = serializers.IntegerField(
        allow_null=True, help_text="Milliseconds from publishing to outcome; null: none ended."
    )
    p95 = serializers.IntegerField(allow_null=True)


class BucketSerializer(CamelSerializer):
    """What ended in one stretch of time."""

    at = TimeField(help_text="Its begin.")
    width = serializers.SerializerMethodField(help_text="Seconds.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    p50 = serializers.IntegerField(allow_null=True)
    p95 = serializers.IntegerField(allow_null=True)

    def get_width(self, bucket: Any) -> int:
        """Seconds."""
        return int(bucket.width_ms // 1000)


class ActionListSerializer(CamelSerializer):
    """Actions with tasks that ended in the window."""

    since = TimeField()
    until = TimeField()
    actions = ActionSerializer(many=True)


class ActionDetailSerializer(ActionSerializer):
    """One action, also over time."""

    since = TimeField()
    until = TimeField()
    buckets = BucketSerializer(many=True)


class StatsSerializer(CamelSerializer):
    """Buckets of time."""

    since = TimeField()
    until = TimeField()
    buckets = BucketSerializer(many=True)


class ClientSerializer(CamelSerializer):
    """A client, without anything secret."""

    name = serializers.CharField()
    enabled = serializers.BooleanField()
    group = serializers.BooleanField()
    max_connections = serializers.IntegerField()
    connections = serializers.IntegerField(help_text="Open now.")
    sub = serializers.ListField(child=serializers.CharField(), help_text="Patterns.")
    pub = serializers.ListField(child=serializers.CharField(), help_text="Patterns.")
    watch = serializers.ListField(child=serializers.CharField(), help_text="Patterns.")


class ClientListSerializer(CamelSerializer):
    """Clients by name."""

    clients = ClientSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="Address of the next page, or null.")


class ConnectionSerializer(CamelSerializer):
    """An open connection."""

    connection = serializers.CharField()
    client = serializers.CharField()
    address = serializers.CharField()
    protocol = serializers.CharField()
    agent = serializers.CharField()
    since = TimeField()
    subscriptions = serializers.ListField(child=serializers.CharField())
    busy = serializers.IntegerField(help_text="Tasks it works on.")
    unsent = serializers.IntegerField(help_text="Bytes that wait to be sent to it.")
    rate = serializers.FloatField(help_text="Frames it sent a second, lately.")


class ConnectionListSerializer(CamelSerializer):
    """Open connections, longest first."""

    connections = ConnectionSerializer(many=True)


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457, with the codes of docs/protocol.md §7."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What was wrong, and what is accepted.")
    code = serializers.CharField()
    retry = serializers.BooleanField(help_text="The same request may succeed later.")


# Requests, for the schema only: they are read by ``hub.protocol.requests``.


class NewTaskSerializer(CamelSerializer):
    """The fields of an ``init`` (docs/protocol.md §4.1, §4.2)."""

    action = serializers.CharField(min_length=1, max_length=255)
    payload = AnyJsonField()
    task_id = serializers.RegexField(r"^[A-Za-z0-9._:\-]{1,64}$", required=False)
    start_timeout = serializers.IntegerField(min_value=1, required=False, help_text="ms")
    end_timeout = serializers.IntegerField(min_value=1, required=False, help_text="ms")
    expect = _choice(Expect, required=False)
    settle = _choice(Settle, required=False)
    claim = serializers.BooleanField(required=False)


class CancelSerializer(CamelSerializer):
    """Why, if anything is to be said."""

    reason = AnyJsonField(required=False)
