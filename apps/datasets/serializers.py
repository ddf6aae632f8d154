from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.artifacts import filesets
from apps.common.api import rendered
from apps.common.serializers import StrictSerializer
from apps.datasets import selectors
from apps.datasets.models import Dataset, DatasetVersion
from apps.projects.permissions import principal_of


class DatasetFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class ImportReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    params = serializers.DictField()
    text = serializers.CharField()


class ChangesSerializer(serializers.Serializer[Any]):
    """Files against the version before."""

    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    changed = serializers.IntegerField()


class DatasetVersionSerializer(serializers.ModelSerializer[DatasetVersion]):
    class Meta:
        model = DatasetVersion
        fields = [
            "id",
            "number",
            "state",
            "reason",
            "kind",
            "size",
            "file_count",
            "manifest_sha256",
            "changes",
            "profile",
            "thumbnails",
            "created_at",
            "created_by",
            "settled_at",
        ]
        read_only_fields = fields

    changes = ChangesSerializer(read_only=True, allow_null=True)
    reason = serializers.SerializerMethodField()
    profile = serializers.SerializerMethodField()
    thumbnails = serializers.SerializerMethodField()
    created_by = serializers.SerializerMethodField()

    @extend_schema_field(ImportReasonSerializer(allow_null=True))
    def get_reason(self, version: DatasetVersion) -> dict[str, Any] | None:
        """Why the import failed."""
        return rendered(version.reason, self.context["request"])

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_profile(self, version: DatasetVersion) -> dict[str, Any] | None:
        """What the import found out; null until then. Its thumbnails are in `thumbnails`."""
        if version.profile is None:
            return None
        return {key: value for key, value in version.profile.items() if key != "thumbnails"}

    def get_thumbnails(self, version: DatasetVersion) -> dict[str, list[str]]:
        """Addresses of small pictures, by class."""
        holder = _holder(self)
        stored = {file.path: file for file in filesets.refs(version.thumbnails)}
        by_class = (version.profile or {}).get("thumbnails", {})
        return {
            name: [filesets.url(stored[p], holder=holder) for p in paths if p in stored]
            for name, paths in by_class.items()
        }

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_created_by(self, version: DatasetVersion) -> str | None:
        """A username; null if a run made it, or the person is gone."""
        return version.created_by.username if version.created_by else None


class DatasetVersionDetailSerializer(DatasetVersionSerializer):
    """With its files."""

    class Meta(DatasetVersionSerializer.Meta):
        fields = [*DatasetVersionSerializer.Meta.fields, "files"]
        read_only_fields = fields

    files = serializers.SerializerMethodField()

    @extend_schema_field(DatasetFileSerializer(many=True))
    def get_files(self, version: DatasetVersion) -> list[dict[str, Any]]:
        return filesets.shown(selectors.files_of(version), holder=_holder(self))


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    class Meta:
        model = Dataset
        fields = ["id", "name", "description", "created_at", "latest"]
        read_only_fields = fields

    latest = serializers.SerializerMethodField()

    @extend_schema_field(DatasetVersionSerializer(allow_null=True))
    def get_latest(self, dataset: Dataset) -> Any:
        newest: list[DatasetVersion] = getattr(dataset, "newest", [])
        return DatasetVersionSerializer(newest[0], context=self.context).data if newest else None


class DatasetDetailSerializer(DatasetSerializer):
    """With all its versions, newest first."""

    class Meta(DatasetSerializer.Meta):
        fields = [*DatasetSerializer.Meta.fields, "versions"]
        read_only_fields = fields

    versions = serializers.SerializerMethodField()

    @extend_schema_field(DatasetVersionSerializer(many=True))
    def get_versions(self, dataset: Dataset) -> Any:
        versions = selectors.versions_of(dataset)
        return DatasetVersionSerializer(versions, many=True, context=self.context).data


class PlacedUploadSerializer(StrictSerializer):
    """A finished upload and the name it has among the files."""

    upload = serializers.UUIDField()
    path = serializers.CharField(max_length=4096, trim_whitespace=False)


class DatasetPublishSerializer(StrictSerializer):
    """Files for a new dataset, or for a new version of the one that has the name."""

    name = serializers.CharField(max_length=100)
    description = serializers.CharField(
        max_length=10_000, default="", allow_blank=True, trim_whitespace=False
    )
    files = PlacedUploadSerializer(many=True, allow_empty=False)


def _holder(serializer: serializers.BaseSerializer[Any]) -> UUID:
    return principal_of(serializer.context["request"]).id
