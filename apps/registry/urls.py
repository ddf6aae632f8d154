from django.urls import path

from apps.registry.api import ModelViewSet

urlpatterns = [
    path("projects/<slug:slug>/models", ModelViewSet.as_view({"get": "list"})),
    path("projects/<slug:slug>/models/<str:ref>", ModelViewSet.as_view({"get": "retrieve"})),
]
