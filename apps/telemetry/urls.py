from django.urls import path

from apps.telemetry.api import NodeSeriesViewSet

urlpatterns = [
    path("nodes/<uuid:node_id>/series", NodeSeriesViewSet.as_view({"get": "retrieve"})),
]
