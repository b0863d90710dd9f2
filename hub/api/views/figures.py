"""``actions/`` and ``stats/``: rates, failures and durations."""

from typing import Any, Final

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from hub.api.callers import VIEW_TASK, Caller, caller_of
from hub.api.media import rules
from hub.api.problems import Refused, bad_field
from hub.api.queries import (
    ActionDetailQuery,
    ActionsQuery,
    StatsQuery,
    bucket_width,
    read_query,
    window,
)
from hub.api.schema import answers
from hub.api.serializers import (
    ActionDetailSerializer,
    ActionListSerializer,
    ActionSerializer,
    BucketSerializer,
    StatsSerializer,
    iso,
)
from hub.api.views.base import ApiView, json_response
from hub.clock_and_ids import system_time
from hub.core.access import is_action
from hub.core.errors import Code
from hub.selectors import stats
from hub.selectors.stats import ActionStats

#: Actions in one answer: the busiest.
MAX_ACTIONS: Final = 500


def _patterns(caller: Caller, asked: tuple[str, ...]) -> tuple[str, ...] | None:
    """What of these patterns the caller may see; (): everything; None: nothing."""
    if not asked:
        seen = caller.patterns()
        return () if seen is None else seen or None
    narrowed = {pattern for one in asked for pattern in caller.narrowed(one)}
    return tuple(sorted(narrowed)) or None


def _span(since: int, until: int) -> dict[str, Any]:
    return {"since": iso(since), "until": iso(until)}


class ActionList(ApiView):
    """Actions with tasks that ended lately."""

    needs = {"GET": (VIEW_TASK,)}

    @extend_schema(
        operation_id="actions_list",
        summary="Rates, failures and durations by action",
        description=(
            f"Of the {MAX_ACTIONS} busiest actions that the caller may subscribe to or watch."
        ),
        parameters=[ActionsQuery],
        responses=answers({200: ActionListSerializer}),
    )
    def get(self, request: Request) -> HttpResponse:
        """All actions of the window."""
        query = read_query(request, ActionsQuery)
        since, until = window(query, system_time())
        patterns = _patterns(caller_of(request), query.get("action", ()))
        found: list[ActionStats] = []
        if patterns is not None:
            found = stats.by_action(
                since=since, until=until, patterns=patterns, points=1, limit=MAX_ACTIONS
            )
        told: Any = ActionSerializer(found, many=True).data
        return json_response({**_span(since, until), "actions": told})


class ActionDetail(ApiView):
    """One action over a window."""

    needs = {"GET": (VIEW_TASK,)}

    @extend_schema(
        operation_id="actions_read",
        summary="Rate, failures and durations of one action",
        parameters=[ActionDetailQuery],
        responses=answers({200: ActionDetailSerializer}, 404),
    )
    def get(self, request: Request, action: str) -> HttpResponse:
        """The figures of the action, and its buckets."""
        query = read_query(request, ActionDetailQuery)
        since, until = window(query, system_time())
        width = bucket_width(query, since, until)
        if not is_action(action, strict=rules().strict_actions):
            raise bad_field("The address takes an action: noun:verb or noun/noun:verb.")
        if not caller_of(request).narrowed(action):
            raise Refused(404, "not-found", "There is no such action, or not for you.")
        found = stats.by_action(since=since, until=until, patterns=(action,), points=1)
        none = ActionStats(
            action=action, succeeded=0, failed=0, per_minute=0.0, p50=None, p95=None, spark=()
        )
        one = next((row for row in found if row.action == action), none)
        buckets = stats.throughput(since=since, until=until, width_ms=width, patterns=(action,))
        told: Any = ActionSerializer(one).data
        told_buckets: Any = BucketSerializer(buckets, many=True).data
        return json_response({**told, **_span(since, until), "buckets": told_buckets})


class Stats(ApiView):
    """What ended, over time."""

    needs = {"GET": (VIEW_TASK,)}

    @extend_schema(
        operation_id="stats_read",
        summary="What ended, in buckets of time",
        description="Of the actions that the caller may subscribe to or watch.",
        parameters=[StatsQuery],
        responses=answers({200: StatsSerializer}),
    )
    def get(self, request: Request) -> HttpResponse:
        """Buckets, empty ones included."""
        query = read_query(request, StatsQuery)
        since, until = window(query, system_time())
        width = bucket_width(query, since, until)
        patterns = _patterns(caller_of(request), query.get("action", ()))
        if patterns is None:
            raise Refused(
                403, Code.FORBIDDEN, "This client may subscribe to and watch no such action."
            )
        found = stats.throughput(since=since, until=until, width_ms=width, patterns=patterns)
        told: Any = BucketSerializer(found, many=True).data
        return json_response({**_span(since, until), "buckets": told})
