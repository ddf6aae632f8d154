"""What runs where, as people see it: node by node, and the whole fleet at once."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.errors import NotFound
from apps.fleet.models import Node
from apps.projects.permissions import OPERATOR, SIGNED_IN, InstallationViewSet
from apps.workloads import selectors, services
from apps.workloads.models import Orphan, Restore, Workload
from apps.workloads.serializers import (
    FleetMapSerializer,
    LivingSerializer,
    NodeWorkloadSerializer,
    OrphanSerializer,
    RestoreSerializer,
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


class RestoreViewSet(InstallationViewSet[Restore]):
    """What a restore from a backup waits for, for the installation's operators."""

    serializer_class = RestoreSerializer
    queryset = Restore.objects.none()
    needs = {"retrieve": OPERATOR, "release": OPERATOR}

    def retrieve(self, request: Request) -> Response:
        """Whether work is placed, and what is waited for if it is not."""
        restore = selectors.open_restore()
        newest = restore or Restore.objects.order_by("-created_at").first()
        shown = {
            "held": restore is not None,
            "restored_at": newest.created_at if newest else None,
            "unheard": selectors.unheard_nodes(restore)[:100] if restore else [],
            "running": selectors.living_orphans().count(),
        }
        return Response(RestoreSerializer(shown).data)

    @extend_schema(request=None, responses=RestoreSerializer)
    def release(self, request: Request) -> Response:
        """Place work again although not every node was heard: what runs there may run twice."""
        services.release_restore(actor=self.actor, at=timezone.now())
        return self.retrieve(request)


class OrphanViewSet(mixins.ListModelMixin, InstallationViewSet[Orphan]):
    """Workloads begun after the backup that the installation was restored from."""

    serializer_class = OrphanSerializer
    needs = {"list": OPERATOR, "stop": OPERATOR}
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Orphan]:
        return Orphan.objects.select_related("node")

    @extend_schema(request=None, responses=OrphanSerializer)
    def stop(self, request: Request, id: UUID) -> Response:
        """End one that still runs."""
        orphan = services.stop_orphan(orphan_id=id, actor=self.actor, at=timezone.now())
        return Response(OrphanSerializer(orphan).data)
