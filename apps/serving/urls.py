from django.urls import path

from apps.serving.traffic_api import TrafficViewSet

urlpatterns = [
    path(
        "projects/<slug:slug>/endpoints/<str:ref>/traffic",
        TrafficViewSet.as_view({"get": "retrieve"}),
    ),
]
