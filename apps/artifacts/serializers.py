from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.artifacts import tickets
from apps.artifacts.models import Upload
from apps.common.serializers import StrictSerializer


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """An upload as it stands; how far it has come is the view's to say."""

    class Meta:
        model = Upload
        fields = ["id", "filename", "size", "digest", "offset", "url", "expires_at", "finished"]
        read_only_fields = fields

    digest = serializers.SerializerMethodField()
    offset = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    finished = serializers.SerializerMethodField()

    def get_digest(self, upload: Upload) -> str:
        return upload.artifact.digest if upload.artifact else upload.digest

    def get_offset(self, upload: Upload) -> int:
        return int(self.context["offset"])

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_url(self, upload: Upload) -> str | None:
        """Where to send the bytes; null once nothing is left to send."""
        return None if upload.finished_at else tickets.upload_url(upload=upload)

    def get_finished(self, upload: Upload) -> bool:
        return upload.finished_at is not None


class UploadCreateSerializer(StrictSerializer):
    filename = serializers.CharField(max_length=255, default="", allow_blank=True)
    size = serializers.IntegerField(min_value=0)
    digest = serializers.CharField(max_length=64, default="", allow_blank=True)


class SpaceSerializer(serializers.Serializer[Any]):
    """What the store holds, and what of it could go."""

    blobs = serializers.IntegerField()
    blob_bytes = serializers.IntegerField()
    reclaimable = serializers.IntegerField(help_text="Blobs that no project holds.")
    reclaimable_bytes = serializers.IntegerField(help_text="Removed when they are a day old.")
    uploads = serializers.IntegerField(help_text="Not finished.")
    free_bytes = serializers.IntegerField()
    damaged = serializers.IntegerField(help_text="Found by the scrubber and not mended yet.")
    scrubbed_at = serializers.DateTimeField(
        allow_null=True, help_text="When every stored byte had last been read."
    )
