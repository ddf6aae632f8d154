"""What runs where, as people see it: node by node, and the whole fleet at once."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.errors import NotFound
from apps.fleet.models import Node
from apps.projects.permissions import SIGNED_IN, InstallationViewSet
from apps.workloads import selectors
from apps.workloads.models import Workload
from apps.workloads.serializers import (
    FleetMapSerializer,
    LivingSerializer,
    NodeWorkloadSerializer,
)

# of the messages that the nodes' door tells on `fleet.live`
LIVE_FIELDS = (
    "utilization_percent",
    "memory_used_fraction",
    "temperature_celsius",
    "power_watts",
)
LIVE_HOST_FIELDS = ("cpu_percent", "memory_used_fraction")


class NodeWorkloadViewSet(InstallationViewSet[Workload]):
    """What runs on a node and what ran there, the newest first."""

    serializer_class = NodeWorkloadSerializer
    needs = {"list": SIGNED_IN}
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Workload]:
        return Workload.objects.none()

    @extend_schema(
        operation_id="nodes_workloads_list",
        parameters=[LivingSerializer],
        responses=NodeWorkloadSerializer(many=True),
    )
    def list(self, request: Request, node_id: UUID) -> Response:
        wanted = LivingSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        if not Node.objects.filter(pk=node_id, removed_at=None).exists():
            raise NotFound
        state = wanted.validated_data.get("state")
        live = None if state is None else state == "live"
        page = self.paginate_queryset(selectors.on_node(node_id, live=live))
        seen = selectors.placed(page or [], self.person)
        context = self.get_serializer_context()
        return self.get_paginated_response(
            NodeWorkloadSerializer(seen, many=True, context=context).data
        )


class FleetViewSet(InstallationViewSet[Node]):
    """The fleet at a glance."""

    serializer_class = FleetMapSerializer
    queryset = Node.objects.none()
    pagination_class = None
    needs = {"map": SIGNED_IN}

    @extend_schema(operation_id="fleet_map_retrieve", responses=FleetMapSerializer)
    def map(self, request: Request) -> Response:
        """Every node with its devices; a map has no pages. Its readings come by `fleet.live`."""
        shown = {
            "at": timezone.now(),
            "fields": selectors.MAP_FIELDS,
            "host_fields": selectors.HOST_FIELDS,
            "live_fields": LIVE_FIELDS,
            "live_host_fields": LIVE_HOST_FIELDS,
            "nodes": selectors.fleet_map(self.person),
        }
        return Response(FleetMapSerializer(shown).data)
