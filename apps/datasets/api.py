"""Datasets and their versions."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.artifacts import filesets
from apps.common.api import IdempotentCreateMixin
from apps.datasets import selectors, services
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.serializers import (
    DatasetDetailSerializer,
    DatasetPublishSerializer,
    DatasetSerializer,
    DatasetVersionDetailSerializer,
)
from apps.projects.permissions import MEMBER, VIEWER, ProjectViewSet, principal_of


class DatasetViewSet(IdempotentCreateMixin, mixins.ListModelMixin, ProjectViewSet[Dataset]):
    """Named files in immutable versions; a dataset is asked for by name or identifier."""

    serializer_class = DatasetSerializer
    needs = {
        "list": VIEWER,
        "create": MEMBER,
        "example": MEMBER,
        "retrieve": VIEWER,
        "version": VIEWER,
    }
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Dataset]:
        return selectors.datasets_in(self.project)

    @extend_schema(request=DatasetPublishSerializer, responses={201: DatasetDetailSerializer})
    def create(self, request: Request, slug: str) -> Response:
        wanted = DatasetPublishSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        principal = principal_of(request)
        placed = [(file["upload"], file["path"]) for file in wanted.validated_data["files"]]
        version = services.publish_version(
            project=self.project,
            dataset_name=wanted.validated_data["name"],
            files=filesets.of_uploads(self.project, placed),
            user=principal if isinstance(principal, User) else None,
            actor=self.actor,
            at=timezone.now(),
            description=wanted.validated_data["description"],
        )
        return self._published(version)

    @extend_schema(request=None, responses={201: DatasetDetailSerializer})
    def example(self, request: Request, slug: str, name: str) -> Response:
        """Publish data that the installation brings along: `digits`."""
        principal = principal_of(request)
        version = services.publish_example(
            project=self.project,
            name=name,
            user=principal if isinstance(principal, User) else None,
            actor=self.actor,
            at=timezone.now(),
        )
        return self._published(version)

    def _published(self, version: DatasetVersion) -> Response:
        dataset = selectors.dataset(self.project, str(version.dataset_id))
        body = DatasetDetailSerializer(dataset, context=self.get_serializer_context()).data
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(responses=DatasetDetailSerializer)
    def retrieve(self, request: Request, slug: str, ref: str) -> Response:
        dataset = selectors.dataset(self.project, ref)
        context = self.get_serializer_context()
        return Response(DatasetDetailSerializer(dataset, context=context).data)

    @extend_schema(responses=DatasetVersionDetailSerializer)
    def version(self, request: Request, slug: str, ref: str, number: int) -> Response:
        version = selectors.numbered(self.project, ref, number)
        context = self.get_serializer_context()
        return Response(DatasetVersionDetailSerializer(version, context=context).data)
