"""Models and their versions."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from apps.projects.permissions import VIEWER, ProjectViewSet
from apps.registry import selectors
from apps.registry.models import Model
from apps.registry.serializers import ModelDetailSerializer, ModelSerializer


class ModelViewSet(mixins.ListModelMixin, ProjectViewSet[Model]):
    """Trained models in numbered versions; a model is asked for by name or identifier."""

    serializer_class = ModelSerializer
    needs = {"list": VIEWER, "retrieve": VIEWER}
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Model]:
        return selectors.models_in(self.project)

    @extend_schema(responses=ModelDetailSerializer)
    def retrieve(self, request: Request, slug: str, ref: str) -> Response:
        model = selectors.model(self.project, ref)
        context = self.get_serializer_context()
        return Response(ModelDetailSerializer(model, context=context).data)
