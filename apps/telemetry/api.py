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
from apps.telemetry import selectors, services
from apps.telemetry.serializers import NodeSeriesSerializer, RangeSerializer
from apps.telemetry.series import Wanted

DEFAULT_RANGE = timedelta(hours=1)
LONGEST_RANGE = timedelta(days=31)


class RangeBackwards(DomainError):
    """The range ends before it begins."""

    status = 422


class RangeTooLong(DomainError):
    """More readings than are shown at once."""

    status = 422


class RangeNotKept(DomainError):
    """Readings of that time are not kept any more."""

    status = 422


class RangeAhead(DomainError):
    """Nothing was read yet of a time that is to come."""

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
        """Readings between two times, at most 720 of each series."""
        wanted = RangeSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        now = timezone.now()
        until = wanted.validated_data.get("until") or now
        since = wanted.validated_data.get("since") or until - DEFAULT_RANGE
        if since >= until:
            raise RangeBackwards
        if since > now:
            raise RangeAhead
        if until - since > LONGEST_RANGE:
            raise RangeTooLong(days=LONGEST_RANGE.days)
        kept_since = services.rollups_kept_since(at=now)
        if until <= kept_since:
            raise RangeNotKept(days=(now - kept_since).days)
        if not self.get_queryset().filter(pk=node_id).exists():
            raise NotFound
        fields, devices = (wanted.validated_data.get(name) for name in ("fields", "devices"))
        found = selectors.series(
            node_id,
            since,
            until,
            raw_since=services.blocks_kept_since(at=now),
            wanted=Wanted(
                fields=frozenset(fields) if fields else None,
                devices=frozenset(devices) if devices else None,
            ),
        )
        return Response(NodeSeriesSerializer(found).data)
