from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.errors import Invalid
from apps.common.serializers import MomentField
from apps.projects.permissions import VIEWER, ProjectViewSet
from apps.serving import selectors
from apps.serving.models import Endpoint
from apps.telemetry import selectors as telemetry

DEFAULT_RANGE = timedelta(hours=1)
LONGEST_RANGE = timedelta(days=7)


class TrafficRangeSerializer(serializers.Serializer[Any]):
    since = MomentField(required=False, help_text="An hour before `until` if left out.")
    until = MomentField(required=False, help_text="Now if left out.")


def _numbers(field: type[serializers.Field[Any, Any, Any, Any]], help_text: str) -> Any:
    return serializers.ListField(child=field(allow_null=True), help_text=help_text)


class TrafficSerializer(serializers.Serializer[Any]):
    """One number for each step from `start` on; null: no request ended in it."""

    start = serializers.DateTimeField()
    step = serializers.IntegerField(help_text="Seconds.")
    requests = _numbers(serializers.IntegerField, "Requests that ended, refused ones included.")
    errors = _numbers(serializers.IntegerField, "Those answered with 5xx.")
    refused = serializers.DictField(
        child=_numbers(serializers.IntegerField, "Requests."),
        help_text="By the problem's code: whatever was not answered with predictions.",
    )
    p50_ms = _numbers(
        serializers.FloatField,
        "Of requests that reached a replica, from their first line to their answer. At most 5 % "
        "off.",
    )
    p95_ms = _numbers(serializers.FloatField, "The same.")
    p99_ms = _numbers(serializers.FloatField, "The same.")
    rows = _numbers(serializers.IntegerField, "Rows that were predicted.")


class TrafficViewSet(ProjectViewSet[Endpoint]):
    """What an endpoint was asked, and how fast it answered."""

    queryset = Endpoint.objects.none()
    pagination_class = None
    needs = {"retrieve": VIEWER}

    @extend_schema(
        operation_id="endpoints_traffic_retrieve",
        parameters=[TrafficRangeSerializer],
        responses=TrafficSerializer,
    )
    def retrieve(self, request: Request, ref: str, **_: Any) -> Response:
        wanted = TrafficRangeSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        until = wanted.validated_data.get("until") or timezone.now()
        since = wanted.validated_data.get("since") or until - DEFAULT_RANGE
        if since >= until:
            raise Invalid(field="since", why="traffic_range_backwards")
        if until - since > LONGEST_RANGE:
            raise Invalid(field="since", why="traffic_range_too_long")
        endpoint = selectors.endpoint(self.project, ref)
        # the numbers are ready; walking through each of them again would only take time
        series = telemetry.traffic(endpoint.id, since, until)
        return Response(
            {
                "start": serializers.DateTimeField().to_representation(series.start),
                "step": series.step,
                "requests": series.requests,
                "errors": series.errors,
                "refused": series.refused,
                "p50_ms": series.p50_ms,
                "p95_ms": series.p95_ms,
                "p99_ms": series.p99_ms,
                "rows": series.rows,
            }
        )
