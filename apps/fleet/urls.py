from django.urls import path

from apps.fleet.api import JoinTokenViewSet, NodeEventViewSet, NodeViewSet

urlpatterns = [
    path("nodes", NodeViewSet.as_view({"get": "list"})),
    path("nodes/join-tokens", JoinTokenViewSet.as_view({"get": "list", "post": "create"})),
    path("nodes/join-tokens/<uuid:pk>", JoinTokenViewSet.as_view({"get": "retrieve"})),
    path("nodes/<uuid:node_id>/events", NodeEventViewSet.as_view({"get": "list"})),
    path("nodes/<uuid:pk>", NodeViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("nodes/<uuid:pk>/cordon", NodeViewSet.as_view({"post": "cordon"})),
    path(
        "nodes/<uuid:pk>/devices/<uuid:device_id>/clear",
        NodeViewSet.as_view({"post": "clear_device"}),
    ),
    path("nodes/<uuid:pk>/uncordon", NodeViewSet.as_view({"post": "uncordon"})),
]
