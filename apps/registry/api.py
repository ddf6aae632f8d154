"""Models and their versions."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common import answers
from apps.projects.permissions import MEMBER, VIEWER, ProjectViewSet
from apps.registry import selectors, services
from apps.registry.models import Model
from apps.registry.serializers import (
    ModelDescribeSerializer,
    ModelDetailSerializer,
    ModelSerializer,
    ModelVersionPageSerializer,
)


class ModelViewSet(mixins.ListModelMixin, ProjectViewSet[Model]):
    """Trained models in numbered versions; a model is asked for by name or identifier."""

    serializer_class = ModelSerializer
    needs = {"list": VIEWER, "retrieve": VIEWER, "version": VIEWER, "partial_update": MEMBER}
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Model]:
        return selectors.models_in(self.project)

    @extend_schema(responses=ModelDetailSerializer)
    def retrieve(self, request: Request, slug: str, ref: str) -> Response:
        return self._shown(ref)

    @extend_schema(request=ModelDescribeSerializer, responses=ModelDetailSerializer)
    def partial_update(self, request: Request, slug: str, ref: str) -> Response:
        """Say what the model is for."""
        wanted = ModelDescribeSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        model = selectors.model(self.project, ref)
        services.describe_model(model_id=model.id, actor=self.actor, **wanted.validated_data)
        return self._shown(ref)

    @extend_schema(responses=ModelVersionPageSerializer)
    def version(self, request: Request, slug: str, ref: str, number: int) -> Response:
        """One version, with its files, evaluations and the examples they kept."""
        version = selectors.numbered(self.project, ref, number)
        runs = {version.run_id, *(one.run_id for one in version.evaluations.all())}
        makers = answers.makers({run_id for run_id in runs if run_id})
        context = {**self.get_serializer_context(), "makers": makers}
        return Response(ModelVersionPageSerializer(version, context=context).data)

    def _shown(self, ref: str) -> Response:
        model = selectors.model(self.project, ref)
        context = self.get_serializer_context()
        return Response(ModelDetailSerializer(model, context=context).data)
