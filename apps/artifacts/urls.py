from django.urls import path

from apps.artifacts.api import StorageViewSet, UploadViewSet

urlpatterns = [
    path("storage", StorageViewSet.as_view({"get": "retrieve"})),
    path("projects/<slug:slug>/uploads", UploadViewSet.as_view({"post": "create"})),
    path("projects/<slug:slug>/uploads/<uuid:id>", UploadViewSet.as_view({"get": "retrieve"})),
    path(
        "projects/<slug:slug>/uploads/<uuid:id>/finish", UploadViewSet.as_view({"post": "finish"})
    ),
]
