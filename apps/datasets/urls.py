from django.urls import path

from apps.datasets.api import DatasetViewSet

urlpatterns = [
    path(
        "projects/<slug:slug>/datasets", DatasetViewSet.as_view({"get": "list", "post": "create"})
    ),
    path("projects/<slug:slug>/examples/<str:name>", DatasetViewSet.as_view({"post": "example"})),
    path("projects/<slug:slug>/datasets/<str:ref>", DatasetViewSet.as_view({"get": "retrieve"})),
    path(
        "projects/<slug:slug>/datasets/<str:ref>/versions/<int:number>",
        DatasetViewSet.as_view({"get": "version"}),
    ),
]
