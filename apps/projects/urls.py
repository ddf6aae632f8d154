from django.urls import path

from apps.projects.api import (
    ActivityViewSet,
    AttentionViewSet,
    AuditViewSet,
    MemberViewSet,
    PasswordView,
    ProjectDetailViewSet,
    ProjectsViewSet,
    SearchViewSet,
    SessionView,
)

urlpatterns = [
    path("session", SessionView.as_view()),
    path("session/password", PasswordView.as_view()),
    path("projects", ProjectsViewSet.as_view({"get": "list", "post": "create"})),
    path("projects/<slug:slug>", ProjectDetailViewSet.as_view({"get": "retrieve"})),
    path(
        "projects/<slug:slug>/members",
        MemberViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path(
        "projects/<slug:slug>/members/<uuid:user_id>",
        MemberViewSet.as_view({"patch": "partial_update", "delete": "destroy"}),
    ),
    path("projects/<slug:slug>/attention", AttentionViewSet.as_view({"get": "list"})),
    path("projects/<slug:slug>/search", SearchViewSet.as_view({"get": "list"})),
    path("projects/<slug:slug>/activity", ActivityViewSet.as_view({"get": "list"})),
    path("projects/<slug:slug>/audit", AuditViewSet.as_view({"get": "list"})),
]
