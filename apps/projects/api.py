"""Projects, their members and their audit; and the session, which says what projects there are."""

from typing import Any
from uuid import UUID

from django.contrib.auth import login, logout, update_session_auth_hash
from django.db.models import QuerySet
from django.middleware.csrf import get_token
from django.utils import timezone
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.accounts.permissions import check_scope, principal_of, scope_of
from apps.audit import selectors as audit
from apps.audit.models import Entry
from apps.common import answers
from apps.common.api import IdempotentCreateMixin, rendered
from apps.common.pagination import page_of
from apps.common.reasons import to_row
from apps.projects import selectors, services
from apps.projects.models import Membership, Project, Role
from apps.projects.permissions import (
    MAINTAINER,
    SIGNED_IN,
    VIEWER,
    InstallationViewSet,
    ProjectViewSet,
    person_of,
)
from apps.projects.serializers import (
    ActivitySerializer,
    AttentionSerializer,
    AuditEntrySerializer,
    AuditFilterSerializer,
    FoundSerializer,
    FoundsSerializer,
    LanguageSerializer,
    MemberAddSerializer,
    MemberSerializer,
    PasswordSerializer,
    ProjectCreateSerializer,
    ProjectSerializer,
    RoleSerializer,
    SearchedSerializer,
    SessionSerializer,
    SignInSerializer,
)


class SessionView(APIView):
    """Who you are, and the way in and out for a browser."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        # who signs in is nobody yet, whatever cookie or header comes along
        return [] if self._signs_in else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self._signs_in else [IsAuthenticated()]

    @property
    def _signs_in(self) -> bool:
        return getattr(self.request, "method", None) == "POST"

    @extend_schema(responses=SessionSerializer)
    def get(self, request: Request) -> Response:
        """Who you are and which projects you are in."""
        get_token(request._request)  # the page's next write needs the cookie
        return _session_of(person_of(request))

    @extend_schema(request=SignInSerializer, responses=SessionSerializer, auth=[])
    def post(self, request: Request) -> Response:
        """Sign in with name and password."""
        given = SignInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = accounts.check_password(
            **given.validated_data, address=request.META["REMOTE_ADDR"], at=timezone.now()
        )
        login(request._request, user)
        return _session_of(user)

    @extend_schema(request=LanguageSerializer, responses=SessionSerializer)
    def patch(self, request: Request) -> Response:
        """Choose the language you read."""
        check_scope(request, scope_of(request))
        given = LanguageSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        person = person_of(request)
        return _session_of(
            accounts.set_language(user=person, actor=person.actor, **given.validated_data)
        )

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out."""
        principal = principal_of(request)
        logout(request._request)
        if isinstance(principal, User):
            accounts.note_sign_out(user=principal)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(APIView):
    """Your password."""

    @extend_schema(request=PasswordSerializer, responses={204: None})
    def put(self, request: Request) -> Response:
        """Set your password; this session stays, your others end."""
        check_scope(request, scope_of(request))
        given = PasswordSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        person = person_of(request)
        user = accounts.change_password(user=person, actor=person.actor, **given.validated_data)
        update_session_auth_hash(request._request, user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _session_of(user: User) -> Response:
    body = {"user": user, "projects": selectors.standings(user)}
    return Response(SessionSerializer(body).data)


class ProjectsViewSet(IdempotentCreateMixin, mixins.ListModelMixin, InstallationViewSet[Project]):
    """The projects you are in."""

    serializer_class = ProjectSerializer
    needs = {"list": SIGNED_IN, "create": SIGNED_IN}
    ordering = "slug"

    def get_queryset(self) -> QuerySet[Project]:
        return selectors.projects_of(self.person)

    @extend_schema(request=ProjectCreateSerializer, responses={201: ProjectSerializer})
    def create(self, request: Request) -> Response:
        wanted = ProjectCreateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        slug = wanted.validated_data["slug"]
        project = services.create_project(
            slug=slug,
            name=wanted.validated_data.get("name", slug),
            owner=self.person,
            actor=self.actor,
            at=timezone.now(),
        )
        return Response(ProjectSerializer(project).data, status=status.HTTP_201_CREATED)


class ProjectDetailViewSet(ProjectViewSet[Project]):
    """One project."""

    serializer_class = ProjectSerializer
    needs = {"retrieve": VIEWER}
    queryset = Project.objects.none()

    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(ProjectSerializer(self.project).data)


class MemberViewSet(IdempotentCreateMixin, mixins.ListModelMixin, ProjectViewSet[Membership]):
    """Who is in the project, and as what."""

    serializer_class = MemberSerializer
    # who goes by themselves needs no more than being there; the service refuses the rest
    needs = {
        "list": VIEWER,
        "create": MAINTAINER,
        "partial_update": MAINTAINER,
        "destroy": VIEWER,
    }
    ordering = "created_at"
    lookup_field = "user_id"

    def get_queryset(self) -> QuerySet[Membership]:
        return selectors.members_of(self.project)

    @extend_schema(request=MemberAddSerializer, responses={201: MemberSerializer})
    def create(self, request: Request, **_: Any) -> Response:
        wanted = MemberAddSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        member = services.add_member(
            project=self.project,
            username=wanted.validated_data["username"],
            role=Role(wanted.validated_data["role"]),
            by=self.standing.role,
            actor=self.actor,
            at=timezone.now(),
        )
        return Response(MemberSerializer(member).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RoleSerializer, responses=MemberSerializer)
    def partial_update(self, request: Request, user_id: UUID, **_: Any) -> Response:
        wanted = RoleSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        member = services.change_role(
            project=self.project,
            user_id=user_id,
            role=Role(wanted.validated_data["role"]),
            by=self.standing.role,
            actor=self.actor,
            at=timezone.now(),
        )
        return Response(MemberSerializer(member).data)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, user_id: UUID, **_: Any) -> Response:
        services.remove_member(
            project=self.project,
            user_id=user_id,
            by=self.standing.role,
            actor=self.actor,
            at=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditViewSet(ProjectViewSet[Entry]):
    """Who did what in the project."""

    serializer_class = AuditEntrySerializer
    needs = {"list": MAINTAINER}
    ordering = "-seq"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Entry]:
        return audit.entries_of(self.project.id)

    @extend_schema(parameters=[AuditFilterSerializer], responses=AuditEntrySerializer(many=True))
    def list(self, request: Request, slug: str) -> Response:
        asked = AuditFilterSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        entries = audit.filtered(self.get_queryset(), **asked.validated_data)
        page = self.paginate_queryset(entries) or []
        return self.get_paginated_response(AuditEntrySerializer(page, many=True).data)


class AttentionViewSet(ProjectViewSet[Project]):
    """What of the project needs somebody."""

    serializer_class = AttentionSerializer
    queryset = Project.objects.none()
    filter_backends = ()
    needs = {"list": VIEWER}

    @extend_schema(responses=AttentionSerializer(many=True))
    def list(self, request: Request, slug: str) -> Response:
        """Failed, stuck, out of reach: the worst first, then the newest."""
        rows = [
            {
                "kind": item.kind,
                "severity": item.severity,
                "since": item.since,
                "subject": item.subject,
                "reason": rendered(to_row(item.reason), request),
                "action": item.action,
            }
            for item in answers.needing(self.project, timezone.now())
        ]
        page = page_of(rows, request, of=f"attention of {self.project.id}")
        shown = AttentionSerializer(page.data["results"], many=True)
        return Response({**page.data, "results": shown.data})


class SearchViewSet(ProjectViewSet[Project]):
    """Everything that is called like a text."""

    serializer_class = FoundsSerializer
    queryset = Project.objects.none()
    filter_backends = ()
    needs = {"list": VIEWER}

    @extend_schema(
        operation_id="projects_search",
        parameters=[SearchedSerializer],
        # a list that has no pages
        responses={200: forced_singular_serializer(FoundsSerializer)},  # type: ignore[no-untyped-call]
    )
    def list(self, request: Request, slug: str) -> Response:
        """Jobs, datasets, models, nodes and what else has a name, in one answer."""
        asked = SearchedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = answers.found(self.project, asked.validated_data["q"])
        return Response({"results": FoundSerializer(found, many=True).data})


class ActivityViewSet(ProjectViewSet[Entry]):
    """What changed in the project, for everybody in it."""

    serializer_class = ActivitySerializer
    filter_backends = ()
    needs = {"list": VIEWER}
    ordering = "-seq"

    def get_queryset(self) -> QuerySet[Entry]:
        return audit.deeds_in(self.project.id)

    @extend_schema(responses=ActivitySerializer(many=True))
    def list(self, request: Request, slug: str) -> Response:
        entries = self.paginate_queryset(self.get_queryset()) or []
        names = answers.named((e.object_type, e.object_id) for e in entries if e.object_id)
        shown = [_deed(entry, names, request) for entry in entries]
        return self.get_paginated_response(ActivitySerializer(shown, many=True).data)


def _deed(entry: Entry, names: dict[tuple[str, UUID], str], request: Request) -> dict[str, Any]:
    """An audit entry as a sentence; what nobody has a name for any more is called as it was."""
    name = entry.detail.get("name") or entry.detail.get("username") or ""
    if entry.object_id:
        name = names.get((entry.object_type, entry.object_id), name)
    code = "did_" + entry.action.replace(".", "_")
    params = {**entry.detail, "name": name, "actor": entry.actor_name}
    said = rendered({"code": code, "params": params}, request)
    assert said is not None
    return {
        "at": entry.created_at,
        "actor": entry.actor_name,
        "actor_kind": entry.actor_kind,
        **said,
        "subject": {"type": entry.object_type, "id": entry.object_id, "name": name},
    }
