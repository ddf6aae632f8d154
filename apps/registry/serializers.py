from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.artifacts import filesets
from apps.common.answers import Maker
from apps.common.serializers import StrictSerializer
from apps.projects.permissions import principal_of
from apps.registry import selectors
from apps.registry.models import Evaluation, Model, ModelVersion


class ModelFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class MadeBySerializer(serializers.Serializer[Any]):
    """The job, and which try at it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    run = serializers.IntegerField()


class ExampleSerializer(serializers.Serializer[Any]):
    """A held-out picture, and what the model took it for."""

    path = serializers.CharField()
    truth = serializers.CharField()
    predicted = serializers.CharField()
    score = serializers.FloatField(help_text="Of what was predicted.")
    url = serializers.CharField()


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    class Meta:
        model = Evaluation
        fields = [
            "id",
            "split",
            "samples",
            "metrics",
            "dataset",
            "dataset_version",
            "detail",
            "run_id",
            "created_at",
        ]
        read_only_fields = fields

    metrics = serializers.DictField(child=serializers.FloatField(allow_null=True))
    dataset_version = serializers.UUIDField(source="dataset_version_id")
    detail = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField())
    def get_detail(self, evaluation: Evaluation) -> dict[str, Any]:
        """`per_class`, `confusion`, `labels`. The examples are shown with the version."""
        return {key: value for key, value in evaluation.detail.items() if key != "examples"}


class EvaluationDetailSerializer(EvaluationSerializer):
    """With its examples and who made it."""

    class Meta(EvaluationSerializer.Meta):
        fields = [*EvaluationSerializer.Meta.fields, "examples", "made_by"]
        read_only_fields = fields

    examples = serializers.SerializerMethodField()
    made_by = serializers.SerializerMethodField()

    @extend_schema_field(ExampleSerializer(many=True))
    def get_examples(self, evaluation: Evaluation) -> list[dict[str, Any]]:
        holder = principal_of(self.context["request"]).id
        kept = {file.path: file for file in filesets.refs(evaluation.pictures)}
        return [
            {**example, "url": filesets.url(kept[example["path"]], holder=holder)}
            for example in evaluation.detail.get("examples", [])
            if example["path"] in kept
        ]

    @extend_schema_field(MadeBySerializer(allow_null=True))
    def get_made_by(self, evaluation: Evaluation) -> Any:
        return _made_by(self, evaluation.run_id)


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


class ModelVersionPageSerializer(ModelVersionDetailSerializer):
    """With its files, its model's name, who made it and every evaluation's examples."""

    class Meta(ModelVersionDetailSerializer.Meta):
        fields = [*ModelVersionDetailSerializer.Meta.fields, "model", "made_by"]
        read_only_fields = fields

    model = serializers.CharField(source="model.name", read_only=True)
    evaluations = EvaluationDetailSerializer(many=True, read_only=True)
    made_by = serializers.SerializerMethodField()

    @extend_schema_field(MadeBySerializer(allow_null=True))
    def get_made_by(self, version: ModelVersion) -> Any:
        return _made_by(self, version.run_id)


class ModelDescribeSerializer(StrictSerializer):
    description = serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False)


class ModelSerializer(serializers.ModelSerializer[Model]):
    class Meta:
        model = Model
        fields = ["id", "name", "description", "created_at", "latest"]
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


def _made_by(serializer: serializers.BaseSerializer[Any], run_id: UUID | None) -> Any:
    """The job a run is of; null if it came from outside, or nobody knows the run any more."""
    makers: dict[UUID, Maker] = serializer.context["makers"]
    maker = makers.get(run_id) if run_id else None
    return MadeBySerializer(maker).data if maker else None
