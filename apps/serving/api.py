"""Endpoints: create, deploy, scale; their replicas and keys; and where a model came from."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.common.api import IdempotentCreateMixin
from apps.common.pagination import page_of
from apps.projects.permissions import (
    MAINTAINER,
    MEMBER,
    VIEWER,
    ProjectViewSet,
    person_of,
    principal_of,
)
from apps.registry import selectors as registry
from apps.registry.models import Model
from apps.serving import history, lineage, selectors, services
from apps.serving.models import Deployment, Endpoint, Key, Replica
from apps.serving.serializers import (
    DeploymentSerializer,
    DeploySerializer,
    EndpointCreateSerializer,
    EndpointEventSerializer,
    EndpointKeyCreatedSerializer,
    EndpointKeyCreateSerializer,
    EndpointKeySerializer,
    EndpointSerializer,
    LimitsSerializer,
    LineageSerializer,
    ReplicaLogWindowSerializer,
    ReplicaSerializer,
    RollbackSerializer,
    ScaleSerializer,
)
from apps.workloads.shapes import LogSerializer


class EndpointViewSet(IdempotentCreateMixin, ProjectViewSet[Endpoint]):
    """Addresses that answer calls with a model; asked for by name or identifier."""

    serializer_class = EndpointSerializer
    filter_backends = ()
    ordering = "-created_at"
    needs = {
        "list": VIEWER,
        "retrieve": VIEWER,
        "create": MEMBER,
        "partial_update": MEMBER,
        "destroy": MAINTAINER,
        "deploy": MEMBER,
        "rollback": MEMBER,
        "scale": MEMBER,
        "events": VIEWER,
    }

    def get_queryset(self) -> QuerySet[Endpoint]:
        return selectors.endpoints_in(self.project)

    @extend_schema(responses=EndpointSerializer(many=True))
    def list(self, request: Request, slug: str) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        views = selectors.views(page, at=timezone.now())
        context = self.get_serializer_context()
        return self.get_paginated_response(
            EndpointSerializer(views, many=True, context=context).data
        )

    @extend_schema(request=EndpointCreateSerializer, responses={201: EndpointSerializer})
    def create(self, request: Request, slug: str) -> Response:
        """Give a model version an address; its replicas start."""
        wanted = _read(EndpointCreateSerializer, request)
        made = services.create_endpoint(
            project=self.project,
            resources=wanted.pop("resources", {}),
            user=_user(request),
            actor=self.actor,
            at=timezone.now(),
            **wanted,
        )
        return self._shown(made, status.HTTP_201_CREATED)

    @extend_schema(responses=EndpointSerializer)
    def retrieve(self, request: Request, slug: str, ref: str) -> Response:
        return self._shown(selectors.endpoint(self.project, ref))

    @extend_schema(request=LimitsSerializer, responses=EndpointSerializer)
    def partial_update(self, request: Request, slug: str, ref: str) -> Response:
        """Change what calls may take."""
        wanted = _read(LimitsSerializer, request)
        return self._shown(
            services.set_limits(
                endpoint_id=selectors.endpoint(self.project, ref).id,
                max_queue=wanted.get("max_queue"),
                timeout_seconds=wanted.get("timeout_seconds"),
                actor=self.actor,
                at=timezone.now(),
            )
        )

    @extend_schema(responses=EndpointEventSerializer(many=True))
    def events(self, request: Request, slug: str, ref: str) -> Response:
        """What happened to an endpoint and why, newest first."""
        endpoint = selectors.endpoint(self.project, ref)
        rows = [history.shown(event) for event in history.events_of(endpoint)]
        page = page_of(rows, request, of=f"events of {endpoint.id}")
        shown = EndpointEventSerializer(
            page.data["results"], many=True, context=self.get_serializer_context()
        )
        return Response({**page.data, "results": shown.data})

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, slug: str, ref: str) -> Response:
        """End an endpoint: it takes no calls from now on, and its replicas stop."""
        found = selectors.endpoint(self.project, ref)
        services.delete_endpoint(endpoint_id=found.id, actor=self.actor, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=DeploySerializer, responses=EndpointSerializer)
    def deploy(self, request: Request, slug: str, ref: str) -> Response:
        """Serve another version; the older one serves until the new one is ready."""
        wanted = _read(DeploySerializer, request)
        return self._shown(
            services.deploy(
                endpoint_id=selectors.endpoint(self.project, ref).id,
                model=wanted["model"],
                resources=wanted.get("resources"),
                max_batch=wanted.get("max_batch"),
                user=_user(request),
                actor=self.actor,
                at=timezone.now(),
            )
        )

    @extend_schema(request=RollbackSerializer, responses=EndpointSerializer)
    def rollback(self, request: Request, slug: str, ref: str) -> Response:
        """Serve again what an earlier deployment served."""
        wanted = _read(RollbackSerializer, request)
        return self._shown(
            services.roll_back(
                endpoint_id=selectors.endpoint(self.project, ref).id,
                number=wanted.get("deployment"),
                user=_user(request),
                actor=self.actor,
                at=timezone.now(),
            )
        )

    @extend_schema(request=ScaleSerializer, responses=EndpointSerializer)
    def scale(self, request: Request, slug: str, ref: str) -> Response:
        """Want another number of replicas."""
        wanted = _read(ScaleSerializer, request)
        return self._shown(
            services.scale(
                endpoint_id=selectors.endpoint(self.project, ref).id,
                replicas=wanted["replicas"],
                actor=self.actor,
                at=timezone.now(),
            )
        )

    def _shown(self, endpoint: Endpoint, code: int = status.HTTP_200_OK) -> Response:
        view = selectors.view(endpoint, at=timezone.now())
        context = self.get_serializer_context()
        return Response(EndpointSerializer(view, context=context).data, status=code)


class DeploymentViewSet(ProjectViewSet[Deployment]):
    """What an endpoint serves and once served, the newest first."""

    serializer_class = DeploymentSerializer
    filter_backends = ()
    ordering = "-number"
    needs = {"list": VIEWER}

    @extend_schema(responses=DeploymentSerializer(many=True))
    def list(self, request: Request, slug: str, ref: str) -> Response:
        endpoint = selectors.endpoint(self.project, ref)
        page = self.paginate_queryset(selectors.deployments_of(endpoint)) or []
        context = self.get_serializer_context()
        return self.get_paginated_response(
            DeploymentSerializer(page, many=True, context=context).data
        )


class ReplicaViewSet(ProjectViewSet[Replica]):
    """The running copies of what an endpoint serves; those that live first."""

    serializer_class = ReplicaSerializer
    filter_backends = ()
    ordering = ("over", "-number")
    needs = {"list": VIEWER, "log": VIEWER}

    @extend_schema(responses=ReplicaSerializer(many=True))
    def list(self, request: Request, slug: str, ref: str) -> Response:
        endpoint = selectors.endpoint(self.project, ref)
        page = self.paginate_queryset(selectors.replicas_of(endpoint)) or []
        context = self.get_serializer_context()
        return self.get_paginated_response(
            ReplicaSerializer(selectors.replica_views(page), many=True, context=context).data
        )

    @extend_schema(parameters=[ReplicaLogWindowSerializer], responses=LogSerializer)
    def log(self, request: Request, slug: str, ref: str, id: UUID) -> Response:
        """A piece of what the replica has written, from an offset in bytes."""
        asked = ReplicaLogWindowSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        replica = selectors.replica_of(selectors.endpoint(self.project, ref), id)
        return Response(selectors.log_piece(replica, **asked.validated_data))


class EndpointKeyViewSet(ProjectViewSet[Key]):
    """Credentials that may call one endpoint and do nothing else."""

    serializer_class = EndpointKeySerializer
    filter_backends = ()
    ordering = "-created_at"
    needs = {"list": VIEWER, "create": MEMBER, "destroy": MEMBER}

    @extend_schema(responses=EndpointKeySerializer(many=True))
    def list(self, request: Request, slug: str, ref: str) -> Response:
        keys = selectors.keys_of(selectors.endpoint(self.project, ref))
        page = self.paginate_queryset(keys) or []
        return self.get_paginated_response(EndpointKeySerializer(page, many=True).data)

    @extend_schema(
        request=EndpointKeyCreateSerializer, responses={201: EndpointKeyCreatedSerializer}
    )
    def create(self, request: Request, slug: str, ref: str) -> Response:
        """A new key; its text is in the answer and nowhere else."""
        endpoint = selectors.endpoint(self.project, ref)
        wanted = _read(EndpointKeyCreateSerializer, request)
        at = timezone.now()
        key, text = services.create_key(
            endpoint_id=endpoint.id,
            name=wanted["name"],
            expires_at=at + timedelta(days=wanted["expires_in_days"]),
            requests_per_minute=wanted["requests_per_minute"],
            user=person_of(request),  # a run's token ends with the run; a key would not
            actor=self.actor,
            at=at,
        )
        body = {**EndpointKeySerializer(key).data, "key": text}
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, slug: str, ref: str, id: UUID) -> Response:
        """Revoke a key; gateways refuse it within seconds."""
        services.revoke_key(
            endpoint_id=selectors.endpoint(self.project, ref).id,
            key_id=id,
            actor=self.actor,
            at=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class LineageViewSet(ProjectViewSet[Model]):
    """Where a model came from and what came of it."""

    serializer_class = LineageSerializer
    needs = {"retrieve": VIEWER}
    queryset = Model.objects.none()

    @extend_schema(responses=LineageSerializer)
    def retrieve(self, request: Request, slug: str, ref: str) -> Response:
        """From data over jobs and versions to endpoints; the newest hundred versions."""
        model = registry.model(self.project, ref)
        return Response(LineageSerializer(lineage.of_model(model, at=timezone.now())).data)


def _read(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    wanted = kind(data=request.data)
    wanted.is_valid(raise_exception=True)
    return dict(wanted.validated_data)


def _user(request: Request) -> User | None:
    principal = principal_of(request)
    return principal if isinstance(principal, User) else None
