from django.urls import path

from apps.accounts.api import TokenViewSet, UserViewSet

urlpatterns = [
    path("tokens", TokenViewSet.as_view({"get": "list", "post": "create"})),
    path("tokens/<uuid:id>", TokenViewSet.as_view({"delete": "destroy"})),
    path("users", UserViewSet.as_view({"get": "list", "post": "create"})),
    path("users/<uuid:id>", UserViewSet.as_view({"patch": "partial_update"})),
    path("users/<uuid:id>/sign-in-link", UserViewSet.as_view({"post": "sign_in_link"})),
]
