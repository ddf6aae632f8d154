from typing import Any

from rest_framework import serializers

from apps.common.serializers import MomentField
from apps.telemetry.models import Gap
from apps.telemetry.selectors import NodeSeries, Source

MOST_NAMES = 512


class RangeSerializer(serializers.Serializer[Any]):
    since = MomentField(required=False, help_text="An hour before `until` if left out.")
    until = MomentField(required=False, help_text="Now if left out.")
    devices = serializers.ListField(
        child=serializers.CharField(max_length=96),
        max_length=MOST_NAMES,
        required=False,
        help_text='Only these: "host" or device UUIDs; all if left out.',
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # DRF's own property of this name must not be hidden by a declared field
        return super().get_fields() | {
            "fields": serializers.ListField(
                child=serializers.CharField(max_length=100),
                max_length=MOST_NAMES,
                required=False,
                help_text=(
                    "Only these fields; all if left out. `<field>:max` is the highest reading of "
                    "each step, beside the mean; it has to be named."
                ),
            )
        }


class GapSerializer(serializers.ModelSerializer[Gap]):
    class Meta:
        model = Gap
        fields = ["reason", "blocks", "last_at"]
        read_only_fields = fields


class NodeSeriesSerializer(serializers.Serializer[NodeSeries]):
    """`series` is by "host" or device UUID, then by field; null is a gap, never a zero."""

    start = serializers.DateTimeField()
    step = serializers.IntegerField(help_text="Seconds between readings.")
    # DRF's own attribute of this name is of the class, and the field is taken out of it
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=[source.value for source in Source],
        help_text="What they were read from: what the node sent, minutes made of it, or both.",
    )
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
            "source": instance.source.value,
            "series": instance.series,
            "gaps": GapSerializer(instance.gaps, many=True).data,
        }
