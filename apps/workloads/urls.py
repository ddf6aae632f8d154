from django.urls import path

from apps.workloads.api import FleetViewSet, NodeWorkloadViewSet

urlpatterns = [
    path("fleet/map", FleetViewSet.as_view({"get": "map"})),
    path("nodes/<uuid:node_id>/workloads", NodeWorkloadViewSet.as_view({"get": "list"})),
]
