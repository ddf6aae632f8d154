from django.urls import path

from apps.registry.api import ModelViewSet

MODEL = "projects/<slug:slug>/models/<str:ref>"

urlpatterns = [
    path("projects/<slug:slug>/models", ModelViewSet.as_view({"get": "list"})),
    path(MODEL, ModelViewSet.as_view({"get": "retrieve", "patch": "partial_update"})),
    path(f"{MODEL}/versions/<int:number>", ModelViewSet.as_view({"get": "version"})),
]
