from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.protocol.workloads import WorkloadState
from apps.common.api import rendered
from apps.fleet.models import Contact


class LivingSerializer(serializers.Serializer[Any]):
    """Which workloads of a node to list."""

    state = serializers.ChoiceField(
        choices=["live", "ended"], required=False, help_text="Both if left out."
    )


class WorkloadReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    params = serializers.DictField()
    text = serializers.CharField(help_text="In the reader's language.")


class OwnerSerializer(serializers.Serializer[Any]):
    """The job or the endpoint that a workload belongs to."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    number = serializers.IntegerField(help_text="Of the job's run or the endpoint's replica.")


class NodeWorkloadSerializer(serializers.Serializer[Any]):
    """Something that runs or ran on a node; of a project that is not yours, without its name."""

    workload = serializers.UUIDField(source="workload.id")
    kind = serializers.CharField(
        help_text='The job\'s kind, or "replica"; of what is somebody else\'s "run" or "replica".'
    )
    state = serializers.ChoiceField(
        choices=[state.value for state in WorkloadState], source="workload.state"
    )
    reason = serializers.SerializerMethodField()
    assigned_at = serializers.DateTimeField(source="workload.assigned_at", allow_null=True)
    started_at = serializers.DateTimeField(source="workload.started_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="workload.ended_at", allow_null=True)
    devices = serializers.ListField(child=serializers.CharField(), help_text="Their UUIDs.")
    project = serializers.CharField(
        source="project.slug",
        allow_null=True,
        default=None,
        help_text="Null: it is somebody else's, and nothing more is said of it.",
    )
    owner = OwnerSerializer(allow_null=True)

    @extend_schema_field(WorkloadReasonSerializer(allow_null=True))
    def get_reason(self, placed: Any) -> dict[str, Any] | None:
        reason: dict[str, Any] | None = placed.reason
        return None if reason is None else rendered(reason, self.context["request"])


class MapNodeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    simulated = serializers.BooleanField()
    contact = serializers.ChoiceField(choices=Contact.choices)
    cordoned_at = serializers.DateTimeField(allow_null=True)
    cordon_reason = serializers.CharField()
    host = serializers.ListField(help_text="Values by `host_fields`.")
    devices = serializers.ListField(
        child=serializers.ListField(), help_text="Of each device, its values by `fields`."
    )


class FleetMapSerializer(serializers.Serializer[Any]):
    """Every node and device at once, in few characters."""

    at = serializers.DateTimeField()
    # DRF's own property of this name must not be hidden by a declared field: see `get_fields`
    host_fields = serializers.ListField(child=serializers.CharField())
    live_fields = serializers.ListField(
        child=serializers.CharField(), help_text="Of each device in topic `fleet.live`."
    )
    live_host_fields = serializers.ListField(
        child=serializers.CharField(), help_text="Of each host in topic `fleet.live`."
    )
    nodes = MapNodeSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        columns = serializers.ListField(
            child=serializers.CharField(),
            help_text="What the values of a device mean. `project` is null unless it is yours.",
        )
        return {"fields": columns, **super().get_fields()}

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        return instance  # thousands of rows, ready as they are


class OrphanSerializer(serializers.Serializer[Any]):
    """What a node ran or runs that the backup does not know."""

    id = serializers.UUIDField()
    node = serializers.UUIDField(source="node_id")
    node_name = serializers.CharField(source="node.name")
    workload = serializers.UUIDField(source="workload_id")
    state = serializers.CharField(help_text="As of a workload.")
    exit_code = serializers.IntegerField(allow_null=True)
    seen_at = serializers.DateTimeField(source="created_at")
    ended_at = serializers.DateTimeField(allow_null=True)


class UnheardSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class RestoreSerializer(serializers.Serializer[Any]):
    """Whether a restore from a backup still holds everything up, and what is waited for."""

    held = serializers.BooleanField()
    restored_at = serializers.DateTimeField(allow_null=True)
    unheard = UnheardSerializer(many=True, help_text="Nodes not heard since. At most 100.")
    running = serializers.IntegerField(help_text="Workloads unknown to the backup that run.")
