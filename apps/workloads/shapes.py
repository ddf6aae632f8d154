"""How people see what every workload has: its resources, where it runs, its log, why it waits."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.common.api import rendered
from apps.common.serializers import StrictSerializer

MAX_BYTES = 2**50
LARGEST = 2**31 - 1  # of what Postgres keeps in an integer


class WantedResourcesSerializer(StrictSerializer):
    """What it takes; what is left out has a default of the kind or the recipe."""

    cpu_millis = serializers.IntegerField(min_value=1, max_value=LARGEST, required=False)
    memory_bytes = serializers.IntegerField(min_value=1, max_value=MAX_BYTES, required=False)
    device_count = serializers.IntegerField(min_value=0, max_value=1024, required=False)
    device_kind = serializers.CharField(max_length=128, allow_blank=True, required=False)
    device_memory_bytes = serializers.IntegerField(min_value=0, max_value=MAX_BYTES, required=False)


class JobReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    params = serializers.DictField()
    text = serializers.CharField(help_text="In the reader's language.")


@extend_schema_field(JobReasonSerializer)
class ReasonField(serializers.Field[Any, Any, Any, Any]):
    """A stored reason, with its sentence."""

    def __init__(self) -> None:
        super().__init__(read_only=True, allow_null=True)

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any] | None:
        return rendered(value, self.context["request"])


class RunNodeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class RunDeviceSerializer(serializers.Serializer[Any]):
    uuid = serializers.CharField()
    index = serializers.IntegerField()
    name = serializers.CharField()
    simulated = serializers.BooleanField(help_text="There is no such device: it runs on the CPU.")


class ResourcesSerializer(serializers.Serializer[Any]):
    cpu_millis = serializers.IntegerField()
    memory_bytes = serializers.IntegerField()
    device_count = serializers.IntegerField()
    device_kind = serializers.CharField()
    device_memory_bytes = serializers.IntegerField()
    simulated = serializers.BooleanField(default=False)


class LogSerializer(serializers.Serializer[Any]):
    """A piece of a log, cut between characters."""

    offset = serializers.IntegerField()
    next_offset = serializers.IntegerField(help_text="Where the next piece begins, in bytes.")
    complete = serializers.BooleanField(help_text="Nothing comes after `next_offset` any more.")
    dropped_bytes = serializers.IntegerField(
        help_text="Written beyond the limit of a log, and not kept."
    )
    text = serializers.CharField()
    times = serializers.ListField(
        child=serializers.ListField(),
        help_text="`[offset, at]`: from this byte on it was written at these Unix seconds.",
    )
