from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.errors import DomainError, NotFound
from apps.fleet.models import Node
from apps.projects.permissions import SIGNED_IN, InstallationViewSet
from apps.telemetry import selectors
from apps.telemetry.serializers import NodeSeriesSerializer, RangeSerializer

DEFAULT_RANGE = timedelta(hours=1)
LONGEST_RANGE = timedelta(hours=24)


class RangeBackwards(DomainError):
    """The range ends before it begins."""

    status = 422


class RangeTooLong(DomainError):
    """More readings than are shown at once."""

    status = 422


class NodeSeriesViewSet(InstallationViewSet[Node]):
    """What a node's sensors have read."""

    queryset = Node.objects.filter(removed_at=None)
    pagination_class = None
    needs = {"retrieve": SIGNED_IN}

    @extend_schema(
        operation_id="nodes_series_retrieve",
        parameters=[RangeSerializer],
        responses=NodeSeriesSerializer,
    )
    def retrieve(self, request: Request, node_id: UUID, **_: Any) -> Response:
        wanted = RangeSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        until = wanted.validated_data.get("until") or timezone.now()
        since = wanted.validated_data.get("since") or until - DEFAULT_RANGE
        if since >= until:
            raise RangeBackwards
        if until - since > LONGEST_RANGE:
            raise RangeTooLong(hours=int(LONGEST_RANGE.total_seconds() // 3600))
        if not self.get_queryset().filter(pk=node_id).exists():
            raise NotFound
        return Response(NodeSeriesSerializer(selectors.series(node_id, since, until)).data)
