from typing import Any

from rest_framework import serializers

from apps.telemetry.models import Gap
from apps.telemetry.selectors import NodeSeries


class RangeSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(
        required=False, help_text="An hour before `until` if left out."
    )
    until = serializers.DateTimeField(required=False, help_text="Now if left out.")


class GapSerializer(serializers.ModelSerializer[Gap]):
    class Meta:
        model = Gap
        fields = ["reason", "blocks", "last_at"]
        read_only_fields = fields


class NodeSeriesSerializer(serializers.Serializer[NodeSeries]):
    """`series` is by "host" or device UUID, then by field; null is a gap, never a zero."""

    start = serializers.DateTimeField()
    step = serializers.IntegerField(help_text="Seconds between readings.")
    series = serializers.DictField(
        child=serializers.DictField(
            child=serializers.ListField(child=serializers.FloatField(allow_null=True))
        )
    )
    gaps = GapSerializer(many=True, help_text="Blocks that were sent and could not be kept.")

    def to_representation(self, instance: NodeSeries) -> dict[str, Any]:
        # the numbers are ready; walking through each of them again would only take time
        return {
            "start": serializers.DateTimeField().to_representation(instance.start),
            "step": instance.step,
            "series": instance.series,
            "gaps": GapSerializer(instance.gaps, many=True).data,
        }
