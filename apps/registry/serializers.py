from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.artifacts import filesets
from apps.projects.permissions import principal_of
from apps.registry import selectors
from apps.registry.models import Evaluation, Model, ModelVersion


class ModelFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    class Meta:
        model = Evaluation
        fields = ["split", "samples", "metrics", "dataset_version", "detail", "created_at"]
        read_only_fields = fields

    metrics = serializers.DictField(child=serializers.FloatField(allow_null=True))
    dataset_version = serializers.UUIDField(source="dataset_version_id")
    detail = serializers.DictField()


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    class Meta:
        model = ModelVersion
        fields = ["id", "number", "created_at", "size", "signature", "evaluations", "run_id"]
        read_only_fields = fields

    signature = serializers.DictField(read_only=True)
    evaluations = EvaluationSerializer(many=True, read_only=True)


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """With its files."""

    class Meta(ModelVersionSerializer.Meta):
        fields = [*ModelVersionSerializer.Meta.fields, "files"]
        read_only_fields = fields

    files = serializers.SerializerMethodField()

    @extend_schema_field(ModelFileSerializer(many=True))
    def get_files(self, version: ModelVersion) -> list[dict[str, Any]]:
        holder = principal_of(self.context["request"]).id
        return filesets.shown(selectors.files_of(version), holder=holder)


class ModelSerializer(serializers.ModelSerializer[Model]):
    class Meta:
        model = Model
        fields = ["id", "name", "created_at", "latest"]
        read_only_fields = fields

    latest = serializers.SerializerMethodField()

    @extend_schema_field(ModelVersionSerializer(allow_null=True))
    def get_latest(self, model: Model) -> Any:
        newest: list[ModelVersion] = getattr(model, "newest", [])
        return ModelVersionSerializer(newest[0], context=self.context).data if newest else None


class ModelDetailSerializer(ModelSerializer):
    """With all its versions, newest first."""

    class Meta(ModelSerializer.Meta):
        fields = [*ModelSerializer.Meta.fields, "versions"]
        read_only_fields = fields

    versions = serializers.SerializerMethodField()

    @extend_schema_field(ModelVersionDetailSerializer(many=True))
    def get_versions(self, model: Model) -> Any:
        versions = selectors.versions_of(model)
        return ModelVersionDetailSerializer(versions, many=True, context=self.context).data
