"""Announce bytes, learn where to send them, say that all are there."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.artifacts import selectors, services, space
from apps.artifacts.models import Artifact, Upload
from apps.artifacts.serializers import SpaceSerializer, UploadCreateSerializer, UploadSerializer
from apps.common.api import IdempotentCreateMixin
from apps.projects.permissions import (
    MEMBER,
    OPERATOR,
    InstallationViewSet,
    ProjectViewSet,
    principal_of,
)


class UploadViewSet(IdempotentCreateMixin, ProjectViewSet[Upload]):
    """Your own uploads: resumable by offset, until their bytes are the project's."""

    serializer_class = UploadSerializer
    needs = {"create": MEMBER, "retrieve": MEMBER, "finish": MEMBER}
    lookup_field = "id"

    def get_queryset(self) -> QuerySet[Upload]:
        holder = principal_of(self.request).id
        return selectors.uploads_in(self.project).filter(holder=holder)

    @extend_schema(request=UploadCreateSerializer, responses={201: UploadSerializer})
    def create(self, request: Request, slug: str) -> Response:
        wanted = UploadCreateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        upload = services.start_upload(
            project=self.project,
            holder=principal_of(request).id,
            **wanted.validated_data,
            at=timezone.now(),
        )
        return self._shown(upload, status.HTTP_201_CREATED)

    @extend_schema(responses=UploadSerializer)
    def retrieve(self, request: Request, slug: str, id: UUID) -> Response:
        return self._shown(self.get_object())

    @extend_schema(request=None, responses=UploadSerializer)
    def finish(self, request: Request, slug: str, id: UUID) -> Response:
        upload = self.get_object()
        services.finish_upload(upload_id=upload.id, at=timezone.now(), actor=self.actor)
        upload.refresh_from_db()
        return self._shown(upload)

    def _shown(self, upload: Upload, code: int = status.HTTP_200_OK) -> Response:
        offset = services.bytes_arrived(upload)
        return Response(UploadSerializer(upload, context={"offset": offset}).data, status=code)


class StorageViewSet(InstallationViewSet[Artifact]):
    """The store of bytes, for the installation's operators."""

    serializer_class = SpaceSerializer
    queryset = Artifact.objects.none()
    needs = {"retrieve": OPERATOR}

    def retrieve(self, request: Request) -> Response:
        """What the store holds, and what of it could go."""
        return Response(SpaceSerializer(space.now()).data)
