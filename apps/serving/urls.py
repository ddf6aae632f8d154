from django.urls import path

from apps.serving.api import (
    DeploymentViewSet,
    EndpointKeyViewSet,
    EndpointViewSet,
    LineageViewSet,
    ReplicaViewSet,
)
from apps.serving.traffic_api import TrafficViewSet

ENDPOINTS = "projects/<slug:slug>/endpoints"
ENDPOINT = f"{ENDPOINTS}/<str:ref>"

urlpatterns = [
    path(ENDPOINTS, EndpointViewSet.as_view({"get": "list", "post": "create"})),
    path(
        ENDPOINT,
        EndpointViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
    path(f"{ENDPOINT}/deploy", EndpointViewSet.as_view({"post": "deploy"})),
    path(f"{ENDPOINT}/rollback", EndpointViewSet.as_view({"post": "rollback"})),
    path(f"{ENDPOINT}/scale", EndpointViewSet.as_view({"post": "scale"})),
    path(f"{ENDPOINT}/events", EndpointViewSet.as_view({"get": "events"})),
    path(f"{ENDPOINT}/deployments", DeploymentViewSet.as_view({"get": "list"})),
    path(f"{ENDPOINT}/replicas", ReplicaViewSet.as_view({"get": "list"})),
    path(f"{ENDPOINT}/replicas/<uuid:id>/log", ReplicaViewSet.as_view({"get": "log"})),
    path(f"{ENDPOINT}/traffic", TrafficViewSet.as_view({"get": "retrieve"})),
    path(f"{ENDPOINT}/keys", EndpointKeyViewSet.as_view({"get": "list", "post": "create"})),
    path(f"{ENDPOINT}/keys/<uuid:id>", EndpointKeyViewSet.as_view({"delete": "destroy"})),
    path(
        "projects/<slug:slug>/models/<str:ref>/lineage",
        LineageViewSet.as_view({"get": "retrieve"}),
    ),
]
