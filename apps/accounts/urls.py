from django.urls import path

from apps.accounts.api import ChainViewSet, TokenViewSet, UserViewSet

urlpatterns = [
    path("audit/chain", ChainViewSet.as_view({"get": "retrieve"})),
    path("audit/chain/records", ChainViewSet.as_view({"get": "records"})),
    path("audit/chain/verify", ChainViewSet.as_view({"post": "verify"})),
    path("tokens", TokenViewSet.as_view({"get": "list", "post": "create"})),
    path("tokens/<uuid:id>", TokenViewSet.as_view({"delete": "destroy"})),
    path("users", UserViewSet.as_view({"get": "list", "post": "create"})),
    path("users/<uuid:id>", UserViewSet.as_view({"patch": "partial_update"})),
    path("users/<uuid:id>/sign-in-link", UserViewSet.as_view({"post": "sign_in_link"})),
]
