from django.urls import path

from apps.workloads.api import (
    FleetViewSet,
    NodeWorkloadViewSet,
    OrphanViewSet,
    RestoreViewSet,
)

urlpatterns = [
    path("fleet/map", FleetViewSet.as_view({"get": "map"})),
    path("nodes/<uuid:node_id>/workloads", NodeWorkloadViewSet.as_view({"get": "list"})),
    path("restore", RestoreViewSet.as_view({"get": "retrieve"})),
    path("restore/release", RestoreViewSet.as_view({"post": "release"})),
    path("restore/orphans", OrphanViewSet.as_view({"get": "list"})),
    path("restore/orphans/<uuid:id>/stop", OrphanViewSet.as_view({"post": "stop"})),
]
